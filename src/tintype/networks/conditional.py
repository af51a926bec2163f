"""How noise z enters a network: every normalisation takes its gain and bias from it, by a small linear map of its own.

Conditional instance normalisation (Dumoulin et al. 2017; Almahairi et al. 2018); with batch norm it is the conditional
form of that (de Vries et al. 2017). Without noise these are the plain layers, with the same names of weights.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype.networks.blocks import norm_layer
from tintype.recipe.networks import Norm

_STYLE = 0.3
"""Standard deviation of gains around 1 and of biases before training: z is heard from the first step on."""


def conditional_norm(kind: Norm, channels: int, latent: int) -> nn.Module:
    """The normalisation of a network with `latent` numbers of noise; 0: a plain one."""
    return ConditionalNorm(kind, channels, latent) if latent and kind != "none" else norm_layer(kind, channels)


class ConditionalNorm(nn.Module):
    """`n c h w` and noise `n latent` to `n c h w`: normalised, times 1 + gain(z), plus bias(z)."""

    takes_noise = True

    def __init__(self, kind: Norm, channels: int, latent: int) -> None:
        super().__init__()
        self.norm = norm_layer(kind, channels)
        self.weight = nn.Parameter(torch.empty(2 * channels, latent))
        self.bias = nn.Parameter(torch.zeros(2 * channels))
        nn.init.normal_(self.weight, 0.0, _STYLE / latent**0.5)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Normalise a batch in the style of z."""
        gain, bias = F.linear(z, self.weight, self.bias)[:, :, None, None].chunk(2, dim=1)
        return self.norm(x) * (1 + gain) + bias


class Styled(nn.Sequential):
    """Layers one after the other, of which those that take noise are given it."""

    takes_noise = True

    def forward(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        """All of them; z is None in networks without noise."""
        for layer in self:
            x = layer(x, z) if getattr(layer, "takes_noise", False) else layer(x)
        return x


class LatentEncoder(nn.Module):
    """A picture `n c h w` to the noise `n latent` that it was made with, as far as it shows in it.

    Strided convolutions, then the mean over what is left of the picture: any size from 2**layers pixels on.
    """

    def __init__(self, channels_in: int, latent: int, *, filters: int = 32, layers: int = 4) -> None:
        super().__init__()
        widths = [channels_in, *(filters * min(2**layer, 4) for layer in range(layers))]
        self.layers = nn.Sequential(
            *(
                part
                for before, after in pairwise(widths)
                for part in (nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True))
            )
        )
        self.head = nn.Linear(widths[-1], latent)

    def forward(self, x: Tensor) -> Tensor:
        """Noise of a batch, within 4 standard deviations: the rest of a standard normal is next to nothing."""
        return 4 * torch.tanh(self.head(self.layers(x).mean((2, 3))) / 4)
