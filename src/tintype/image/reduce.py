"""Pictures made smaller by a whole factor, in batches of numpy or torch: the small pictures of super-resolution."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace, device

from tintype.errors import UsageError
from tintype.image.color import Array


def reduced(picture: Array, scale: int) -> Array:
    """Reduce `... h w` to `... h/scale w/scale`, antialiased: bicubic (Keys 1981, a = -1/2) widened by the factor.

    Beyond the border the outermost pixels go on. This is the reduction that super-resolution is measured on.

    Args:
        picture: Floats of any range; `scale` divides h and w.
        scale: Pixels of the picture for each of the result, in either direction.

    Returns:
        Floats, which may overshoot at edges.

    Raises:
        UsageError: `scale` does not divide h and w.
    """
    return _along(_along(picture, scale, -2), scale, -1)


def _along(picture: Array, scale: int, axis: int) -> Array:
    xp = array_namespace(picture)
    length = picture.shape[axis]
    if length % scale:
        raise UsageError(
            f"pictures of {length} px a side cannot be reduced {scale} times; give a size that is a multiple of {scale}"
        )
    weights = _weights(scale)
    before = 3 * scale // 2
    places = xp.arange(-before, length + len(weights) - before - scale, device=device(picture))
    padded = xp.take(picture, xp.clip(places, 0, length - 1), axis=axis)
    total = padded[_every(scale, axis, 0, length)] * weights[0]
    for start, weight in enumerate(weights[1:], 1):
        total = total + padded[_every(scale, axis, start, length)] * weight
    return total


def _every(scale: int, axis: int, start: int, length: int) -> tuple[object, ...]:
    """Every `scale`-th place from `start` on, as many as the result has."""
    part = slice(start, start + length, scale)
    return (..., part) if axis == -1 else (..., part, slice(None))


def _weights(scale: int) -> list[float]:
    """How the pixels around a pixel of the result are weighed; they add up to 1."""
    half = (4 * scale - scale % 2 - 1) / 2
    distance = np.abs(np.linspace(-half, half, round(2 * half) + 1)) / scale
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weights = np.where(distance <= 1, near, far)
    return [float(weight) for weight in weights / weights.sum()]
