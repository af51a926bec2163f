"""Pictures of Pillow, in and out. Pillow is imported only where one was given, so that nobody else needs it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from tintype.errors import UsageError
from tintype.image.picture import DecodedImage

if TYPE_CHECKING:
    from PIL.Image import Image
    from typing_extensions import TypeIs

_GREY = ("1", "L", "LA", "La")
_DEEPEST = 65535


def is_pillow(picture: object) -> TypeIs[Image]:
    """Whether it is a picture of Pillow, which is loaded then."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(picture, pillow.Image)


def from_pillow(picture: Image) -> DecodedImage:
    """The pixels of a picture as they stand, taken as sRGB: neither its orientation nor its profile is applied.

    Raises:
        UsageError: It has integers beyond 16 bits.
    """
    if picture.mode == "F":
        return DecodedImage(np.asarray(picture))
    if picture.mode.startswith("I"):
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > _DEEPEST:
            raise UsageError(
                f"a picture of mode {picture.mode} with values from {values.min()} to {values.max()}; give it values "
                f"from 0 to {_DEEPEST}, or another mode"
            )
        return DecodedImage(values.astype(np.uint16), bits=16)
    mode = "L" if picture.mode in _GREY else "RGB"
    if not picture.has_transparency_data:
        return DecodedImage(np.asarray(picture.convert(mode)))
    values = np.asarray(picture.convert("LA" if mode == "L" else "RGBA"))
    return DecodedImage(values[..., :-1], alpha=values[..., -1].astype(np.float32) / 255)


def to_pillow(image: DecodedImage) -> Image:
    """A picture of mode L, LA, RGB or RGBA, of 8 bits, which is all that Pillow has for colour."""
    from PIL import Image

    pixels = image.pixels if image.alpha is None else np.dstack([image.pixels, image.alpha])
    values = np.rint(255 * pixels).astype(np.uint8)
    return Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
