"""Residual generator: halve the picture twice, refine it in residual blocks, double it back.

Johnson et al. 2016 in the form of Zhu et al. 2017 (CycleGAN): reflection padding at the borders and in the blocks, 7x7
convolutions at both ends, normalisation after every convolution but the last.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from tintype.networks.blocks import needs_bias, norm_layer, onto_few_channels
from tintype.networks.recompute import run_blocks, run_segment
from tintype.networks.strided import Halving, TransposedDoubling
from tintype.recipe.networks import Norm

LARGE_PX = 2**16
"""Pixels from which pictures of a batch are trained one by one on a CPU; see `ResNet.forward`."""


class ResidualBlock(nn.Module):
    """`n c h w -> n c h w`: the input plus two normalised 3x3 convolutions of it."""

    def __init__(self, channels: int, norm: Norm, dropout: float) -> None:
        super().__init__()
        bias = needs_bias(norm)
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm_layer(norm, channels),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout) if dropout > 0 else nn.Identity(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm_layer(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Refine a batch."""
        return x + self.layers(x)


class ResNet(nn.Module):
    """`n c h w -> n c' h w`, both in [-1, 1]; h and w multiples of 8.

    Four would do for the halvings, but a block cannot pad a single pixel by reflection.
    """

    encoder_parts = ("stem", "down", "blocks")

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        filters: int = 64,
        blocks: int = 9,
        norm: Norm = "instance",
        dropout: float = 0.0,
        upsample: Literal["transposed", "resize"] = "transposed",
    ) -> None:
        super().__init__()
        self.multiple_of = 8
        self.output_stride = 1
        self.recompute = False
        self.joins_pictures = norm == "batch"
        self.tiling: Literal["exact", "approximate"] = "approximate" if norm == "instance" else "exact"
        # 3 px of either 7x7 convolution; in between 3x3 ones at full, half (2 px) and quarter size (4 px)
        self.receptive_radius_px = 3 + 1 + 2 + 8 * blocks + 4 + 2 + 3
        bias = needs_bias(norm)

        def normalised(layer: nn.Module, channels: int) -> nn.Sequential:
            return nn.Sequential(layer, norm_layer(norm, channels), nn.ReLU(inplace=True))

        self.stem = nn.Sequential(
            nn.ReflectionPad2d(3), normalised(nn.Conv2d(channels_in, filters, 7, bias=bias), filters)
        )
        self.down = nn.Sequential(
            *(normalised(Halving(width, 2 * width, bias), 2 * width) for width in (filters, 2 * filters))
        )
        self.blocks = nn.Sequential(*(ResidualBlock(4 * filters, norm, dropout) for _ in range(blocks)))
        self.up = nn.Sequential(
            *(normalised(_doubling(upsample, width, bias), width // 2) for width in (4 * filters, 2 * filters))
        )
        self.head = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(filters, channels_out, 7), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        """Translate a batch in model space.

        On a CPU, where gradients are wanted and nothing joins the pictures, large ones go through one by one: the
        activations of one stay in the processor's cache, and larger products gain nothing.
        """
        pixels = x.shape[2] * x.shape[3]
        one_by_one = not self.joins_pictures and x.device.type == "cpu" and torch.is_grad_enabled()
        if one_by_one and len(x) > 1 and pixels >= LARGE_PX:
            return torch.cat([self._translate(picture) for picture in x.split(1)])
        return self._translate(x)

    def _translate(self, x: Tensor) -> Tensor:
        x = run_segment(self, lambda x: self.down(self.stem(x)), x)
        x = run_blocks(self, self.blocks, x)
        return run_segment(self, self._enlarge, x)

    def _enlarge(self, x: Tensor) -> Tensor:
        pad, convolution, squash = self.head
        assert isinstance(convolution, nn.Conv2d)
        return squash(onto_few_channels(convolution, pad(self.up(x))))


def _doubling(kind: Literal["transposed", "resize"], channels: int, bias: bool) -> nn.Module:
    """`n c h w -> n c/2 2h 2w`; the transposed form has 3x3 weights here."""
    match kind:
        case "transposed":
            return TransposedDoubling(channels, channels // 2, bias)
        case "resize":
            return nn.Sequential(
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv2d(channels, channels // 2, 3, padding=1, bias=bias),
            )
