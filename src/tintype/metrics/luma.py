"""PSNR and SSIM of the luma Y alone, as the literature on enlarging pictures reports them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tintype.errors import UsageError
from tintype.metrics.fidelity import psnr, ssim

PSNR_Y, SSIM_Y = "PSNR Y", "SSIM Y"
"""Titles of the figures."""

_WINDOW = 11  # pixels that SSIM needs a side
_STUDIO = (65.481 / 255, 128.553 / 255, 24.966 / 255)
_BLACK = 16 / 255


def luma(picture: np.ndarray) -> np.ndarray:
    """Y of ITU-R BT.601 in its studio range, 16/255 for black to 235/255 for white.

    Args:
        picture: `h w 3`, sRGB-encoded in [0, 1].

    Returns:
        `h w 1` float64.
    """
    return picture.astype(np.float64) @ np.array(_STUDIO)[:, None] + _BLACK


def luma_measures(border: int, size: int) -> dict[str, Callable[[np.ndarray, np.ndarray], float]]:
    """Both figures by title, each of an output and its truth `h w 3`.

    Args:
        border: Pixels that are cut off on all sides first, where enlarging lacks half of its neighbours.
        size: Side in pixels of the pictures.

    Raises:
        UsageError: Too little is left of so small a picture.
    """
    if size - 2 * border < _WINDOW:
        raise UsageError(
            f"PSNR and SSIM of Y cut {border} pixels off every side, which leaves {size - 2 * border} of {size}; score "
            f"{_WINDOW + 2 * border} or more"
        )
    return {title: partial(_inside, measure, border) for title, measure in ((PSNR_Y, psnr), (SSIM_Y, ssim))}


def luma_protocol(border: int) -> str:
    """What the protocol says of them."""
    return f"Y of BT.601 in 16 to 235 of 255, border of {border} px cut"


def _inside(
    measure: Callable[[np.ndarray, np.ndarray], float], border: int, output: np.ndarray, truth: np.ndarray
) -> float:
    inside = slice(border, -border or None)
    return measure(luma(output[inside, inside]), luma(truth[inside, inside]))
