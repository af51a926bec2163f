"""Bringing pictures to another size, antialiased: reduced by libvips, enlarged by weighted sums that take any rows."""

from __future__ import annotations

from typing import Literal, final

import numpy as np
import pyvips

Kernel = Literal["linear", "cubic", "mitchell", "lanczos2", "lanczos3"]


def resize(pixels: np.ndarray, height: int, width: int, kernel: Kernel = "lanczos3") -> np.ndarray:
    """Resize, antialiased.

    Args:
        pixels: float32 `h w c`, of any range and any number of channels.
        height: Rows of the result.
        width: Columns of the result.
        kernel: How neighbours are weighed; to enlarge, all but "linear" are bicubic.

    Returns:
        float32 `height width c`. All kernels but "linear" may overshoot at edges: clip display pictures.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    return Resizing(pixels, height, width, kernel).rows(0, height)


@final
class Resizing:
    """A picture on its way to another size, of which any rows can be asked for; arguments as for `resize`.

    Enlarging costs memory for the rows that are asked for, and for as many rows as the picture has in the new width.
    """

    def __init__(self, pixels: np.ndarray, height: int, width: int, kernel: Kernel = "lanczos3") -> None:
        self.height, self.width, self.channels = height, width, pixels.shape[2]
        small = np.ascontiguousarray(pixels, dtype=np.float32)
        if height < small.shape[0] or width < small.shape[1]:
            image = shrink(pyvips.Image.new_from_array(small), height, width, kernel)
            small = image.numpy().reshape(image.height, image.width, self.channels)
        self._taps = None if small.shape[0] == height else _taps(small.shape[0], height, kernel)
        if small.shape[1] != width:
            places, weights = _taps(small.shape[1], width, kernel)
            small = sum(small[:, places[:, i]] * weights[:, i, None] for i in range(1, places.shape[1])) + (
                small[:, places[:, 0]] * weights[:, 0, None]
            )
        self._small = small.reshape(small.shape[0], width * self.channels)

    def rows(self, top: int, stop: int) -> np.ndarray:
        """Rows `top` to `stop` of the result, the same to the last bit whichever others are asked for."""
        if self._taps is None:
            return self._small[top:stop].reshape(stop - top, self.width, self.channels)
        places, weights = self._taps
        result = np.empty((stop - top, self._small.shape[1]), np.float32)
        for row, taps, weight in zip(result, places[top:stop], weights[top:stop], strict=True):
            first, last = taps[0], taps[-1]
            if last - first == len(taps) - 1:
                np.dot(weight, self._small[first : last + 1], out=row)
            else:  # beyond the border, where the outermost row stands for those that are missing
                np.dot(weight, self._small[taps], out=row)
        return result.reshape(stop - top, self.width, self.channels)


def shrink(image: pyvips.Image, height: int, width: int, kernel: Kernel = "lanczos3") -> pyvips.Image:
    """The part of `resize` that makes smaller, for images of any size: it needs one pass from top to bottom."""
    if height >= image.height and width >= image.width:
        return image
    # gap=4: up to 8 times the kernel sees the pixels, beyond that averaged blocks
    return image.resize(min(1, width / image.width), vscale=min(1, height / image.height), kernel=kernel, gap=4)


def _taps(size: int, larger: int, kernel: Kernel) -> tuple[np.ndarray, np.ndarray]:
    """The places in a line of `size` pixels that each of `larger` looks at, and how it weighs them: `larger taps`.

    Bicubic is that of Keys 1981 with a = -1/2. Not libvips' own enlarging, which rounds positions to 1/64 of a pixel
    and, in `resize`, moves the picture by half a pixel of the result.
    """
    centre = (np.arange(larger) + 0.5) * (size / larger) - 0.5
    before = np.floor(centre).astype(np.intp)
    t = centre - before
    if kernel == "linear":
        offsets, weights = [0, 1], np.stack([1 - t, t], axis=1)
    else:
        offsets = [-1, 0, 1, 2]
        near, far = ((1.5 * u - 2.5) * u * u + 1 for u in (t, 1 - t))
        outer = [((-0.5 * u + 2.5) * u - 4) * u + 2 for u in (1 + t, 2 - t)]
        weights = np.stack([outer[0], near, far, outer[1]], axis=1)
    places = np.clip(before[:, None] + np.array(offsets), 0, size - 1)
    return places, weights.astype(np.float32)
