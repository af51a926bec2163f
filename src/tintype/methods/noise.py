"""Noise for generators that take any: what a step draws follows from (seed, step), however many train."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype.methods.method import Batch, Peers

_STREAM = 2**42
"""Apart from all else that is drawn from the same seed."""


def draw_noise(
    batch: Batch, latent: int, seed: int, peers: Peers | None = None, *, times: int = 1, which: int = 0
) -> Tensor:
    """Standard normal noise for the pictures of a batch, `times n latent`, where they lie.

    Args:
        batch: This process's share.
        latent: Size of a noise vector.
        seed: The recipe's.
        peers: The processes, if there are several.
        times: Noise vectors for each picture.
        which: Tells draws of one step apart.
    """
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, _STREAM, batch.step, which))))
    count = len(batch.target)
    last = count * (peers.rank + 1 if peers else 1)
    drawn = random.standard_normal((last, times, latent), dtype=np.float32)[last - count :]
    return torch.from_numpy(drawn).transpose(0, 1).contiguous().to(batch.target.device)


@torch.no_grad()
def nearest_noise(generator: nn.Module, batch: Batch, candidates: Tensor) -> Tensor:
    """Of several noise vectors for each source the one whose result is nearest to the target by mean absolute error.

    Conditional implicit maximum likelihood (Li et al. 2020): where only that one learns, every target has a noise that
    makes it, and results spread as far as targets do.

    Args:
        generator: Run without dropout, so that the choice is that of the noise.
        batch: Sources and targets.
        candidates: `k n latent`.

    Returns:
        `n latent`.
    """
    modes = [(part, part.training) for part in generator.modules()]
    generator.eval()
    distances = torch.stack(
        [
            (generator(batch.source, z, **batch.told) - batch.target).abs().mean((1, 2, 3), dtype=torch.float32)
            for z in candidates
        ]
    )
    for part, training in modes:  # one by one, for a frozen encoder evaluates while the rest trains
        part.training = training
    return candidates[distances.argmin(dim=0), torch.arange(candidates.shape[1], device=candidates.device)]


def latent_loss(encoder: nn.Module, made: Tensor, noise: Tensor) -> Tensor:
    """Mean absolute error of the noise that an encoder tells from what was made with it."""
    return F.l1_loss(encoder(made), noise)
