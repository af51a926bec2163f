"""Steps of a method on made pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from tintype.methods import Batch, Method


def unpaired_batch(step: int = 0, count: int = 2, side: int = 16) -> Batch:
    """Noise of two domains, `count 3 side side` each, another for each step."""
    random = torch.Generator().manual_seed(step + 1)
    a, b = (torch.rand(count, 3, side, side, generator=random) * 2 - 1 for _ in range(2))
    return Batch(a, b, step)


def terms_and_gradients(method: Method, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What all phases pay for a batch, and the gradients of their sum by the name of the weight."""
    out = method.forward(batch)
    terms = [method.loss(phase.name, batch, out) for phase in method.phases]
    torch.stack([value for phase in terms for value in phase.values()]).sum().backward()
    gradients = {name: p.grad.clone() for name, p in method.networks.named_parameters() if p.grad is not None}
    return {name: value.detach() for phase in terms for name, value in phase.items()}, gradients
