"""PatchGAN discriminators: fully convolutional, one logit for each patch or for each pixel (Isola et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from tintype.networks.blocks import needs_bias, norm_layer
from tintype.recipe.networks import Norm


def smallest_input_px(layers: int) -> int:
    """Side of the smallest picture for so many strided layers: the two convolutions after them each need 2 px."""
    return 3 * 2**layers


class PatchGan(nn.Module):
    """`n c h w -> n 1 h' w'` logits; three layers judge 70 x 70 patches and give 30 x 30 logits at 256 x 256.

    `filters` are the channels of the first layer, or of each: `layers` strided ones and one more. An int is doubled
    for each layer, at most to 8 times.
    """

    def __init__(
        self, channels_in: int, *, filters: int | Sequence[int] = 64, layers: int = 3, norm: Norm = "batch"
    ) -> None:
        super().__init__()
        if isinstance(filters, int):
            filters = [filters * min(2**layer, 8) for layer in range(layers + 1)]
        bias = needs_bias(norm)
        blocks: list[nn.Module] = [
            nn.Conv2d(channels_in, filters[0], 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        for layer in range(1, len(filters)):
            stride = 2 if layer < len(filters) - 1 else 1
            blocks += [
                nn.Conv2d(filters[layer - 1], filters[layer], 4, stride=stride, padding=1, bias=bias),
                norm_layer(norm, filters[layer]),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        blocks.append(nn.Conv2d(filters[-1], 1, 4, padding=1))
        self.layers = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Judge a batch in model space."""
        return self.layers(x)


class PixelGan(nn.Module):
    """`n c h w -> n 1 h w` logits, each from one pixel alone."""

    def __init__(self, channels_in: int, *, filters: int = 64, norm: Norm = "batch") -> None:
        super().__init__()
        bias = needs_bias(norm)
        self.layers = nn.Sequential(
            nn.Conv2d(channels_in, filters, 1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(filters, 2 * filters, 1, bias=bias),
            norm_layer(norm, 2 * filters),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(2 * filters, 1, 1, bias=bias),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Judge a batch in model space."""
        return self.layers(x)
