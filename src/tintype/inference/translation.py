"""The result of a translation on its way: strips from top to bottom, and what is to be said about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np

from tintype.image.array_picture import gathered
from tintype.image.picture import PictureInfo, Strip

COLOUR_REPLACED = "its own colour was replaced"
COLOUR_KEPT = "has colour already, which was kept; nothing was predicted"
COLOUR_STEP = 8 / 255
"""Difference between channels above which a pixel counts as coloured, beyond what scanning and JPEG add."""

_NOTABLE = 0.05  # of the pixels; black and white ones, which have no room for chroma, are in most pictures


@final
@dataclass(slots=True)
class Tally:
    """What is counted while strips are made."""

    lowered: int = 0
    """Pixels whose chroma was lowered to fit sRGB."""
    coloured: bool = False
    """Colour of the picture's own was met."""
    notes: list[str] = field(default_factory=list)
    """What happened on the way, once each."""

    def note(self, text: str) -> None:
        """Keep what the user should hear."""
        if text not in self.notes:
            self.notes.append(text)


@final
class Translation:
    """A translated picture that is computed strip by strip as it is asked for.

    Attributes:
        channels: Of the result: 1 grey, 3 colour.
        keeps_luminance: The result has the L* of its source.
        scale: Times that the result is larger than its source, in width and in height.
    """

    def __init__(
        self,
        info: PictureInfo,
        make: Callable[[Tally], Iterator[Strip]],
        *,
        channels: Literal[1, 3],
        keeps_luminance: bool,
        notes: tuple[str, ...] = (),
        scale: int = 1,
    ) -> None:
        self.channels, self.keeps_luminance, self.scale = channels, keeps_luminance, scale
        self._info, self._make, self._notes = info, make, notes
        self._tally = Tally()

    def strips(self) -> Iterator[Strip]:
        """The result from top to bottom, with the alpha of the source, enlarged as it is; each call starts anew.

        Raises:
            ImageError: The source is damaged or cut short.
            ModelFileError: The network fails, or gives something else than its card says.
            OutOfMemoryError: The smallest part that the network can work on does not fit into memory.
        """
        self._tally = Tally()
        return self._make(self._tally)

    def pixels(self) -> np.ndarray:
        """The whole result, `h w channels` float32 in [0, 1]."""
        return gathered(self.strips(), self.scale * self._info.height)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should hear; complete when the strips have been used up."""
        tally, notes = self._tally, list(self._notes)
        if tally.coloured:
            notes.append(COLOUR_REPLACED)
        share = tally.lowered / (self._info.height * self._info.width)
        if share >= _NOTABLE:
            notes.append(f"{100 * share:.1f} % of the pixels had their chroma lowered to fit sRGB")
        return (*notes, *tally.notes)


def has_colour(pixels: np.ndarray) -> bool:
    """Whether a display picture `h w c` has a pixel of visible colour."""
    if pixels.shape[2] == 1:
        return False
    red, green, blue = (pixels[..., channel] for channel in range(3))
    return bool(max(np.abs(red - green).max(), np.abs(green - blue).max(), np.abs(red - blue).max()) > COLOUR_STEP)
