"""Predicted chroma of any size joined with the luminance of a picture of any size, strip by strip."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from tintype.image.codec import LabSpace
from tintype.image.picture import STRIP_PIXELS, OpenPicture, Strip
from tintype.image.resize import Resizing
from tintype.inference.modelfile import ModelCard
from tintype.inference.network import to_batch, to_picture
from tintype.inference.pool import in_order
from tintype.inference.translation import Tally, has_colour

LONGEST_SIDE = 8
"""Of what the network sees, in model sizes: a 1 x 10,000 picture is not enlarged to 256 x 2,560,000."""


class Chroma(Protocol):
    """What the network said about the chroma of a picture, in the size of the picture."""

    def rows(self, top: int, lightness: np.ndarray) -> np.ndarray:
        """Model space `rows w 2`, of the rows from `top` on that have the L* `rows w`."""
        ...


class PlainChroma:
    """Chroma enlarged without a look at the picture.

    Args:
        output: Of the network, model space `h w 2`.
        height: Rows of the picture.
        width: Columns of the picture.
    """

    def __init__(self, output: np.ndarray, height: int, width: int) -> None:
        self._resizing = Resizing(output, height, width, "cubic")

    def rows(self, top: int, lightness: np.ndarray) -> np.ndarray:
        """See `Chroma`."""
        return self._resizing.rows(top, top + len(lightness))


def coloured_strips(
    picture: OpenPicture, codec: LabSpace, chroma: Chroma, strength: float, threads: int, tally: Tally
) -> Iterator[Strip]:
    """The picture's own L* with `strength` times the chroma, in constant memory."""

    def colour(strip: Strip) -> tuple[Strip, int, bool]:
        lightness = codec.lightness(to_batch(strip.pixels))
        output = to_batch(chroma.rows(strip.top, lightness[0, 0]))
        if strength != 1:
            output *= np.float32(strength)
        result, lowered = codec.join(lightness, output)
        return Strip(strip.top, to_picture(result), strip.alpha), lowered, has_colour(strip.pixels)

    rows = max(1, STRIP_PIXELS // picture.info.width)
    for strip, lowered, coloured in in_order(colour, picture.strips(rows), threads):
        tally.lowered += lowered
        tally.coloured |= coloured
        yield strip


def network_size(height: int, width: int, card: ModelCard) -> tuple[int, int]:
    """Height and width at which a colouriser's network sees a picture, before padding.

    The shorter side becomes the recipe's `data.size`, unless the longer one would then exceed `LONGEST_SIDE` times
    that. Sides are rounded to multiples of `output_stride`, so that predicted chroma covers exactly the picture.
    """
    size, stride = card.recipe.data.size, card.output_stride
    scale = min(size / min(height, width), LONGEST_SIDE * size / max(height, width))
    return max(1, round(height * scale / stride)) * stride, max(1, round(width * scale / stride)) * stride
