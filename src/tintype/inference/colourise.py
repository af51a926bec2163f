"""Predicted chroma of any size joined with the luminance of a picture of any size, strip by strip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

import numpy as np

from tintype.image.codec import LabSpace, on_picture
from tintype.image.guided import GuidedResizing
from tintype.image.picture import OpenPicture, PictureInfo, Strip, strip_rows
from tintype.image.resize import Resizing
from tintype.inference.hints import Hint, drawn_hints
from tintype.inference.memory import budget, in_words, resident
from tintype.inference.modelfile import ModelCard
from tintype.inference.network import Network, to_batch, to_picture
from tintype.inference.palette import Palette, in_palette
from tintype.inference.pool import in_order
from tintype.inference.translation import Tally, has_colour

EDGES = False
"""Whether chroma is enlarged along the edges of luminance unless told otherwise.

It brings true chroma of 64 px nearer to the truth, but predicted chroma no nearer (`benchmarks/edges.py`).
"""
LONGEST_SIDE = 8
"""Of what the network sees, in model sizes: a 1 x 10,000 picture is not enlarged to 256 x 2,560,000."""


@final
class Chroma:
    """What the network said about the chroma of a picture, in the size of the picture.

    Args:
        network: One that predicts chroma; it is run once, on the picture at the network's size.
        picture: The picture.
        edges: Enlarge chroma along the edges of luminance (`guided.py`), not without a look at the picture.
        hints: Colours that the network is told.
        reference: Colours that its chroma is brought to.

    Attributes:
        held: Bytes that it takes as long as it is needed.
    """

    def __init__(
        self,
        network: Network,
        picture: OpenPicture,
        edges: bool,
        hints: Sequence[Hint] = (),
        reference: Palette | None = None,
    ) -> None:
        codec, height, width = network.codec, picture.info.height, picture.info.width
        assert isinstance(codec, LabSpace)
        size = network_size(height, width, network.card)
        small = on_picture(codec.source_from, picture.reduced(*size))
        output = network(small, hints=drawn_hints(hints, picture.info, network, *size))
        stride = network.card.output_stride
        lightness = on_picture(codec.lightness, small)[..., 0]
        lightness = lightness.reshape(output.shape[0], stride, output.shape[1], stride).mean((1, 3))
        if reference is not None:
            output = in_palette(output, lightness, reference)
        self._guided = self._plain = None
        # a picture no larger than the output has nothing to guide by
        if edges and height >= len(output) and width >= output.shape[1]:
            self._guided = GuidedResizing(output, lightness, height, width)
        else:
            self._plain = Resizing(output, height, width, "cubic")

        self.held = 4 * len(output) * width * (5 if self._guided is not None else 2)

    def rows(self, top: int, lightness: np.ndarray) -> np.ndarray:
        """Model space `rows w 2`, of the rows from `top` on that have the L* `rows w`."""
        if self._guided is not None:
            return self._guided.rows(top, lightness)
        assert self._plain is not None
        return self._plain.rows(top, top + len(lightness))


_BYTES_A_PIXEL = 160  # of a strip under way: its source, its result, and what colour conversion holds in between


def memory_note(info: PictureInfo, chroma: Chroma, threads: int, limit: int | None) -> tuple[str, ...]:
    """What is to be said where joining chroma with luminance, which has no smaller way, exceeds a limit."""
    needed = chroma.held + (threads + 1) * _BYTES_A_PIXEL * strip_rows(info.width) * info.width
    if limit is None or needed <= budget(limit):
        return ()
    return (f"needs about {in_words(needed + resident())} of memory; {in_words(limit)} are allowed",)


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

    rows = strip_rows(picture.info.width)
    for strip, lowered, coloured in in_order(colour, picture.strips(rows), threads):
        tally.lowered += lowered
        tally.coloured |= coloured
        yield strip


def network_size(height: int, width: int, card: ModelCard) -> tuple[int, int]:
    """Height and width at which a colouriser's network sees a picture, before padding.

    The shorter side becomes the recipe's `data.size`, unless the longer one would then exceed `LONGEST_SIDE` times
    that. Sides are rounded to multiples of `output_stride`, so that predicted chroma covers exactly the picture. A
    network of one size sees as much of that as the picture fills.
    """
    size, stride = card.recipe.data.size, card.output_stride
    scale = min(size / min(height, width), LONGEST_SIDE * size / max(height, width))
    if card.fixed_side is not None:
        scale = card.fixed_side / max(height, width)
    return max(1, round(height * scale / stride)) * stride, max(1, round(width * scale / stride)) * stride
