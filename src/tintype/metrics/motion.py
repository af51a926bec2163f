"""How clips move, beside real ones and beside a still picture, and the single pictures in them.

Clips are display arrays `n h w t`: grey, their frames where pictures have their channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tintype.image.place import placed

_MASS = 1e-6
"""Added to all brightness, so that a black frame has its centre in the middle."""

_OUTSIDE = 0.01
"""Part of the brightness that may lie beyond each end of what moves."""


@dataclass(frozen=True, slots=True)
class MotionRow:
    """How a set of clips moves; all are means over its clips.

    Attributes:
        name: Whose: "model", "real" or "still".
        clips: How many.
        change: Mean absolute difference between the pixels of a frame and the next one, of a range of 1.
        speed: Pixels a frame that the centre of brightness moves.
        speed_spread: Standard deviation of that over the clips.
        turning: Pixels that the velocity of that centre changes by from frame to frame: 0 on a straight line.
        deforming: `change` of the picture that is followed, so that motion itself has no part in it.
    """

    name: str
    clips: int
    change: float
    speed: float
    speed_spread: float
    turning: float
    deforming: float


def motion_row(name: str, clips: np.ndarray, side: int) -> MotionRow:
    """Figures of clips `n h w t` in which pictures of `side` pixels move, three frames or more for `turning`."""
    where = centres(clips)
    velocity = np.diff(where, axis=1)
    speeds = np.linalg.norm(velocity, axis=2).mean(axis=1)
    turns = np.linalg.norm(np.diff(velocity, axis=1), axis=2)
    return MotionRow(
        name,
        len(clips),
        change=float(np.abs(np.diff(clips, axis=3)).mean()),
        speed=float(speeds.mean()),
        speed_spread=float(speeds.std()),
        turning=float(turns.mean()) if turns.size else 0.0,
        deforming=float(np.abs(np.diff(followed(clips, side), axis=3)).mean()),
    )


def stopped(clips: np.ndarray) -> np.ndarray:
    """The first frame of each clip `n h w t`, for all of its length."""
    return np.repeat(clips[..., :1], clips.shape[3], axis=3)


def followed(clips: np.ndarray, side: int) -> np.ndarray:
    """What moves in clips `n h w t`, cut out of each frame around its middle: `n side side t`."""
    corners = (side - 1) / 2 - np.stack([_middle(clips, axis) for axis in (1, 2)], axis=2)
    return placed(clips.transpose(0, 3, 1, 2), corners.astype(np.float32), side).transpose(0, 2, 3, 1)


def stills(clips: np.ndarray, side: int) -> np.ndarray:
    """One picture of each clip `n h w t`, followed: `n side side 1`; the first clips give first frames, the last last.

    Several frames of a clip are hardly more pictures than one, and would be counted as such. Where classes come in
    turn, each has its share of all frames.
    """
    number = np.arange(len(clips)) * clips.shape[3] // len(clips)
    return followed(np.take_along_axis(clips, number[:, None, None, None], axis=3), side)


def centres(clips: np.ndarray) -> np.ndarray:
    """Centre of brightness (y, x) of each frame of clips `n h w t` in pixels: `n t 2`."""
    shares = [_shares(clips, axis) for axis in (1, 2)]
    return np.stack([np.einsum("nlt,l->nt", share, np.arange(share.shape[1])) for share in shares], axis=2)


def _middle(clips: np.ndarray, axis: int) -> np.ndarray:
    """Half way between the ends of what is bright along an axis, `n t`: that is the middle of a centred picture."""
    upto = np.cumsum(_shares(clips, axis), axis=1)
    ends = []
    for share in (_OUTSIDE, 1 - _OUTSIDE):
        last = (upto > share).argmax(axis=1)[:, None]
        after = np.take_along_axis(upto, last, axis=1)
        before = np.where(last > 0, np.take_along_axis(upto, np.maximum(last - 1, 0), axis=1), 0.0)
        ends.append((last - (after - share) / (after - before))[:, 0])
    return (ends[0] + ends[1] + 1) / 2  # they count from the end of a pixel, half a pixel after its centre


def _shares(clips: np.ndarray, axis: int) -> np.ndarray:
    """How the brightness of each frame of clips `n h w t` is shared out along one axis of it: `n l t`."""
    mass = (np.asarray(clips, dtype=np.float64) + _MASS).sum(axis=3 - axis)
    return mass / mass.sum(axis=1, keepdims=True)
