"""Batch normalisation over the pictures of all processes, as one process with the whole batch would do it.

torch's own refuses CPUs; this one runs on every device.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from tintype.training.processes import together


def join_batch_norm(network: nn.Module) -> None:
    """Let the batch norm of a network span all processes while it trains; its parameters and their names stay."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.__class__ = JoinedBatchNorm  # same parameters, buffers and settings, another `forward`


class JoinedBatchNorm(nn.BatchNorm2d):
    """Batch norm whose statistics in training are those of the shares of all processes, which must be equally large."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise `n c h w`; in evaluation without asking anybody."""
        if not self.training:
            return super().forward(input)
        x = input.float()
        mean = _mean_of_all(x.mean((0, 2, 3)))
        centred = x - mean[:, None, None]
        variance = _mean_of_all(centred.square().mean((0, 2, 3)))
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            count = x.numel() // x.shape[1] * dist.get_world_size()
            assert self.momentum is not None  # no network here averages without one
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
                self.num_batches_tracked += 1
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(input.dtype)


def _mean_of_all(values: Tensor) -> Tensor:
    return _Sum.apply(values) / dist.get_world_size()  # type: ignore[no-untyped-call]


class _Sum(torch.autograd.Function):
    """Sum over processes; the gradient of each summand is the sum of what all processes make of it."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ANN401
        """Add up."""
        total = values.clone(memory_format=torch.contiguous_format)
        with together():
            dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]  # noqa: ANN401
        """Add up gradients; differentiable itself."""
        return _Sum.apply(gradient)  # type: ignore[no-untyped-call, no-any-return]
