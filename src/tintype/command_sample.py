"""What `tintype sample` does and prints: a grid of pictures or clips that a model draws, from noise or of a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tintype.arguments import counted
from tintype.errors import OutputError, UsageError
from tintype.image.animation import plays, write_animation
from tintype.image.file import read_image, write_image
from tintype.image.resize import resize
from tintype.inference.colourings import colourings
from tintype.inference.modelfile import find_model, read_card
from tintype.inference.sampling import Sampler, playing_grids, sample_grid, strips
from tintype.inference.translator import Translator

_SAMPLES, _RESULTS = 64, 8
"""In a grid unless told otherwise: from noise, and of one picture."""

_LARGEST_CELL = 512
"""Pixels of the longer side of a result in a grid at most; `tintype translate --seed` gives each at its full size."""


def sample(model: Path, picture: Path | None, count: int | None, out: Path, seed: int, label: str | None) -> None:
    """Draw pictures and write them as one grid."""
    if not out.parent.is_dir():
        raise OutputError(f"{out}: there is no folder {out.parent}; make it first")
    if picture is not None:
        if label is not None:
            raise UsageError(f"--label {label}: has no meaning for a picture; leave one of the two out")
        _of_picture(model, picture, count or _RESULTS, out, seed)
        return
    count = count or _SAMPLES
    sampler = Sampler(model)
    number = None if label is None else sampler.class_number(label)
    rows = sampler.classes if number is None else ()
    made = sampler(count, seed, number)
    if sampler.frames == 1:
        write_image(out, sample_grid(made, rows))
    elif plays(out):
        write_animation(out, playing_grids(made, rows))
    else:
        write_image(out, sample_grid(strips(made), rows))
    what = "" if number is None else f" of {sampler.classes[number]}"
    print(f"{out}: {counted(count, 'picture' if sampler.frames == 1 else 'clip')}{what}, seed {seed}")  # noqa: T201
    if rows:
        print(f"rows: {', '.join(rows[:count])}")  # noqa: T201


def _of_picture(model: Path, picture: Path, count: int, out: Path, seed: int) -> None:
    path = find_model(model)
    card = read_card(path)
    if "source" not in card.inputs:
        raise UsageError(f"{path}: makes pictures from noise alone; leave out {picture}")
    if not card.makes_many:
        raise UsageError(
            f"{path}: makes one result of a picture, always the same; give a model with generator.noise, or use "
            "tintype translate"
        )
    translator, source = Translator(path), read_image(picture)
    # One at a time, so that no more than one result of a large photograph is held at its full size.
    drawn = [_in_cell(colourings(translator, source, 1, number)[0]) for number in range(seed, seed + count)]
    write_image(out, sample_grid(np.stack(drawn)))
    print(f"{out}: {counted(count, 'result')} of {picture}, seed {seed}")  # noqa: T201


def _in_cell(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    scale = min(1.0, _LARGEST_CELL / max(height, width))
    return resize(picture, max(1, round(height * scale)), max(1, round(width * scale))).clip(0, 1)
