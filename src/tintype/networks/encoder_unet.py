"""U-Net generator over a backbone that may have been trained elsewhere: skips from all its stages.

After the pretrained generator of the recolouring in Lab (ResNet-18 without its last two layers, in a U-Net). Backbones
begin with a quarter of the picture; what is finer comes from convolutions of the picture itself.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype.networks.backbone import Backbone
from tintype.networks.blocks import doubling, initialise, needs_bias, norm_layer
from tintype.networks.recompute import run_segment
from tintype.networks.unet import level_channels
from tintype.recipe.encoders import Architecture
from tintype.recipe.network_parts import InitSpec, Norm


class EncoderUNet(nn.Module):
    """`n c H W -> n c' H/output_stride W/output_stride`, both in [-1, 1]; H and W multiples of `multiple_of`."""

    encoder_parts = ("encoder",)

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        architecture: Architecture,
        *,
        filters: int = 32,
        norm: Norm = "batch",
        dropout: float = 0.0,
        upsample: Literal["transposed", "resize"] = "resize",
        output_stride: int = 1,
        init: InitSpec,
    ) -> None:
        super().__init__()
        self.encoder = Backbone(channels_in, architecture)
        strides, channels = self.encoder.strides, self.encoder.channels
        deepest, last = strides[-1].bit_length() - 1, output_stride.bit_length() - 1
        if output_stride != 2**last or last >= deepest:
            raise ValueError(f"output_stride {output_stride} must be a power of two below {strides[-1]}")
        self.multiple_of, self.output_stride = strides[-1], output_stride
        self.recompute = False
        self.tiling: Literal["exact", "approximate", "forbidden"] = self.encoder.tiling
        if norm == "instance" and self.tiling == "exact":
            self.tiling = "approximate"
        inside = self.encoder.receptive_radius_px
        # at each level one convolution after doubling and one after joining, and one at the end
        around = sum(3 * 2**level for level in range(last, deepest)) + 2**last
        self.receptive_radius_px = None if inside is None else inside + around

        # Of a map the level at which it joins the decoder; maps of one size are spread over the levels above the last.
        if self.encoder.plain:
            levels = [deepest - len(strides) + 1 + number for number in range(len(strides) - 1)]
        else:
            levels = [stride.bit_length() - 1 for stride in strides[:-1]]
        self._levels = {number: str(level) for number, level in enumerate(levels) if level >= last}

        bias = needs_bias(norm)

        def convolved(channels: int, out: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=bias),
                norm_layer(norm, out),
                nn.ReLU(inplace=True),
            )

        self.fine = nn.ModuleDict()
        width, stride = channels_in, 2**last
        for level in range(last, levels[0]):
            self.fine[str(level)] = convolved(width, level_channels(filters, level), stride)
            width, stride = level_channels(filters, level), 2

        self.skip, self.up, self.join = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        width = channels[-1]
        for level in range(deepest - 1, last - 1, -1):
            own = level_channels(filters, level)
            joined = own if str(level) in self.fine else channels[levels.index(level)]
            if self.encoder.plain and level in levels:
                self.skip[str(level)], joined = convolved(joined, own, kernel=1), own
            self.up[str(level)] = nn.Sequential(
                doubling(upsample, width, own, bias), norm_layer(norm, own), nn.ReLU(inplace=True)
            )
            block = convolved(own + joined, own)
            if dropout > 0 and level > last + 1:
                block.append(nn.Dropout(dropout))
            self.join[str(level)] = block
            width = own
        self.head = nn.Sequential(nn.Conv2d(width, channels_out, 3, padding=1), nn.Tanh())
        for part in (self.fine, self.skip, self.up, self.join, self.head, self.encoder.mix):
            initialise(part, init)

    def forward(self, x: Tensor) -> Tensor:
        """Translate a batch in model space."""
        return run_segment(self, self._decode, x, *run_segment(self, lambda x: tuple(self.encoder(x)), x))

    def _decode(self, x: Tensor, *maps: Tensor) -> Tensor:
        skips: dict[str, Tensor] = {}
        for level, block in self.fine.items():
            skips[level] = x = block(x)
        for number, level in self._levels.items():
            skip = maps[number]
            if level in self.skip:
                times = self.encoder.strides[number] / 2 ** int(level)
                skip = F.interpolate(self.skip[level](skip), scale_factor=times, mode="bilinear")
            skips[level] = skip
        y = maps[-1]
        for level, block in self.up.items():
            y = self.join[level](torch.cat([skips[level], block(y)], dim=1))
        return self.head(y)
