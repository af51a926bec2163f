"""A picture in a smaller size, behind the protocol of one that is read strip by strip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import final

import numpy as np

from tintype.image.picture import OpenPicture, Strip, strip_rows
from tintype.image.resize import resize


@final
class ShrunkPicture:
    """An `OpenPicture` of another one, antialiased; held in memory from when its strips are first asked for.

    Args:
        picture: The picture.
        longest: Pixels of the longer side; less than it has.
    """

    def __init__(self, picture: OpenPicture, longest: int) -> None:
        info = picture.info
        scale = longest / max(info.height, info.width)
        self._picture = picture
        notes = (*info.notes, f"reduced from {info.width} x {info.height} pixels")
        if info.format == "fits":
            notes += ("the header of its FITS file, which is true of the whole size only, is left out",)
        self.info = replace(
            info,
            height=max(1, round(info.height * scale)),
            width=max(1, round(info.width * scale)),
            format="" if info.format == "fits" else info.format,
            notes=notes,
        )

    def strips(self, rows: int) -> Iterator[Strip]:
        """See `OpenPicture.strips`."""
        pixels, alpha = self._whole
        for top in range(0, self.info.height, rows):
            part = slice(top, top + rows)
            yield Strip(top, pixels[part], None if alpha is None else alpha[part])

    def reduced(self, height: int, width: int) -> np.ndarray:
        """See `OpenPicture.reduced`; made of the whole picture, so that a network sees the same of both."""
        return self._picture.reduced(height, width)

    @cached_property
    def _whole(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Pixels `h w c` and alpha `h w`."""
        height, width = self.info.height, self.info.width
        pixels = self._picture.reduced(height, width)
        return pixels, self._alpha(height, width) if self.info.has_alpha else None

    def _alpha(self, height: int, width: int) -> np.ndarray:
        info = self._picture.info
        alpha = np.ones((info.height, info.width, 1), np.float32)
        for strip in self._picture.strips(strip_rows(info.width)):
            if strip.alpha is not None:
                alpha[strip.top : strip.top + len(strip.alpha), :, 0] = strip.alpha
        return np.clip(resize(alpha, height, width), 0, 1)[..., 0]
