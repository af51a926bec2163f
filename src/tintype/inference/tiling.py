"""Models of whole pictures on pictures of every size: whole where memory allows, else in overlapping tiles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tintype.image.array_picture import gathered
from tintype.image.codec import on_picture
from tintype.image.picture import STRIP_PIXELS, OpenPicture, Strip
from tintype.inference.network import Network, to_batch, to_picture
from tintype.inference.sizing import Sizing
from tintype.inference.translation import Tally, has_colour


def translated_strips(network: Network, picture: OpenPicture, settings: Sizing, tally: Tally) -> Iterator[Strip]:
    """The whole picture through the network, strip by strip."""
    rows = max(1, STRIP_PIXELS // picture.info.width)
    strips = list(picture.strips(rows))
    pixels = gathered(strips, picture.info.height)
    tally.coloured = network.codec.colourises and has_colour(pixels)
    source = on_picture(network.codec.source_from, pixels)
    result = to_picture(network.codec.decode(to_batch(source), to_batch(network(source)))).astype(np.float32)
    for strip in strips:
        yield Strip(strip.top, result[strip.top : strip.top + len(strip.pixels)], strip.alpha)
