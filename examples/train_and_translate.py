"""Train a recipe, then colour a folder of pictures with the result, all from Python.

python examples/train_and_translate.py hubble-lab old/ --run runs/hubble --out coloured/ training.steps=2000
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import tintype


def main() -> None:
    """Train, or go on training; then translate every picture of the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="name of a built-in recipe, or a YAML file")
    parser.add_argument("pictures", type=Path, help="folder of pictures to colour")
    parser.add_argument("overrides", nargs="*", help="section.field=value")
    parser.add_argument("--run", type=Path, required=True, help="run folder")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    args = parser.parse_intermixed_args()

    recipe = tintype.load_recipe(args.recipe, args.overrides)
    if not tintype.train(recipe, args.run):
        sys.exit("interrupted and saved; the same command goes on")

    translate = tintype.Translator(args.run)
    args.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(args.pictures.iterdir()):
        try:
            picture = tintype.read_image(path)
        except tintype.TintypeError as error:
            print(error)
            continue
        result = translate(picture, strength=translate.card.strength)
        tintype.write_image(args.out / f"{path.stem}.png", result)
        print(f"{path.name}: {result.width} x {result.height} pixels, {result.bits} bits")


if __name__ == "__main__":
    main()
