"""Pictures that follow each other, written as one file that plays them over and over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyvips

from tintype.atomic import atomic_path
from tintype.errors import OutputError

SUFFIXES = (".gif", ".webp")
"""Of files that can play."""


def plays(path: Path) -> bool:
    """Whether a file of this name can play."""
    return path.suffix.lower() in SUFFIXES


def write_animation(path: Path, frames: Sequence[np.ndarray], *, milliseconds: int = 120) -> None:
    """Write pictures of one size as `.gif` or `.webp`; the file appears whole or not at all.

    Args:
        path: What is there is replaced.
        frames: uint8 `h w 3`.
        milliseconds: That each of them is shown.

    Raises:
        OutputError: The file cannot be written.
    """
    tall = pyvips.Image.new_from_array(np.concatenate(frames), interpretation="srgb").copy()
    tall.set_type(pyvips.GValue.gint_type, "page-height", frames[0].shape[0])
    tall.set_type(pyvips.GValue.array_int_type, "delay", [milliseconds] * len(frames))
    tall.set_type(pyvips.GValue.gint_type, "loop", 0)
    with atomic_path(path) as temporary:
        try:
            playing = tall.gifsave_buffer() if path.suffix.lower() == ".gif" else tall.webpsave_buffer(lossless=True)
        except pyvips.Error as error:
            raise OutputError(f"{path}: cannot be written ({str(error).strip().splitlines()[0]})") from error
        temporary.write_bytes(playing)
