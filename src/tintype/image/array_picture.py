"""A picture that is whole in memory, behind the protocol of one that is read strip by strip; and the way back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal, final

import numpy as np

from tintype.errors import ImageError, UsageError
from tintype.image.picture import DecodedImage, PictureInfo, Strip
from tintype.image.resize import resize


@final
class ArrayPicture:
    """An `OpenPicture` of an array or of a decoded picture.

    Args:
        image: A decoded picture; or an sRGB array `h w`, `h w 1` or `h w 3` of uint8, uint16, or float in [0, 1].

    Raises:
        ImageError: Values are not finite or out of range.
        UsageError: The array is no picture.
    """

    def __init__(self, image: np.ndarray | DecodedImage) -> None:
        whole = image if isinstance(image, DecodedImage) else DecodedImage(np.asarray(image))
        name = str(whole.path or "picture")
        pixels = whole.pixels[..., None] if whole.pixels.ndim == 2 else whole.pixels
        if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
            raise UsageError(
                f"{name}: an array of shape {whole.pixels.shape} is no picture; "
                "give `h w`, `h w 1` or `h w 3`, without alpha"
            )
        if pixels.dtype not in (np.uint8, np.uint16):
            _check_range(pixels, name)
        self._pixels, self._alpha = pixels, whole.alpha
        channels: Literal[1, 3] = 1 if pixels.shape[2] == 1 else 3
        self.info = PictureInfo(
            width=pixels.shape[1],
            height=pixels.shape[0],
            channels=channels,
            has_alpha=whole.alpha is not None,
            bits=whole.bits,
            floating=whole.floating,
            format=whole.format,
            path=whole.path,
            extras=whole.extras,
        )

    def strips(self, rows: int) -> Iterator[Strip]:
        """See `OpenPicture.strips`."""
        for top in range(0, self.info.height, rows):
            part = slice(top, top + rows)
            yield Strip(top, _display(self._pixels[part]), None if self._alpha is None else self._alpha[part])

    def reduced(self, height: int, width: int) -> np.ndarray:
        """See `OpenPicture.reduced`."""
        return np.clip(resize(_display(self._pixels), height, width), 0, 1)


def gathered(strips: Iterable[Strip], height: int) -> np.ndarray:
    """The pixels of all strips of a picture of so many rows: float32 `h w c`."""
    strips = iter(strips)
    first = next(strips)
    pixels = np.empty((height, *first.pixels.shape[1:]), np.float32)
    pixels[: len(first.pixels)] = first.pixels
    for strip in strips:
        pixels[strip.top : strip.top + len(strip.pixels)] = strip.pixels
    return pixels


def _check_range(pixels: np.ndarray, name: str) -> None:
    if pixels.dtype.kind != "f":
        raise UsageError(f"{name}: an array of {pixels.dtype} is no picture; give uint8, uint16, or float in [0, 1]")
    low, high = float(pixels.min()), float(pixels.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ImageError(f"{name}: holds values that are not finite; every value must be in [0, 1]")
    if low < -0.1 or high > 1.1:  # a little beyond is what resizing leaves
        raise ImageError(f"{name}: holds values from {low:.4g} to {high:.4g}; float pictures must be in [0, 1]")


def _display(pixels: np.ndarray) -> np.ndarray:
    """Samples of any depth as float32 in [0, 1]."""
    if pixels.dtype.kind == "u":
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return np.clip(pixels.astype(np.float32, copy=False), 0, 1)
