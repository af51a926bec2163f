"""Clips made of still pictures: each moves straight on over black and is thrown back by the borders.

Moving MNIST (Srivastava, Mansimov & Salakhutdinov 2015) with one picture to a clip. Where it starts and its direction
follow from the generator of random numbers that belongs to a sample, so a clip is the same every time.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from tintype.image.place import placed
from tintype.recipe.data import MotionSpec
from tintype.recipe.schema import Recipe

_STREAM = 2**43
"""Apart from all else that is drawn for a sample; see `transform.epoch_order` and `damage`."""


def motion_of(recipe: Recipe) -> MotionSpec | None:
    """How the recipe's pictures move; None: they are still."""
    return recipe.data.motion if recipe.data.kind == "labelled" else None


def moving(pictures: Tensor, spec: MotionSpec, size: int, generators: Iterable[np.random.Generator]) -> Tensor:
    """Clips `n t size size` of grey pictures `n 1 side side`, both in display space."""
    corners = torch.from_numpy(np.stack([path(spec, size, random) for random in generators])).to(pictures)
    return placed(pictures.expand(-1, spec.frames, -1, -1), corners, size)


def path(spec: MotionSpec, size: int, random: np.random.Generator) -> np.ndarray:
    """Where the upper left pixel of a picture lies in each frame, (y, x) in pixels, float64 `t 2`."""
    room = size - spec.side
    start, angle = random.uniform(0, room, 2), random.uniform(0, 2 * np.pi)
    steps = np.arange(spec.frames)[:, None] * spec.speed
    free = start + steps * np.array([np.sin(angle), np.cos(angle)])
    return room - np.abs(free % (2 * room) - room)


def clip_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The source of the motion of one training sample; apart from that of its placement."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch, index, _STREAM))))


def judged_generator(sha256: str) -> np.random.Generator:
    """The source of the motion of a picture that is judged: its own content, so that it is the same in every run."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((_STREAM, int(sha256[:16], 16)))))
