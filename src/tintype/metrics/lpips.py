"""LPIPS 0.1 (Zhang, Isola, Efros, Shechtman & Wang 2018): how far apart two pictures look, by AlexNet or VGG16.

Trunks are AlexNet (Krizhevsky 2014) and VGG16 (Simonyan & Zisserman 2015) up to their last ReLU before the classifier,
with the layers numbered as in torchvision's files; the weights of the channels are those that the authors published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from tintype.errors import UsageError
from tintype.metrics.fetch import ALEXNET, LPIPS_ALEX, LPIPS_VGG, VGG16, fetch_weights
from tintype.metrics.measures import Trunk
from tintype.metrics.tensors import batches, load_state, read_state

SIDE = 32
"""Shortest side of a picture that every layer has something left of."""

_TINY = 1e-10
# The mean and deviation of ImageNet in [0, 1], brought to [-1, 1] and rounded, as the authors have them.
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_TAPS = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}


@final
class Lpips:
    """The distance of pairs of pictures; 0 for equal ones."""

    def __init__(self, trunk: Trunk, state: Mapping[str, Tensor], linear: Mapping[str, Tensor], digest: str) -> None:
        """Take the published weights.

        Args:
            trunk: Which network.
            state: Its state dict; the classifier in it is not used.
            linear: Weights of the channels of each layer, `lin0.model.1.weight` and so on.
            digest: What the protocol calls the weights.

        Raises:
            InputError: A tensor is missing or has another shape.
        """
        self.trunk, self.side = trunk, SIDE
        self._taps = _TAPS[trunk]
        self._layers = alexnet_layers() if trunk == "alex" else vgg16_layers()
        load_state(f"lpips {trunk}", self._layers, _without(state, "features."))
        widths = [self._layers.get_parameter(f"{tap - 1}.bias").numel() for tap in self._taps]
        self._heads = nn.ModuleList(nn.Conv2d(width, 1, 1, bias=False) for width in widths)
        by_number = {key.replace(".model.1", ""): tensor for key, tensor in _without(linear, "lin").items()}
        load_state(f"lpips {trunk} channel weights", self._heads, by_number)
        self.protocol = f"lpips 0.1 {trunk} {digest}, pictures as they are"

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Distances `n` (float64) of pictures `n h w 3` in [0, 1] from others of the same shape.

        Raises:
            UsageError: The shapes differ, or a side is shorter than `SIDE` pixels.
        """
        if np.shape(x) != np.shape(y):
            raise UsageError(f"lpips: pictures of shapes {np.shape(x)} and {np.shape(y)}: give two of one shape")
        if min(np.shape(x)[1:3], default=0) < SIDE:
            raise UsageError(
                f"lpips: pictures of shape {np.shape(x)} are too small: use {SIDE} x {SIDE} pixels or more"
            )
        found = []
        with torch.no_grad():
            for a, b in zip(batches("lpips", x), batches("lpips", y), strict=True):
                distance = torch.zeros(len(a))
                for head, one, other in zip(self._heads, self._unit_maps(a), self._unit_maps(b), strict=True):
                    distance += head((one - other) ** 2).mean(dim=(1, 2, 3))
                found.append(distance.double().numpy())
        return np.concatenate(found) if found else np.zeros(0)

    def _unit_maps(self, x: Tensor) -> list[Tensor]:
        """Feature maps of each tapped layer, the features of each place brought to length 1."""
        x = (x * 2 - 1 - torch.tensor(_SHIFT)[:, None, None]) / torch.tensor(_SCALE)[:, None, None]
        maps = []
        for number, layer in enumerate(self._layers):
            x = layer(x)
            if number in self._taps:
                maps.append(x / (x.square().sum(dim=1, keepdim=True).sqrt() + _TINY))
        return maps


def open_lpips(trunk: Trunk = "alex") -> Lpips:
    """LPIPS with the published weights; figures of the two trunks cannot be compared.

    Raises:
        InputError: They are not there and cannot be fetched.
    """
    network, linear = (ALEXNET, LPIPS_ALEX) if trunk == "alex" else (VGG16, LPIPS_VGG)
    state, heads = (read_state(fetch_weights(weights)) for weights in (network, linear))
    return Lpips(trunk, state, heads, f"{network.sha256[:8]}+{linear.sha256[:8]}")


def alexnet_layers() -> nn.Sequential:
    """AlexNet from the picture to its fifth convolution."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    )


def vgg16_layers() -> nn.Sequential:
    """VGG16 from the picture to its thirteenth convolution."""
    return vgg_layers((2, 2, 3, 3, 3))


def vgg_layers(counts: Sequence[int]) -> nn.Sequential:
    """A VGG of so many convolutions in each of its five stages, from the picture to the last of them."""
    layers: list[nn.Module] = []
    inputs = 3
    for stage, (channels, count) in enumerate(zip((64, 128, 256, 512, 512), counts, strict=True)):
        if stage:
            layers.append(nn.MaxPool2d(2))
        for _ in range(count):
            layers += [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU()]
            inputs = channels
    return nn.Sequential(*layers)


def _without(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries whose names begin so, without that beginning."""
    return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}
