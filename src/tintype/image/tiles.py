"""Geometry of overlapping tiles: where they lie along a line, what they share, and how they are blended there.

A plan of a picture is one line of spans for its rows and one for its columns. Nothing here knows networks or memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np


@final
@dataclass(frozen=True, slots=True)
class Span:
    """Places `start` to `stop` of a line, of which those between the two fades count in full."""

    start: int
    stop: int
    fade_in: tuple[int, int]
    """Where its weight grows from 0 to 1; of no length: it jumps."""
    fade_out: tuple[int, int]
    """Where its weight falls from 1 to 0, as that of the next span grows."""

    def enlarged(self, scale: int) -> Span:
        """The same part of a line of so many times the places."""
        fade_in, fade_out = ((scale * low, scale * high) for low, high in (self.fade_in, self.fade_out))
        return Span(scale * self.start, scale * self.stop, fade_in, fade_out)

    def weights(self) -> np.ndarray:
        """Weight of each place, float32; those of all spans of a line add up to 1."""
        return _rise(self.start, self.stop, *self.fade_in) - _rise(self.start, self.stop, *self.fade_out)


def lay_spans(length: int, side: int, *, overlap: int, fade: int, multiple: int) -> tuple[Span, ...]:
    """Cover a line with spans of one length that start at multiples of a number, as evenly as that allows.

    Args:
        length: Of the line, a multiple of `multiple`.
        side: Of each span, a multiple of `multiple`; a line that is no longer becomes one span.
        overlap: Places that neighbours share at least, a multiple of `multiple` below `side`.
        fade: Places in the middle of what they share over which one gives way to the other; 0: at once.
        multiple: See above.
    """
    if length <= side:
        return (Span(0, length, (0, 0), (length, length)),)
    gaps = -(-(length - side) // (side - overlap))
    blocks = (length - side) // multiple
    starts = [round(i * blocks / gaps) * multiple for i in range(gaps + 1)]
    cuts = [(start + following + side) // 2 for start, following in pairwise(starts)]
    between = [after - before for before, after in pairwise(cuts)]
    half = min([fade, *between]) // 2  # never are more than two spans blended
    fades = [(0, 0), *((cut - half, cut + half) for cut in cuts), (length, length)]
    return tuple(Span(start, start + side, *ends) for start, ends in zip(starts, pairwise(fades), strict=True))


def _rise(start: int, stop: int, low: int, high: int) -> np.ndarray:
    """0 before `low`, 1 from `high` on, in between without a kink; complements to 1 when it is mirrored."""
    places = np.arange(start, stop)
    if low == high:
        return (places >= low).astype(np.float32)
    t = np.clip((places + 0.5 - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
