"""What `tintype sample` does and prints: a grid of pictures that a model draws, from noise or of one picture."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np

from tintype.arguments import counted
from tintype.errors import UsageError
from tintype.image.file import read_image, write_image
from tintype.inference.modelfile import find_model, read_card
from tintype.inference.sampling import Sampler, sample_grid


def sample(model: Path, picture: Path | None, count: int, out: Path, seed: int, label: str | None) -> None:
    """Draw pictures and write them as one grid."""
    if picture is not None:
        if label is not None:
            raise UsageError(f"--label {label}: has no meaning for a picture; leave one of the two out")
        _of_picture(model, picture, count, out, seed)
        return
    sampler = Sampler(model)
    number = None if label is None else sampler.class_number(label)
    rows = sampler.classes if number is None else ()
    write_image(out, sample_grid(sampler(count, seed, number), rows))
    what = "" if number is None else f" of {sampler.classes[number]}"
    print(f"{out}: {counted(count, 'picture')}{what}, seed {seed}")  # noqa: T201
    if rows:
        print(f"rows: {', '.join(rows[:count])}")  # noqa: T201


def _of_picture(model: Path, picture: Path, count: int, out: Path, seed: int) -> None:
    path = find_model(model)
    inputs = read_card(path).recipe.inputs
    if "source" not in inputs:
        raise UsageError(f"{path}: makes pictures from noise alone; leave out {picture}")
    if "noise" not in inputs:
        raise UsageError(
            f"{path}: makes one result of a picture, always the same; give a model with generator.noise=input, or use "
            "tintype translate"
        )
    from tintype.inference.translator import Translator

    colourings = importlib.import_module("tintype.inference.colourings").colourings
    drawn = colourings(Translator(path), read_image(picture), count, seed)
    write_image(out, sample_grid(np.stack(drawn)))
    print(f"{out}: {counted(count, 'result')} of {picture}, seed {seed}")  # noqa: T201
