"""Make a finished run one of the models that come with Tintype: its weights at half their size, without any path.

    python benchmarks/bundle_weights.py RUN NAME

writes `src/tintype/models/NAME.safetensors`. Matrices and filters are stored as float16, which moves no output by
anything that can be seen; the rest, such as the running statistics of norms, stays as it is. What the recipe says of
where pictures and earlier weights lay is left out. The graph is then exported from this file, and the card is written
last:

    tintype export src/tintype/models/NAME.safetensors --out src/tintype/models/NAME.onnx --fp16
    python benchmarks/model_card.py NAME --scores SCORES.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from tintype.inference.bundled import BUNDLED, FOLDER
from tintype.inference.modelfile import ModelCard, read_safetensors, write_safetensors
from tintype.recipe import load_recipe

PATHS = (("data", "path"), ("data", "more"), ("method", "init_from"))


def main() -> None:
    """Write the weights and say how large they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name", choices=BUNDLED)
    asked = parser.parse_args()
    state, card = read_safetensors(asked.run / "model.safetensors")
    path = FOLDER / f"{asked.name}.safetensors"
    write_safetensors(path, {name: halved(value) for name, value in state.items()}, without_paths(card))
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def halved(value: np.ndarray) -> np.ndarray:
    """Matrices and filters as float16; vectors and counts as they are."""
    return value.astype(np.float16) if value.ndim > 1 and value.dtype == np.float32 else value


def without_paths(card: ModelCard) -> ModelCard:
    """The card, with a recipe that names no folder or file but those that come with Tintype."""
    tree = card.recipe.model_dump()
    given = {f"{section}.{field}": tree[section].get(field, "") for section, field in PATHS}
    outside = [field for field, path in given.items() if path and not path.startswith("bundled")]
    return card.model_copy(update={"recipe": load_recipe(card.recipe, [f"{field}=" for field in outside])})


if __name__ == "__main__":
    main()
