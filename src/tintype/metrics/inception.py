"""Inception-v3 as FID and KID know it: the network of 2015 (Szegedy et al. 2016), by the weights of pytorch-fid.

Names of modules are those of the published file. It departs from the paper's network in two places: averages leave
padding out, and the last block pools maxima where all others pool averages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tintype.metrics.fetch import INCEPTION, fetch_weights
from tintype.metrics.tensors import batches, load_state, read_state

SIDE = 299
CHANNELS = 2048

_Size = int | tuple[int, int]
_Convolution = tuple[str, int, _Size]
"""Name, channels and size of its window."""
_Stage = _Convolution | tuple[_Convolution, ...]
"""A convolution, or several side by side on the same input."""


@final
class InceptionFeatures:
    """The 2,048 averages over the last feature maps; a `FeatureNetwork`."""

    def __init__(self, state: Mapping[str, Tensor], digest: str) -> None:
        """Take the published weights.

        Args:
            state: State dict; the classifier in it is not used.
            digest: sha256 of their file.

        Raises:
            InputError: A tensor is missing or has another shape.
        """
        self._network = InceptionV3()
        load_state("inception", self._network, state)
        self.protocol = f"inception-2015-12-05 {digest[:8]}, {SIDE} px bicubic antialiased"
        self.channels = CHANNELS

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Features `n 2048` (float64) of pictures `n h w 3` in [0, 1]."""
        with torch.no_grad():
            found = [self._network(batch * 2 - 1).double().numpy() for batch in batches("inception", pictures, SIDE)]
        return np.concatenate(found) if found else np.zeros((0, CHANNELS))


def open_inception() -> InceptionFeatures:
    """The network with the published weights.

    Raises:
        InputError: They are not there and cannot be fetched.
    """
    return InceptionFeatures(read_state(fetch_weights(INCEPTION)), INCEPTION.sha256)


@final
class InceptionV3(nn.Module):
    """From `n 3 299 299` in [-1, 1] to `n 2048`."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Unit(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = _Unit(32, 32, 3)
        self.Conv2d_2b_3x3 = _Unit(32, 64, 3, padded=True)
        self.Conv2d_3b_1x1 = _Unit(64, 80, 1)
        self.Conv2d_4a_3x3 = _Unit(80, 192, 3)
        self.Mixed_5b = _block_a(192, pooled=32)
        self.Mixed_5c = _block_a(256, pooled=64)
        self.Mixed_5d = _block_a(288, pooled=64)
        self.Mixed_6a = _Reduction(
            288,
            (("branch3x3", 384, 3),),
            (("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)),
        )
        self.Mixed_6b = _block_c(128)
        self.Mixed_6c = _block_c(160)
        self.Mixed_6d = _block_c(160)
        self.Mixed_6e = _block_c(192)
        self.Mixed_7a = _Reduction(
            768,
            (("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3)),
            (
                ("branch7x7x3_1", 192, 1),
                ("branch7x7x3_2", 192, (1, 7)),
                ("branch7x7x3_3", 192, (7, 1)),
                ("branch7x7x3_4", 192, 3),
            ),
        )
        self.Mixed_7b = _block_e(1280, maximum=False)
        self.Mixed_7c = _block_e(2048, maximum=True)

    def forward(self, x: Tensor) -> Tensor:
        """Features of a batch."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = F.max_pool2d(x, 3, stride=2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = F.max_pool2d(x, 3, stride=2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return x.mean(dim=(2, 3))


@final
class _Unit(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, size: _Size, *, stride: int = 1, padded: bool = False) -> None:
        super().__init__()
        height, width = (size, size) if isinstance(size, int) else size
        padding = (height // 2, width // 2) if padded else (0, 0)
        self.conv = nn.Conv2d(inputs, outputs, (height, width), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


@final
class _Mixed(nn.Module):
    """Branches of convolutions and one of a 3 x 3 pool, side by side; the size of the maps stays."""

    def __init__(self, inputs: int, pooled: int, *branches: Sequence[_Stage], maximum: bool = False) -> None:
        super().__init__()
        self.maximum = maximum
        self.names = [_add_branch(self, inputs, branch) for branch in branches]
        self.branch_pool = _Unit(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.maximum:
            pooled = F.max_pool2d(x, 3, stride=1, padding=1)
        else:
            pooled = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        return torch.cat([*(_run(self, names, x) for names in self.names), self.branch_pool(pooled)], dim=1)


@final
class _Reduction(nn.Module):
    """Branches that end in a stride of 2, and a max pool of stride 2, side by side."""

    def __init__(self, inputs: int, *branches: Sequence[_Convolution]) -> None:
        super().__init__()
        self.names = [_add_branch(self, inputs, branch, stride=2) for branch in branches]

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([*(_run(self, names, x) for names in self.names), F.max_pool2d(x, 3, stride=2)], dim=1)


def _add_branch(block: nn.Module, inputs: int, branch: Sequence[_Stage], *, stride: int = 1) -> list[tuple[str, ...]]:
    """Add the convolutions of a branch, the last with that stride; their names, stage by stage."""
    stages = []
    for number, stage in enumerate(branch):
        reduces = stride > 1 and number == len(branch) - 1
        side_by_side: tuple[_Convolution, ...] = (stage,) if isinstance(stage[0], str) else stage  # type: ignore[assignment]
        for name, outputs, size in side_by_side:
            block.add_module(name, _Unit(inputs, outputs, size, stride=stride if reduces else 1, padded=not reduces))
        stages.append(tuple(name for name, _, _ in side_by_side))
        inputs = sum(outputs for _, outputs, _ in side_by_side)
    return stages


def _run(block: nn.Module, stages: list[tuple[str, ...]], x: Tensor) -> Tensor:
    for names in stages:
        x = torch.cat([block.get_submodule(name)(x) for name in names], dim=1)
    return x


def _block_a(inputs: int, *, pooled: int) -> _Mixed:
    return _Mixed(
        inputs,
        pooled,
        (("branch1x1", 64, 1),),
        (("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)),
        (("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)),
    )


def _block_c(narrow: int) -> _Mixed:
    return _Mixed(
        768,
        192,
        (("branch1x1", 192, 1),),
        (("branch7x7_1", narrow, 1), ("branch7x7_2", narrow, (1, 7)), ("branch7x7_3", 192, (7, 1))),
        (
            ("branch7x7dbl_1", narrow, 1),
            ("branch7x7dbl_2", narrow, (7, 1)),
            ("branch7x7dbl_3", narrow, (1, 7)),
            ("branch7x7dbl_4", narrow, (7, 1)),
            ("branch7x7dbl_5", 192, (1, 7)),
        ),
    )


def _block_e(inputs: int, *, maximum: bool) -> _Mixed:
    return _Mixed(
        inputs,
        192,
        (("branch1x1", 320, 1),),
        (("branch3x3_1", 384, 1), (("branch3x3_2a", 384, (1, 3)), ("branch3x3_2b", 384, (3, 1)))),
        (
            ("branch3x3dbl_1", 448, 1),
            ("branch3x3dbl_2", 384, 3),
            (("branch3x3dbl_3a", 384, (1, 3)), ("branch3x3dbl_3b", 384, (3, 1))),
        ),
        maximum=maximum,
    )
