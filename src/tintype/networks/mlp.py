"""Fully connected networks of a plain GAN (Goodfellow et al. 2014), for pictures of one size."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from tintype.networks.blocks import Head, one_hot


class MlpGenerator(nn.Module):
    """Noise `n latent`, and where there are classes their numbers `n`, -> `n channels side side` in [-1, 1]."""

    def __init__(self, channels: int, side: int, *, latent: int, classes: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.multiple_of = self.output_stride = 1
        self.tiling: Literal["forbidden"] = "forbidden"
        self.receptive_radius_px = None
        self.classes, self.shape = classes, (channels, side, side)
        widths = [latent + classes, *hidden]
        self.layers = nn.Sequential()
        for width, wider in itertools.pairwise(widths):
            self.layers.extend([nn.Linear(width, wider), nn.ReLU(inplace=True)])
        self.layers.extend([nn.Linear(widths[-1], channels * side * side), nn.Tanh()])

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """Make a batch of pictures in model space."""
        x = noise if label is None else torch.cat([noise, one_hot(label, self.classes)], dim=1)
        return self.layers(x).unflatten(1, self.shape)


class MlpDiscriminator(nn.Module):
    """`n channels side side` in model space -> raw logits; see `Head`."""

    def __init__(
        self,
        channels: int,
        side: int,
        *,
        hidden: Sequence[int],
        labels: Literal["none", "projection", "auxiliary"] = "none",
        classes: int = 0,
    ) -> None:
        super().__init__()
        widths = [channels * side * side, *hidden]
        self.layers = nn.Sequential(nn.Flatten())
        for width, narrower in itertools.pairwise(widths):
            self.layers.extend([nn.Linear(width, narrower), nn.ReLU(inplace=True)])
        self.head = Head(widths[-1], labels, classes)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Judge a batch."""
        return self.head(self.layers(x), label)
