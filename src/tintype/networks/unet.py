"""U-Net generator: halve the picture `levels` times, double it back, and join equal sizes by skip connections.

Ronneberger et al. 2015 in the form of Isola et al. 2017 (pix2pix): 4x4 strided convolutions, pre-activation order,
dropout in the middle blocks of the decoder. Residual blocks may refine the innermost map. With `output_stride` above 1
the decoder stops early, so that chroma can be predicted at a lower size than the luminance it is predicted from.
Hints enter beside the picture, through a convolution of their own.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype.networks.blocks import doubling, needs_bias
from tintype.networks.conditional import Styled, conditional_norm
from tintype.networks.recompute import run_blocks, run_segment
from tintype.networks.resnet import ResidualBlock
from tintype.recipe.networks import Norm


class HintsConv(nn.Module):
    """What hints `n 3 H W` add to the first map of a `UNet`, `n c H/2 W/2`.

    Its weights begin at 0: a network that learnt without hints goes on with them where it was.
    """

    def __init__(self, channels_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels_out, 3, 4, 4))  # no layer that `initialise` would draw anew

    def forward(self, hints: Tensor) -> Tensor:
        """As the first convolution goes over the picture."""
        return F.conv2d(hints, self.weight, stride=2, padding=1)


def level_channels(filters: int, level: int) -> int:
    """Channels after the convolution of a level: doubled each time, at most 8 times the first."""
    return filters * min(2**level, 8)


class UNet(nn.Module):
    """`n c H W -> n c' H/output_stride W/output_stride`, both in [-1, 1]; H and W multiples of `multiple_of`.

    That is 2**levels, and twice as much with residual blocks, which cannot pad a single pixel by reflection. With
    `latent` it also takes noise `n latent`, with `hints` also known chroma `n 3 H W`.
    """

    encoder_parts = ("down", "bottleneck")

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        filters: int = 64,
        levels: int = 8,
        bottleneck_blocks: int = 0,
        norm: Norm = "batch",
        dropout: float = 0.5,
        upsample: Literal["transposed", "resize"] = "transposed",
        output_stride: int = 1,
        latent: int = 0,
        hints: bool = False,
    ) -> None:
        super().__init__()
        last = output_stride.bit_length() - 1
        if output_stride != 2**last or last >= levels:
            raise ValueError(f"output_stride {output_stride} must be a power of two below 2**levels = {2**levels}")
        self._last = last
        self.multiple_of = 2 ** (levels + (bottleneck_blocks > 0))
        self.output_stride = output_stride
        self.map_channels = tuple(level_channels(filters, level) for level in range(last, levels))
        self.recompute = False
        self.tiling: Literal["exact", "approximate"] = "approximate" if norm == "instance" else "exact"
        self.receptive_radius_px = _receptive_radius(levels, last, bottleneck_blocks)

        bias = needs_bias(norm)
        self.down = nn.ModuleList()
        for level in range(levels):
            edge = level in (0, levels - 1)  # the outermost sees raw values, the innermost may be a single pixel
            self.down.append(
                Styled(
                    nn.Identity() if level == 0 else nn.LeakyReLU(0.2, inplace=True),
                    nn.Conv2d(
                        channels_in if level == 0 else level_channels(filters, level - 1),
                        level_channels(filters, level),
                        kernel_size=4,
                        stride=2,
                        padding=1,
                        bias=bias,
                    ),
                    nn.Identity() if edge else conditional_norm(norm, level_channels(filters, level), latent),
                )
            )

        self.hints = HintsConv(level_channels(filters, 0)) if hints else None

        innermost = level_channels(filters, levels - 1)
        self.bottleneck = Styled(*(ResidualBlock(innermost, norm, 0.0, latent) for _ in range(bottleneck_blocks)))

        first_middle = max(1, min(4, levels - 2))
        self.up = nn.ModuleDict()
        for level in range(levels - 1, last - 1, -1):
            joined = level < levels - 1  # with the skip: a tensor of its own, which may be changed in place
            activation = nn.ReLU(inplace=joined)
            channels = level_channels(filters, level) * (2 if joined else 1)
            if level == last:
                self.up[str(level)] = Styled(
                    activation, doubling(upsample, channels, channels_out, bias=True), nn.Tanh()
                )
                continue
            below = level_channels(filters, level - 1)
            middle = first_middle <= level <= levels - 2 and dropout > 0
            self.up[str(level)] = Styled(
                activation,
                doubling(upsample, channels, below, bias=bias),
                conditional_norm(norm, below, latent),
                nn.Dropout(dropout) if middle else nn.Identity(),
            )

    def forward(self, x: Tensor, z: Tensor | None = None, hints: Tensor | None = None) -> Tensor:
        """Translate a batch in model space; with `latent`, by noise z, `n latent`; hints that are absent are zeros."""
        return self.decode(*self.encode(x, z, hints), z=z)

    def encode(self, x: Tensor, z: Tensor | None = None, hints: Tensor | None = None) -> tuple[Tensor, ...]:
        """The way down: the maps of `map_channels` that `decode` joins, and the innermost one last."""
        *skips, x = run_segment(self, self._encode, x, z, hints)
        return *skips, run_blocks(self, self.bottleneck, x, z)

    def decode(self, *maps: Tensor, z: Tensor | None = None) -> Tensor:
        """The way up, from what `encode` gives."""
        *skips, x = maps
        return run_segment(self, self._decode, x, z, *skips)

    def _encode(self, x: Tensor, z: Tensor | None, hints: Tensor | None) -> tuple[Tensor, ...]:
        """The maps that the decoder joins, and the innermost one last."""
        # The in-place LeakyReLU of the next block changes a kept skip too, to no effect: it is read through a ReLU.
        maps: list[Tensor] = []
        for block in self.down:
            x = block(x, z)
            if not maps and self.hints is not None and hints is not None:
                x = x + self.hints(hints)
            maps.append(x)
        return tuple(maps[self._last :])

    def _decode(self, x: Tensor, z: Tensor | None, *skips: Tensor) -> Tensor:
        for place, block in enumerate(self.up.values()):
            x = block(x if place == 0 else torch.cat([skips[-place], x], dim=1), z)
        return x


def _receptive_radius(levels: int, last: int, blocks: int) -> int:
    """Input pixels on either side of an output pixel (2**last input pixels wide) that can change it."""
    radius = 0
    for output in range(2 ** (levels - last)):
        low = high = output
        for _ in range(levels - last):  # either way of doubling: output o looks at inputs (o - 1) // 2 to (o + 1) // 2
            low, high = (low - 1) // 2, (high + 1) // 2
        low, high = low - 2 * blocks, high + 2 * blocks  # two 3x3 convolutions in each
        for _ in range(levels):  # 4x4 convolution, stride 2, padding 1: output o looks at inputs 2o - 1 to 2o + 2
            low, high = 2 * low - 1, 2 * high + 2
        radius = max(radius, output * 2**last - low, high - (output + 1) * 2**last + 1)
    return radius
