"""Parts that several networks share: normalisation, doubling of the size, and how weights start."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from tintype.recipe.networks import InitSpec, Norm


def norm_layer(kind: Norm, channels: int) -> nn.Module:
    """Normalisation over `n h w` (batch), over `h w` without learnt gain (instance), or none."""
    match kind:
        case "batch":
            return nn.BatchNorm2d(channels)
        case "instance":
            return InstanceNorm()
        case "none":
            return nn.Identity()


def needs_bias(norm: Norm) -> bool:
    """Whether a convolution before this normalisation has a bias: batch norm brings its own."""
    return norm != "batch"


class InstanceNorm(nn.Module):
    """Normalisation of each channel of each picture over `h w`, without learnt gain or running statistics.

    On a CPU, where gradients are wanted, it is batch normalisation of one picture at a time: torch's own instance
    normalisation copies channels-last activations to another layout and the next convolution copies them back, which
    took a sixth of a training step. Both ways agree within float rounding, second derivatives included.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a batch; more than one pixel a picture."""
        if x.device.type != "cpu" or not torch.is_grad_enabled():
            return F.instance_norm(x)
        pictures = [F.batch_norm(picture, None, None, training=True) for picture in x.split(1)]
        return pictures[0] if len(pictures) == 1 else torch.cat(pictures)


def onto_few_channels(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """A convolution of stride 1, without padding, onto as few channels as a picture has: `n c h w -> n c' h' w'`.

    On a CPU, where gradients are wanted, the rows of the kernel become channels of a convolution along the columns,
    and are added after it. Convolution routines compute 16 channels at a time, so that for 3 of them they spend
    thirteen parts of sixteen on nothing. Both ways agree within float rounding.
    """
    if x.device.type != "cpu" or not torch.is_grad_enabled():
        return conv(x)
    channels_out, channels, rows, columns = conv.weight.shape
    weight = conv.weight.permute(2, 0, 1, 3).reshape(rows * channels_out, channels, 1, columns)
    height = x.shape[2] - rows + 1
    parts = F.conv2d(x, weight).split(channels_out, dim=1)
    y = sum((part.narrow(2, row, height) for row, part in enumerate(parts[1:], 1)), parts[0].narrow(2, 0, height))
    return y if conv.bias is None else y + conv.bias[:, None, None]


SMALL_PX = 64
"""Pixels up to which a transposed convolution is trained as a matrix product; see `Doubling`."""


class Doubling(nn.Module):
    """Transposed 4x4 convolution of stride 2: `n c h w -> n c' 2h 2w`.

    On a CPU, where gradients are wanted and the picture is small, it is carried out as one matrix product: the
    convolution routines spend nearly all of their time there on rearranging the large weights. Both ways agree within
    float rounding.
    """

    def __init__(self, channels_in: int, channels_out: int, bias: bool) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(channels_in, channels_out, kernel_size=4, stride=2, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Double height and width."""
        n, channels, height, width = x.shape
        if x.device.type != "cpu" or not torch.is_grad_enabled() or height * width > SMALL_PX:
            return self.conv(x)
        pixels = x.permute(0, 2, 3, 1).reshape(-1, channels)
        patches = (pixels @ self.conv.weight.flatten(1)).view(n, height * width, -1).transpose(1, 2)
        y = F.fold(patches, (2 * height, 2 * width), kernel_size=4, stride=2, padding=1)
        if self.conv.bias is not None:
            y = y + self.conv.bias[:, None, None]
        return y.contiguous(memory_format=torch.channels_last)


def doubling(kind: Literal["transposed", "resize"], channels_in: int, channels_out: int, bias: bool) -> nn.Module:
    """A layer `n c h w -> n c' 2h 2w`; resize-convolution avoids checkerboards (Odena et al. 2016)."""
    match kind:
        case "transposed":
            return Doubling(channels_in, channels_out, bias)
        case "resize":
            return nn.Sequential(
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=bias),
            )


def one_hot(label: Tensor, classes: int) -> Tensor:
    """Numbers of classes `n` -> `n classes` of 0 and 1, float32: joined to a layer's input, each class has a bias."""
    return (label[:, None] == torch.arange(classes, device=label.device)).float()


class Head(nn.Module):
    """Features `n k` of whole pictures -> raw logits: one a picture, and what classes have to do with it.

    Args:
        features: k.
        labels: "none"; "projection": the class, `n`, is told, and the features are also weighed by what it has learnt
            (Miyato & Koyama 2018); "auxiliary": as many further logits as there are classes come after the first, to
            tell them (Odena et al. 2017).
        classes: Their number.
    """

    def __init__(self, features: int, labels: Literal["none", "projection", "auxiliary"], classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1 + (classes if labels == "auxiliary" else 0))
        self.by_class = nn.Linear(classes, features, bias=False) if labels == "projection" else None

    def forward(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """`n 1`, or `n 1+classes` with an auxiliary classifier."""
        logits = self.linear(features)
        if self.by_class is None or label is None:
            return logits
        weights = self.by_class(one_hot(label, self.by_class.in_features))
        return logits + (features * weights).sum(dim=1, keepdim=True)


@torch.no_grad()
def initialise(network: nn.Module, spec: InitSpec) -> None:
    """Draw all weights anew from torch's generator; biases become 0, batch-norm gains normal(1, 0.02)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.Linear):
            match spec.kind:
                case "normal":
                    nn.init.normal_(module.weight, 0.0, spec.gain)
                case "xavier":
                    nn.init.xavier_normal_(module.weight, gain=spec.gain)
                case "kaiming":
                    nn.init.kaiming_normal_(module.weight, a=0.0, mode="fan_in")
                case "orthogonal":
                    nn.init.orthogonal_(module.weight, gain=spec.gain)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)


def limit_spectrum(network: nn.Module) -> None:
    """Divide the weights of every convolution and linear layer by their spectral norm (Miyato et al. 2018)."""
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
            spectral_norm(module)


def forget_statistics(network: nn.Module) -> None:
    """Let batch norm use the mean and variance of its input in evaluation too, as instance norm does, and keep none."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None
