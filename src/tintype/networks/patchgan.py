"""PatchGAN discriminators: fully convolutional, one logit for each patch or for each pixel (Isola et al. 2017)."""

from __future__ import annotations

from torch import Tensor, nn

from tintype.networks.blocks import needs_bias, norm_layer
from tintype.recipe.networks import Norm


class PatchGan(nn.Module):
    """`n c h w -> n 1 h' w'` logits; three layers judge 70 x 70 patches and give 30 x 30 logits at 256 x 256."""

    def __init__(self, channels_in: int, *, filters: int = 64, layers: int = 3, norm: Norm = "batch") -> None:
        super().__init__()
        bias = needs_bias(norm)
        blocks: list[nn.Module] = [
            nn.Conv2d(channels_in, filters, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        channels = filters
        for layer in range(1, layers + 1):
            wider = filters * min(2**layer, 8)
            stride = 2 if layer < layers else 1
            blocks += [
                nn.Conv2d(channels, wider, 4, stride=stride, padding=1, bias=bias),
                norm_layer(norm, wider),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            channels = wider
        blocks.append(nn.Conv2d(channels, 1, 4, padding=1))
        self.layers = nn.Sequential(*blocks)
        self.smallest_input_px = (
            2 ** (layers + 1) + 2**layers
        )  # below it the last two convolutions have nothing to slide over

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
        self.smallest_input_px = 1

    def forward(self, x: Tensor) -> Tensor:
        """Judge a batch in model space."""
        return self.layers(x)
