"""Pictures laid down anywhere on frames of another size, between pixels too, in batches of numpy or torch."""

from __future__ import annotations

from array_api_compat import array_namespace, device

from tintype.image.color import Array


def placed(pictures: Array, corners: Array, size: int) -> Array:
    """Lay pictures down on black frames, bilinear; what reaches beyond a frame is cut off.

    Args:
        pictures: `... h w`, floats of any range in which black is 0.
        corners: `... 2`: where the centre of the first pixel comes to lie in the frame, (y, x) in pixels.
        size: Side of a frame.

    Returns:
        `... size size`.
    """
    xp = array_namespace(pictures)
    height, width = pictures.shape[-2:]
    # Along each axis a pixel is shared by the two of the frame between whose centres it lies.
    down = _shares(corners[..., 0], height, size)
    across = _shares(corners[..., 1], width, size)
    return xp.matmul(xp.matmul(down, pictures), xp.matrix_transpose(across))


def _shares(start: Array, length: int, size: int) -> Array:
    """`... size length`: how much of each of `length` pixels that begin at `start` each pixel of a frame gets."""
    xp = array_namespace(start)
    where = xp.arange(length, dtype=start.dtype, device=device(start)) + start[..., None]
    frame = xp.arange(size, dtype=start.dtype, device=device(start))
    return xp.clip(1 - xp.abs(frame[:, None] - where[..., None, :]), 0, 1)
