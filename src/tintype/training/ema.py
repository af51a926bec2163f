"""Exponential moving average of a network's weights, which is what is validated and shipped."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Ema:
    """Follows a network; parameters and floating buffers are averaged, counters copied.

    The decay grows from 0.1 to its full value, min(decay, (1 + step) / (10 + step)), so that early averages do not
    hold on to the first random weights.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards `network` after step number `step` (from 1)."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        ours, theirs = self.network.state_dict(), network.state_dict()
        floating = [name for name, value in ours.items() if value.is_floating_point()]
        torch._foreach_lerp_([ours[name] for name in floating], [theirs[name] for name in floating], weight)
        for name in ours.keys() - floating:
            ours[name].copy_(theirs[name])
