"""What is set on the machine before training: how memory is kept, and how networks are laid out in it."""

from __future__ import annotations

import ctypes
import sys

import torch
from torch import nn

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h of the GNU C library

_LARGE_WEIGHTS = 2**20
"""Convolution weights with more elements than this keep their own layout."""


def keep_memory() -> None:
    """Let the C library keep freed memory for the next step instead of returning it to the system.

    Otherwise every step maps, and the system clears, all of its activations anew: about a tenth of a step on a CPU.
    It has no effect where the C library is another one.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 2**30)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 2**28)


def lay_out_channels_last(network: nn.Module, device: torch.device) -> None:
    """Lay out a network so that its activations are channels-last.

    Activations follow the small weights of the first layers. On a CPU large weights stay as they are, since the
    optimiser would copy each of their gradients at every step.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and (
            device.type != "cpu" or module.weight.numel() <= _LARGE_WEIGHTS
        ):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from torch's stubs
