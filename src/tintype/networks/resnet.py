"""Residual generator: halve the picture twice, refine it in residual blocks, double it back.

Johnson et al. 2016 in the form of Zhu et al. 2017 (CycleGAN): reflection padding at the borders and in the blocks, 7x7
convolutions at both ends, normalisation after every convolution but the last.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from tintype.networks.blocks import needs_bias, onto_few_channels
from tintype.networks.conditional import Styled, conditional_norm
from tintype.networks.recompute import run_blocks, run_segment
from tintype.networks.strided import Halving, TransposedDoubling
from tintype.recipe.networks import Norm

LARGE_PX = 2**16
"""Pixels from which pictures of a batch are trained one by one on a CPU; see `ResNet.forward`."""


class ResidualBlock(nn.Module):
    """`n c h w -> n c h w`: the input plus two normalised 3x3 convolutions of it; with `latent` it takes noise."""

    takes_noise = True

    def __init__(self, channels: int, norm: Norm, dropout: float, latent: int = 0) -> None:
        super().__init__()
        bias = needs_bias(norm)
        self.layers = Styled(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            conditional_norm(norm, channels, latent),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout) if dropout > 0 else nn.Identity(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            conditional_norm(norm, channels, latent),
        )

    def forward(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        """Refine a batch."""
        return x + self.layers(x, z)


class ResNet(nn.Module):
    """`n c h w -> n c' h w`, both in [-1, 1]; h and w multiples of 8.

    Four would do for the halvings, but a block cannot pad a single pixel by reflection. With `latent` it also takes
    noise `n latent`.
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
        latent: int = 0,
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

        def normalised(layer: nn.Module, channels: int) -> Styled:
            return Styled(layer, conditional_norm(norm, channels, latent), nn.ReLU(inplace=True))

        self.stem = Styled(nn.ReflectionPad2d(3), normalised(nn.Conv2d(channels_in, filters, 7, bias=bias), filters))
        self.down = Styled(
            *(normalised(Halving(width, 2 * width, bias), 2 * width) for width in (filters, 2 * filters))
        )
        self.blocks = Styled(*(ResidualBlock(4 * filters, norm, dropout, latent) for _ in range(blocks)))
        self.encoder_blocks = max(1, blocks // 2)
        self.map_channels = (2 * filters, *(4 * filters for _ in range(2 + (self.encoder_blocks > 1))))
        self.up = Styled(
            *(normalised(_doubling(upsample, width, bias), width // 2) for width in (4 * filters, 2 * filters))
        )
        self.head = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(filters, channels_out, 7), nn.Tanh())

    def forward(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        """Translate a batch in model space; with `latent`, by the noise z, `n latent`.

        On a CPU, where gradients are wanted and nothing joins the pictures, large ones go through one by one: the
        activations of one stay in the processor's cache, and larger products gain nothing.
        """
        pixels = x.shape[2] * x.shape[3]
        one_by_one = not self.joins_pictures and x.device.type == "cpu" and torch.is_grad_enabled()
        if one_by_one and len(x) > 1 and pixels >= LARGE_PX:
            noise = [None] * len(x) if z is None else z.split(1)
            return torch.cat([self._translate(*one) for one in zip(x.split(1), noise, strict=True)])
        return self._translate(x, z)

    def encode(self, x: Tensor, z: Tensor | None = None) -> tuple[Tensor, ...]:
        """The first half of the network: maps of `map_channels`, which end in the one that `decode` goes on from.

        They are those after each halving, after the first block, and after half of the blocks.
        """
        half, quarter = run_segment(self, self._reduce, x, z)
        first = run_blocks(self, self.blocks, quarter, z, stop=1)
        if self.encoder_blocks == 1:
            return half, quarter, first
        return half, quarter, first, run_blocks(self, self.blocks, first, z, start=1, stop=self.encoder_blocks)

    def decode(self, *maps: Tensor, z: Tensor | None = None) -> Tensor:
        """The second half, from the last of the maps that `encode` gives."""
        x = run_blocks(self, self.blocks, maps[-1], z, start=self.encoder_blocks)
        return run_segment(self, self._enlarge, x, z)

    def _translate(self, x: Tensor, z: Tensor | None) -> Tensor:
        return self.decode(self.encode(x, z)[-1], z=z)

    def _reduce(self, x: Tensor, z: Tensor | None) -> tuple[Tensor, ...]:
        half = self.down[0](self.stem(x, z), z)
        return half, self.down[1](half, z)

    def _enlarge(self, x: Tensor, z: Tensor | None) -> Tensor:
        pad, convolution, squash = self.head
        assert isinstance(convolution, nn.Conv2d)
        return squash(onto_few_channels(convolution, pad(self.up(x, z))))


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
