"""Residual classifier: stages of residual blocks, a mean over all places, and one linear layer (He et al. 2016)."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from tintype.networks.blocks import needs_bias, norm_layer
from tintype.recipe.networks import Norm


class ClassifierBlock(nn.Module):
    """`n c h w -> n c' h/stride w/stride`: two normalised 3x3 convolutions beside a shortcut, rounded up where odd."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, norm: Norm) -> None:
        super().__init__()
        bias = needs_bias(norm)
        self.layers = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=bias),
            norm_layer(norm, channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=bias),
            norm_layer(norm, channels_out),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=bias), norm_layer(norm, channels_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Refine a batch."""
        return F.relu(self.shortcut(x) + self.layers(x))


class Classifier(nn.Module):
    """`n c h w` in [-1, 1] -> features `n k`, the mean of the last stage's maps, and logits `n classes`."""

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        filters: int = 32,
        stages: int = 4,
        blocks: int = 1,
        stem_stride: int = 2,
        norm: Norm = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.multiple_of = self.output_stride = 1
        self.tiling: Literal["forbidden"] = "forbidden"
        self.receptive_radius_px = None
        self.stem = nn.Sequential(
            nn.Conv2d(channels, filters, 3, stem_stride, padding=1, bias=needs_bias(norm)),
            norm_layer(norm, filters),
            nn.ReLU(inplace=True),
        )
        self.stages = nn.Sequential()
        width = filters
        for stage in range(stages):
            wider = filters * 2**stage
            for block in range(blocks):
                self.stages.append(ClassifierBlock(width, wider, 2 if stage and not block else 1, norm))
                width = wider
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits of a batch in model space."""
        features = self.stages(self.stem(x)).mean(dim=(2, 3))
        return features, self.head(self.dropout(features))
