"""Enlarging chroma along the edges of luminance, so that colour does not bleed over them.

The guided filter of He, Sun and Tang (2013), at low resolution as in He and Sun (2015): in a window around each pixel
of the small picture chroma is taken to be `A L* + B`. Of this model the enlarged chroma gets what plain enlarging
cannot know: `A` times the difference between the picture's L* and its small L* enlarged. Where the picture has no more
detail than the small one, chroma is that of plain enlarging. (`A L* + B` in place of it would smooth chroma by the
window, which costs more than the edges gain.)
"""

from __future__ import annotations

from typing import final

import numpy as np

from tintype.image.resize import Resizing

_RADIUS = 1
_SPREAD = 300.0
"""Variance of L* that a window must have before chroma follows it; chosen, as the radius, on validation pictures."""


@final
class GuidedResizing:
    """Chroma on its way to the size of a picture, of which any rows can be asked for.

    Args:
        chroma: float32 `h w c`, of any scale.
        lightness: L* of the same picture, reduced to the same `h w`.
        height: Rows of the picture.
        width: Columns of the picture.
    """

    def __init__(self, chroma: np.ndarray, lightness: np.ndarray, height: int, width: int) -> None:
        self._channels = chroma.shape[2]
        slope = _slope(chroma, lightness[..., None])
        self._plain = Resizing(np.concatenate([chroma, lightness[..., None]], axis=2), height, width, "cubic")
        self._slope = Resizing(slope, height, width, "linear")

    def rows(self, top: int, lightness: np.ndarray) -> np.ndarray:
        """Chroma `rows w c` of the rows from `top` on that have the L* `rows w`."""
        stop = top + len(lightness)
        plain = self._plain.rows(top, stop)
        detail = lightness - plain[..., -1]
        return plain[..., :-1] + self._slope.rows(top, stop) * detail[..., None]


def _slope(chroma: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    """How chroma changes with L* around each pixel, the mean over all windows that hold it: `h w c`."""
    mean_lightness, mean_chroma = _mean(lightness), _mean(chroma)
    variance = _mean(lightness * lightness) - mean_lightness**2
    covariance = _mean(lightness * chroma) - mean_lightness * mean_chroma
    return _mean(covariance / (np.maximum(variance, 0) + _SPREAD))


def _mean(x: np.ndarray) -> np.ndarray:
    """Mean over a window around each pixel, as much of it as lies within the picture."""
    for axis in (0, 1):
        size = x.shape[axis]
        low, high = np.maximum(np.arange(size) - _RADIUS, 0), np.minimum(np.arange(size) + _RADIUS + 1, size)
        sums = np.cumsum(x, axis, dtype=np.float64)
        sums = np.concatenate([np.zeros_like(sums.take([0], axis)), sums], axis)
        counts = (high - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        x = (sums.take(high, axis) - sums.take(low, axis)) / counts
    return x.astype(np.float32)
