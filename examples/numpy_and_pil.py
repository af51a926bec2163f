"""A model on whatever a program has at hand: a numpy array, a picture of Pillow, the path of a file.

python examples/numpy_and_pil.py old/street.jpg --out coloured/
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import tintype


def main() -> None:
    """Colour the same picture in three ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--model", default="bundled", help="or bundled:hubble, a run folder, a model file")
    args = parser.parse_args()

    translate = tintype.Translator(args.model)
    args.out.mkdir(parents=True, exist_ok=True)

    # A path gives all that the file says: orientation, depth, profile, alpha, and a mark that its colour was predicted.
    result = translate(args.picture)
    tintype.write_image(args.out / "from_path.tif", result)
    print(f"path: {result.pixels.shape} {result.pixels.dtype}, {result.bits} bits, by {result.provenance.model}")

    # A picture of Pillow gives another one of 8 bits; its pixels are taken as they stand.
    with Image.open(args.picture) as file:
        picture = file.convert("L")
    coloured = translate(picture)
    coloured.save(args.out / "from_pillow.png")
    print(f"Pillow: {coloured.mode} {coloured.size}")

    # An array, `h w` or `h w 3`, gives an array of its own type.
    array = translate(np.asarray(picture))
    print(f"numpy: {array.shape} {array.dtype}, the same as by Pillow: {np.array_equal(array, np.asarray(coloured))}")
    tintype.write_image(args.out / "from_numpy.png", array)


if __name__ == "__main__":
    main()
