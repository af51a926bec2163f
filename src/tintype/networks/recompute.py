"""Activation checkpointing: parts of a network keep only their inputs and compute the rest again (Chen et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from types import TracebackType
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

T = TypeVar("T", Tensor, tuple[Tensor, ...])

BLOCKS = 3
"""Residual blocks in a segment: as large, computed again, as either end of a residual generator."""


def run_segment(network: nn.Module, segment: Callable[..., T], *inputs: Tensor) -> T:
    """`segment(*inputs)`, a part of `network`; where that recomputes, only the inputs are kept for the backward pass.

    The second pass draws the same dropout and leaves the running statistics of batch norm alone. A segment must not
    change its inputs in place.
    """
    if not (network.recompute and torch.is_grad_enabled()):
        return segment(*inputs)
    result: T = checkpoint(
        segment, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), _HeldStatistics(network))
    )
    return result


def run_blocks(network: nn.Module, blocks: nn.Sequential, x: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
    """Residual blocks one after the other, in segments of a few: all, or those from `start` to before `stop`."""
    stop = len(blocks) if stop is None else stop
    for first in range(start, stop, BLOCKS):
        x = run_segment(network, blocks[first : min(first + BLOCKS, stop)], x)
    return x


class _HeldStatistics:
    """While it is entered, batch norm updates copies of its running statistics; it may be entered again."""

    def __init__(self, network: nn.Module) -> None:
        self._statistics = [
            (module, name, buffer)
            for module in network.modules()
            if isinstance(module, nn.BatchNorm2d)
            for name, buffer in module.named_buffers()
        ]

    def __enter__(self) -> None:
        for module, name, buffer in self._statistics:
            setattr(module, name, buffer.clone())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for module, name, buffer in self._statistics:
            setattr(module, name, buffer)
