"""3x3 convolutions that halve or double a picture, with weights whose gradient is quick on a CPU.

There, where gradients are wanted, the gradient of the weights is taken phase by phase: the routines for strides take up
to three times as long for it. Both ways agree within float rounding; elsewhere these are torch's own layers.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight

Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]


class Halving(nn.Conv2d):
    """A convolution of stride 2 and padding 1: `n c h w -> n c' h/2 w/2`."""

    def __init__(self, channels_in: int, channels_out: int, bias: bool) -> None:
        super().__init__(channels_in, channels_out, 3, stride=2, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Halve height and width."""
        if x.shape[2] % 2 or x.shape[3] % 2 or not _pays(x):
            return super().forward(x)
        return _Halved.apply(x, self.weight, self.bias)  # type: ignore[no-any-return, no-untyped-call]


class TransposedDoubling(nn.ConvTranspose2d):
    """The transposed convolution of `Halving`: `n c h w -> n c' 2h 2w`."""

    def __init__(self, channels_in: int, channels_out: int, bias: bool) -> None:
        super().__init__(channels_in, channels_out, 3, stride=2, padding=1, output_padding=1, bias=bias)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Double height and width."""
        if not _pays(x):
            return super().forward(x, output_size)
        return _Doubled.apply(x, self.weight, self.bias)  # type: ignore[no-any-return, no-untyped-call]


def _pays(x: Tensor) -> bool:
    return x.device.type == "cpu" and torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")


def _keep(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:  # noqa: ANN401
    ctx.save_for_backward(*inputs[:2])  # picture and weights


class _Halved(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.conv2d(x, weight, bias, stride=2, padding=1)

    setup_context = staticmethod(_keep)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Gradients:  # noqa: ANN401
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        d_x = F.conv_transpose2d(upstream, weight, stride=2, padding=1, output_padding=1) if for_x else None
        d_weight = _weight_gradient(x, upstream, weight) if for_weight else None
        return d_x, d_weight, upstream.sum((0, 2, 3)) if for_bias else None


class _Doubled(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.conv_transpose2d(x, weight, bias, stride=2, padding=1, output_padding=1)

    setup_context = staticmethod(_keep)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Gradients:  # noqa: ANN401
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        d_x = F.conv2d(upstream, weight, stride=2, padding=1) if for_x else None
        d_weight = _weight_gradient(upstream, x, weight) if for_weight else None
        return d_x, d_weight, upstream.sum((0, 2, 3)) if for_bias else None


def _weight_gradient(large: Tensor, small: Tensor, weight: Tensor) -> Tensor:
    """Gradient of the weights `small's channels, large's channels, 3 3` between the two sides of a convolution.

    Every second pixel of the larger side, in either direction, meets the same taps of the kernel, so that each of the
    four sets of pixels is a dense convolution with its taps.
    """
    height, width = small.shape[2:]
    padded, d_weight = F.pad(large, (1, 1, 1, 1)), torch.empty_like(weight)
    for row in (0, 1):
        for column in (0, 1):
            taps = weight[:, :, row::2, column::2]
            pixels = padded[:, :, row::2, column::2][:, :, : height + 1 - row, : width + 1 - column]
            pixels = pixels.contiguous(memory_format=torch.channels_last)
            d_weight[:, :, row::2, column::2] = conv2d_weight(pixels, list(taps.shape), small)
    return d_weight
