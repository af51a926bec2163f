"""Parts that several networks share: normalisation, doubling of the size, and how weights start."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from tintype.recipe.schema import InitSpec, Norm


def norm_layer(kind: Norm, channels: int) -> nn.Module:
    """Normalisation over `n h w` (batch), over `h w` without learnt gain (instance), or none."""
    match kind:
        case "batch":
            return nn.BatchNorm2d(channels)
        case "instance":
            return nn.InstanceNorm2d(channels)
        case "none":
            return nn.Identity()


def needs_bias(norm: Norm) -> bool:
    """Whether a convolution before this normalisation has a bias: batch norm brings its own."""
    return norm != "batch"


def doubling(kind: Literal["transposed", "resize"], channels_in: int, channels_out: int, bias: bool) -> nn.Module:
    """A layer `n c h w -> n c' 2h 2w`; resize-convolution avoids checkerboards (Odena et al. 2016)."""
    match kind:
        case "transposed":
            return nn.ConvTranspose2d(channels_in, channels_out, kernel_size=4, stride=2, padding=1, bias=bias)
        case "resize":
            return nn.Sequential(
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=bias),
            )


@torch.no_grad()
def initialise(network: nn.Module, spec: InitSpec) -> None:
    """Draw all weights anew from torch's generator; biases become 0, batch-norm gains normal(1, 0.02)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            match spec.kind:
                case "normal":
                    nn.init.normal_(module.weight, 0.0, spec.gain)
                case "xavier":
                    nn.init.xavier_normal_(module.weight, gain=spec.gain)
                case "kaiming":
                    nn.init.kaiming_normal_(module.weight, a=0.0, mode="fan_in")
                case "orthogonal":
                    nn.init.orthogonal_(module.weight, gain=spec.gain)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
