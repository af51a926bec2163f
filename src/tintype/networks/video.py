"""Networks of small video GANs (after DVD-GAN: Clark, Donahue & Simonyan 2019), for grey clips of one length and size.

A clip is `n t h w`: its frames stand where a picture has its channels.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype.networks.blocks import Head, doubling, needs_bias, norm_layer, one_hot
from tintype.recipe.networks import Norm

_MOST = 4
"""Times `filters` that a level has at most."""


class ConvGru(nn.Module):
    """A map `n c h w` -> its states over time `n t c h w`, by gates that are convolutions (Ballas et al. 2016).

    The map is where the states begin, and the input at every time.
    """

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.inward = nn.Conv2d(channels, 3 * channels, 3, padding=1)
        self.gates = nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False)
        self.candidate = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """All states, from the first one after the beginning on."""
        to_update, to_reset, to_candidate = self.inward(x).chunk(3, dim=1)
        state, states = x, []
        for _ in range(self.frames):
            update, reset = self.gates(state).chunk(2, dim=1)
            new = torch.tanh(to_candidate + self.candidate(torch.sigmoid(to_reset + reset) * state))
            state = state.lerp(new, torch.sigmoid(to_update + update))
            states.append(state)
        return torch.stack(states, dim=1)


class VideoGenerator(nn.Module):
    """Noise `n latent`, and where there are classes their numbers `n`, -> clips `n frames side side` in [-1, 1].

    A dense layer makes a small map, of side / 2**levels; a recurrent unit makes one for each frame of it, and the same
    doublings make a frame of each.
    """

    def __init__(
        self,
        frames: int,
        side: int,
        *,
        latent: int,
        classes: int,
        levels: int,
        filters: int = 32,
        norm: Norm = "batch",
        upsample: Literal["transposed", "resize"] = "transposed",
    ) -> None:
        super().__init__()
        self.multiple_of = self.output_stride = 1
        self.tiling: Literal["forbidden"] = "forbidden"
        self.receptive_radius_px = None
        base = side >> levels
        self.classes, self.first, self.clip = classes, (filters, base, base), (frames, side, side)
        self.start = nn.Linear(latent + classes, filters * base * base)
        self.over_time = ConvGru(filters, frames)
        self.layers = nn.Sequential(norm_layer(norm, filters), nn.ReLU(inplace=True))
        for _ in range(levels - 1):
            self.layers.append(doubling(upsample, filters, filters, needs_bias(norm)))
            self.layers.extend([norm_layer(norm, filters), nn.ReLU(inplace=True)])
        self.layers.extend([doubling(upsample, filters, 1, True), nn.Tanh()])

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """Make a batch of clips in model space."""
        x = noise if label is None else torch.cat([noise, one_hot(label, self.classes)], dim=1)
        states = self.over_time(torch.tanh(self.start(x)).unflatten(1, self.first))
        return self.layers(states.flatten(0, 1)).view(-1, *self.clip)


class VideoDiscriminator(nn.Module):
    """Clips `n frames side side` in model space -> raw logits of frames and of motion, `n 2 1 1`: a map of two places.

    The first is the mean of what a network of pictures says of some frames, the second what one of 3-D convolutions
    says of the whole clip, halved in width and height. Losses are means over the map, so both weigh alike. Features are
    means over all places, as what is shown may be in any.
    """

    def __init__(
        self,
        *,
        levels: int,
        judged: int,
        filters: int = 32,
        labels: Literal["none", "projection"] = "none",
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.judged = judged
        self.spatial, self.temporal = nn.Sequential(), nn.Sequential()
        channels = 1
        for level in range(levels):
            width = filters * min(_MOST, 2**level)
            self.spatial.extend([nn.Conv2d(channels, width, 4, 2, padding=1), nn.LeakyReLU(0.2)])
            conv = nn.Conv3d(channels, width, (3, 4, 4), (1 if level == 0 else 2, 2, 2), padding=1)
            self.temporal.extend([conv, nn.LeakyReLU(0.2)])
            channels = width
        self.of_frames, self.of_motion = Head(channels, labels, classes), Head(channels, labels, classes)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Judge a batch."""
        told = None if label is None else label.repeat_interleave(self.judged)
        each = self.of_frames(self.spatial(self._some(x).flatten(0, 1)[:, None]).mean(dim=(2, 3)), told)
        of_frames = each.view(-1, self.judged).mean(dim=1, keepdim=True)
        of_motion = self.of_motion(self.temporal(F.avg_pool2d(x, 2)[:, None]).mean(dim=(2, 3, 4)), label)
        return torch.cat([of_frames, of_motion], dim=1)[..., None, None]

    def _some(self, x: Tensor) -> Tensor:
        """Frames evenly spaced; of each clip in a batch others than of the one before, so that none goes unseen."""
        places = torch.arange(len(x), device=x.device)[:, None]
        apart = torch.arange(self.judged, device=x.device) * x.shape[1] // self.judged
        return x[places, (places + apart) % x.shape[1]]
