"""Chroma that a network is told at a few places of a training sample, so that it learns to spread it.

After the local hints of Zhang et al. 2017, "Real-time user-guided image colorization with learned deep priors": small
squares that show their mean chroma, in numbers drawn from a geometric distribution; now and then all of it. What is
revealed follows from the generator of random numbers that belongs to a sample, so it is the same every time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tintype.image.codec import LabSpace
from tintype.recipe.data import HintsSpec
from tintype.recipe.schema import Recipe

_STREAM = 2**44  # beyond the numbers of samples, of orders of an epoch, and of all else that is drawn for a sample


@dataclass(frozen=True, slots=True)
class Revealed:
    """What of a picture is shown: nothing, all, or squares.

    Attributes:
        squares: Top, left and side of each in pixels, int64 `k 3`; a later one covers those before it.
    """

    kind: Literal["nothing", "all", "squares"]
    squares: np.ndarray


def hints_of(recipe: Recipe) -> HintsSpec | None:
    """What the recipe's network is told of its targets; None: nothing."""
    return recipe.data.hints if recipe.data.kind == "colour" and recipe.data.hints.any else None


def hint_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The source of what is revealed of one training sample; apart from that of its placement."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch, index, _STREAM))))


def draw_revealed(spec: HintsSpec, height: int, width: int, random: np.random.Generator) -> Revealed:
    """Which parts of a picture of this size are shown."""
    nothing = np.empty((0, 3), np.int64)
    share = random.random()
    if share < spec.none:
        return Revealed("nothing", nothing)
    if share < spec.none + spec.whole:
        return Revealed("all", nothing)
    count = random.geometric(1 / spec.mean)
    sides = random.integers(1, spec.largest + 1, count)
    down, across = random.random((2, count))
    top, left = down * (height - sides + 1), across * (width - sides + 1)
    return Revealed("squares", np.stack([top.astype(np.int64), left.astype(np.int64), sides], axis=1))


def hints_from(targets: Tensor, codec: LabSpace, spec: HintsSpec, generators: Iterable[np.random.Generator]) -> Tensor:
    """What a network is told of pictures in display space, `n 3 h w`: the input `hints` of the same size, `n 3 h w`.

    Its channels are a* and b* in model space, and a mask that is 1 where they are known; elsewhere all are 0.
    """
    height, width = targets.shape[2:]
    revealed = [draw_revealed(spec, height, width, random) for random in generators]
    squares = np.concatenate([one.squares for one in revealed])
    pictures = np.repeat(np.arange(len(revealed)), [len(one.squares) for one in revealed])
    shown = np.zeros((len(revealed), height, width), np.int64)  # at each pixel the number of the square on top, from 1
    for number, (picture, (top, left, side)) in enumerate(zip(pictures, squares, strict=True), start=1):
        shown[picture, top : top + side, left : left + side] = number
    means = torch.cat([torch.zeros(3, 1).to(targets), _means(targets, codec, pictures, squares, spec.largest)], dim=1)
    hints = means[:, torch.from_numpy(shown).to(targets.device)].transpose(0, 1).contiguous()
    for place, one in enumerate(revealed):
        if one.kind == "all":
            hints[place, :2] = codec.encode_chroma(targets[place])
            hints[place, 2] = 1
    return hints


def _means(targets: Tensor, codec: LabSpace, pictures: np.ndarray, squares: np.ndarray, largest: int) -> Tensor:
    """Mean chroma of squares, and the 1 of their mask: `3 k`."""
    height, width = targets.shape[2:]
    down, across = np.divmod(np.arange(largest**2), largest)  # each is cut as if it were of the largest size
    top, left, side = squares.T[:, :, None]
    places = np.minimum(top + down, height - 1) * width + np.minimum(left + across, width - 1)
    places += pictures[:, None] * height * width
    weights = ((down < side) & (across < side)) / side**2
    pixels = targets.permute(0, 2, 3, 1).reshape(-1, 3)[torch.from_numpy(places).to(targets.device)]
    chroma = codec.encode_chroma(pixels.permute(2, 0, 1)) * torch.from_numpy(weights).to(targets)
    means = chroma.sum(dim=-1)
    return torch.cat([means, torch.ones_like(means[:1])])
