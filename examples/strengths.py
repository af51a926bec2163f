"""One picture at several strengths of colour, side by side. The network runs once; torch is not needed.

python examples/strengths.py old/nebula.tif --model runs/hubble --out strengths.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import tintype


def main() -> None:
    """Predict once, render at each strength, write the results as one picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--model", type=Path, required=True, help="run folder, .onnx or .safetensors file")
    parser.add_argument("--out", type=Path, required=True, help="picture to write")
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.0, 0.5, 1.0, 1.5])
    args = parser.parse_args()

    translate = tintype.Translator(args.model)
    prediction = translate.predict(tintype.read_image(args.picture))
    row = np.concatenate([prediction.render(strength) for strength in args.strengths], axis=1)
    tintype.write_image(args.out, row)
    print(f"{args.out}: strengths {', '.join(map(str, args.strengths))}; calibrated: {translate.card.strength}")


if __name__ == "__main__":
    main()
