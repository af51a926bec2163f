"""Bringing pictures to another size, antialiased, by libvips."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyvips

Kernel = Literal["linear", "cubic", "mitchell", "lanczos2", "lanczos3"]


def resize(pixels: np.ndarray, height: int, width: int, kernel: Kernel = "lanczos3") -> np.ndarray:
    """Resize by libvips, antialiased.

    Args:
        pixels: float32 `h w c`, of any range and any number of channels.
        height: Rows of the result.
        width: Columns of the result.
        kernel: How neighbours are weighed; to enlarge, all but "linear" are bicubic.

    Returns:
        float32 `height width c`. All kernels but "linear" may overshoot at edges: clip display pictures.
    """
    rows, columns, channels = pixels.shape
    if (rows, columns) == (height, width):
        return pixels
    image = shrink(pyvips.Image.new_from_array(np.ascontiguousarray(pixels, dtype=np.float32)), height, width, kernel)
    if height > rows or width > columns:
        # not with libvips' own resize, which moves an enlarged picture by half a pixel of the result
        image = image.affine(
            [max(1, width / columns), 0, 0, max(1, height / rows)],
            interpolate=pyvips.Interpolate.new("bilinear" if kernel == "linear" else "bicubic"),
            idx=0.5,
            idy=0.5,
            odx=-0.5,
            ody=-0.5,
            oarea=[0, 0, width, height],
            extend="copy",
        )
    return image.numpy().reshape(height, width, channels)


def shrink(image: pyvips.Image, height: int, width: int, kernel: Kernel = "lanczos3") -> pyvips.Image:
    """The part of `resize` that makes smaller, for images of any size: it needs one pass from top to bottom."""
    if height >= image.height and width >= image.width:
        return image
    # gap=4: up to 8 times the kernel sees the pixels, beyond that averaged blocks
    return image.resize(min(1, width / image.width), vscale=min(1, height / image.height), kernel=kernel, gap=4)
