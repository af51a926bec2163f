"""Colour every picture of a folder with the model that comes with Tintype; torch is not needed.

python examples/colourise_folder.py old/ --out coloured/
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import tintype


def main() -> None:
    """Colour one picture after the other; what cannot be read is named, and the rest goes on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--model", default="bundled", help="or bundled:hubble, a run folder, a model file")
    parser.add_argument("--strength", type=float, default=1.0, help="factor on the predicted chroma")
    args = parser.parse_args()

    translate = tintype.Translator(args.model)
    args.out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for path in sorted(path for path in args.folder.iterdir() if path.is_file()):
        try:
            result = translate(path, strength=args.strength)  # orientation, depth, profile and alpha are kept
            tintype.write_image(args.out / f"{path.stem}.png", result)
        except tintype.TintypeError as error:  # one line: what it was, and what to do
            print(error, file=sys.stderr)
            failed += 1
            continue
        print(f"{path.name}: {result.width} x {result.height} pixels, {result.bits} bits")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
