"""Damage to source pictures, which a network may learn to restore: patches that are missing, and noise.

Learning to fill in what is missing asks for no labels (denoising: Vincent et al. 2008; missing regions: Pathak et al.
2016). What is lost follows from the generator of random numbers that belongs to a sample, so it is the same every time.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from tintype.recipe.data import DamageSpec
from tintype.recipe.schema import Recipe

_HOLE = 0.5
_STREAM = 2**41  # beyond the numbers of samples and of orders of an epoch; see `transform.epoch_order`


def damage_of(recipe: Recipe) -> DamageSpec | None:
    """What the recipe's sources lose; None: nothing."""
    return recipe.data.damage if recipe.data.kind == "colour" and recipe.data.damage.any else None


def damaged(pictures: Tensor, spec: DamageSpec, generators: Iterable[np.random.Generator]) -> Tensor:
    """Pictures `n c h w` in display space as a network sees them, each with losses of its own."""
    height, width = pictures.shape[2:]
    losses = [_loss(spec, height, width, random) for random in generators]
    holes, noise = (torch.from_numpy(np.stack(parts)).to(pictures) for parts in zip(*losses, strict=True))
    return (pictures + spec.noise * noise).clamp(0, 1).lerp(torch.full_like(pictures, _HOLE), holes)


def picture_generator(sha256: str) -> np.random.Generator:
    """The source of the losses of a picture that is judged: its own content, so that they are the same in every run."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((_STREAM, int(sha256[:16], 16)))))


def damage_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The source of the losses of one training sample; apart from that of its placement."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch, index, _STREAM))))


def _loss(spec: DamageSpec, height: int, width: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Where there are holes (1) and the noise around them, both float32 `1 h w`, the latter of deviation 1."""
    patch = spec.patch
    top, left = random.integers(patch, size=2)
    cells = random.random((-(-height // patch) + 1, -(-width // patch) + 1)) < spec.mask
    holes = np.kron(cells, np.ones((patch, patch), np.float32))[top : top + height, left : left + width]
    noise = random.standard_normal((1, height, width), np.float32) if spec.noise else np.zeros((1, 1, 1), np.float32)
    return holes.astype(np.float32)[None], noise
