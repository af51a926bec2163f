"""Residual generator that enlarges: blocks at the size of the small picture, then pixel shuffles (Ledig et al. 2017).

Without normalisation it is that of Lim et al. 2017 (EDSR, the small form). Convolutions pad with zeros, as published.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype.networks.blocks import needs_bias, norm_layer
from tintype.networks.recompute import run_blocks, run_segment
from tintype.recipe.network_parts import Norm

Activation = Literal["relu", "prelu"]
Upsample = Literal["direct", "shuffle", "resize"]


class SrBlock(nn.Module):
    """`n c h w -> n c h w`: the input plus two 3x3 convolutions of it, with one activation in between."""

    def __init__(self, channels: int, norm: Norm, activation: Activation) -> None:
        super().__init__()
        bias = needs_bias(norm)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=bias),
            norm_layer(norm, channels),
            activation_layer(activation),
            nn.Conv2d(channels, channels, 3, padding=1, bias=bias),
            norm_layer(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Refine a batch."""
        return x + self.layers(x)


class SrResNet(nn.Module):
    """`n c h w -> n c' h*scale w*scale`, both in [-1, 1] but for what overshoots; any h and w.

    Args:
        channels_in: Of the small picture.
        channels_out: Of the large one; as many, where there is a bicubic skip.
        scale: 2, 3, 4 or 8.
        filters: Channels of every layer.
        blocks: Residual blocks.
        norm: Normalisation after convolutions.
        activation: In the blocks and between the enlarging layers.
        end_kernel: Side of the kernels at both ends.
        upsample: See the recipe.
        skip: "bicubic": what the layers make is added to the picture enlarged so.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        scale: int = 4,
        filters: int = 64,
        blocks: int = 16,
        norm: Norm = "none",
        activation: Activation = "relu",
        end_kernel: int = 3,
        upsample: Upsample = "shuffle",
        skip: Literal["bicubic", "none"] = "bicubic",
    ) -> None:
        super().__init__()
        self.output_stride = 1
        self.multiple_of = 2 if norm == "instance" else 1
        self.recompute = False
        self.tiling: Literal["exact", "approximate"] = "approximate" if norm == "instance" else "exact"
        margin = end_kernel // 2
        factors = [] if upsample == "direct" else factors_of(scale)
        # at both ends, in blocks, after them, and while enlarging: in pixels of the small picture, rounded up
        last = 1 if upsample == "direct" else -(-margin // scale)
        self.receptive_radius_px = margin + 2 * blocks + 1 + len(factors) + last
        bias = needs_bias(norm)

        self.stem = nn.Sequential(
            nn.Conv2d(channels_in, filters, end_kernel, padding=margin), activation_layer(activation)
        )
        self.blocks = nn.Sequential(*(SrBlock(filters, norm, activation) for _ in range(blocks)))
        self.body_end = nn.Sequential(nn.Conv2d(filters, filters, 3, padding=1, bias=bias), norm_layer(norm, filters))
        self.enlarge: nn.Sequential
        if upsample == "direct":
            self.enlarge = nn.Sequential(
                nn.Conv2d(filters, channels_out * scale**2, 3, padding=1), nn.PixelShuffle(scale)
            )
        else:
            self.enlarge = nn.Sequential(
                *(_enlarging(upsample, factor, filters, activation) for factor in factors),
                nn.Conv2d(filters, channels_out, end_kernel, padding=margin),
            )
        self.skip: nn.Module | None = BicubicEnlarging(scale) if skip == "bicubic" else None

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge a batch in model space."""
        stem = run_segment(self, self.stem, x)
        refined = stem + self.body_end(run_blocks(self, self.blocks, stem))
        made = run_segment(self, self.enlarge, refined)
        return made if self.skip is None else made + self.skip(x)

    @torch.no_grad()
    def begin_evenly(self) -> None:
        """Make freshly drawn weights start without checkerboards and without overshooting.

        The layers before a pixel shuffle give all sub-pixels of a pixel the same value (Aitken et al. 2017), so that it
        starts as a nearest-pixel enlargement. Where nothing normalises, blocks start near the identity. With a bicubic
        skip the last convolution starts at zero, and the whole network as bicubic enlarging.
        """
        for layers in (module for module in self.enlarge.modules() if isinstance(module, nn.Sequential)):
            for layer, following in zip(layers, list(layers)[1:], strict=False):
                if isinstance(layer, nn.Conv2d) and isinstance(following, nn.PixelShuffle):
                    first = layer.weight[:: following.upscale_factor**2]
                    layer.weight.copy_(first.repeat_interleave(following.upscale_factor**2, dim=0))
        for block in self.blocks:
            assert isinstance(block, SrBlock)
            last, norm = block.layers[3], block.layers[4]
            if isinstance(last, nn.Conv2d) and isinstance(norm, nn.Identity):
                last.weight.mul_(0.1)
        if self.skip is not None:
            nn.init.zeros_([layer for layer in self.enlarge if isinstance(layer, nn.Conv2d)][-1].weight)


class BicubicEnlarging(nn.Module):
    """`n c h w -> n c h*scale w*scale` by the kernel of Keys 1981 (a = -1/2), as `image.resize` enlarges; no weights.

    Each sub-pixel is one 5x5 convolution of the picture, whose outermost pixels go on beyond its border.
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self._lines = [_keys(scale, phase) for phase in range(scale)]

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge a batch of any channels and range."""
        channels = x.shape[1]
        lines = x.new_tensor(self._lines)
        kernels = (lines[:, None, :, None] * lines[None, :, None, :]).reshape(-1, 1, 5, 5).repeat(channels, 1, 1, 1)
        padded = F.pad(x, (2, 2, 2, 2), mode="replicate")
        return F.pixel_shuffle(F.conv2d(padded, kernels, groups=channels), self.scale)


def activation_layer(kind: Activation) -> nn.Module:
    """What follows a convolution."""
    match kind:
        case "relu":
            return nn.ReLU(inplace=True)
        case "prelu":
            return nn.PReLU(init=0.2)


def factors_of(scale: int) -> Sequence[int]:
    """The steps in which a picture is enlarged: doublings, or one of three."""
    return [3] if scale == 3 else [2] * (scale.bit_length() - 1)


def _enlarging(kind: Literal["shuffle", "resize"], factor: int, filters: int, activation: Activation) -> nn.Sequential:
    match kind:
        case "shuffle":
            layers = [nn.Conv2d(filters, filters * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
        case "resize":
            layers = [nn.Upsample(scale_factor=factor, mode="nearest"), nn.Conv2d(filters, filters, 3, padding=1)]
    return nn.Sequential(*layers, activation_layer(activation))


def _keys(scale: int, phase: int) -> list[float]:
    """How a sub-pixel weighs the five pixels around its own."""
    centre = (phase + 0.5) / scale - 0.5
    weights = []
    for offset in range(-2, 3):
        t = abs(offset - centre)
        weights.append((1.5 * t - 2.5) * t * t + 1 if t <= 1 else ((-0.5 * t + 2.5) * t - 4) * t + 2 if t < 2 else 0.0)
    return weights
