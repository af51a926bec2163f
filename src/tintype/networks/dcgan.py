"""Convolutional networks of a plain GAN (Radford, Metz & Chintala 2016), for pictures of one size."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from tintype.networks.blocks import Head, doubling, needs_bias, norm_layer, one_hot
from tintype.recipe.networks import Norm

_MOST = 8
"""Times `filters` that a level has at most."""


class DcganGenerator(nn.Module):
    """Noise `n latent`, and where there are classes their numbers `n`, -> `n channels side side` in [-1, 1].

    A dense layer makes a small map, of side / 2**levels; each level doubles it.
    """

    def __init__(
        self,
        channels: int,
        side: int,
        *,
        latent: int,
        classes: int,
        levels: int,
        filters: int = 64,
        norm: Norm = "batch",
        upsample: Literal["transposed", "resize"] = "transposed",
    ) -> None:
        super().__init__()
        self.multiple_of = self.output_stride = 1
        self.tiling: Literal["forbidden"] = "forbidden"
        self.receptive_radius_px = None
        base, width = side >> levels, filters * min(_MOST, 2 ** (levels - 1))
        self.classes, self.shape = classes, (width, base, base)
        self.start = nn.Linear(latent + classes, width * base * base, bias=needs_bias(norm))
        self.layers = nn.Sequential(norm_layer(norm, width), nn.ReLU(inplace=True))
        for level in reversed(range(levels - 1)):
            narrower = filters * min(_MOST, 2**level)
            self.layers.append(doubling(upsample, width, narrower, needs_bias(norm)))
            self.layers.extend([norm_layer(norm, narrower), nn.ReLU(inplace=True)])
            width = narrower
        self.layers.extend([doubling(upsample, width, channels, True), nn.Tanh()])

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """Make a batch of pictures in model space."""
        x = noise if label is None else torch.cat([noise, one_hot(label, self.classes)], dim=1)
        return self.layers(self.start(x).unflatten(1, self.shape))


class DcganDiscriminator(nn.Module):
    """`n channels side side` in model space -> raw logits; see `Head`."""

    def __init__(
        self,
        channels: int,
        side: int,
        *,
        levels: int,
        filters: int = 64,
        norm: Norm = "batch",
        labels: Literal["none", "projection", "auxiliary"] = "none",
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential()
        width = channels
        for level in range(levels):
            wider = filters * min(_MOST, 2**level)
            self.layers.append(nn.Conv2d(width, wider, 4, 2, padding=1, bias=level == 0 or needs_bias(norm)))
            if level:
                self.layers.append(norm_layer(norm, wider))
            self.layers.append(nn.LeakyReLU(0.2, inplace=True))
            width = wider
        self.layers.append(nn.Flatten())
        self.head = Head(width * (side >> levels) ** 2, labels, classes)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Judge a batch."""
        return self.head(self.layers(x), label)
