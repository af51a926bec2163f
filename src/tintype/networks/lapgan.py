"""Laplacian pyramid of plain GANs (Denton, Chintala, Szlam & Fergus 2015), for pictures of one size.

The coarsest network makes a small picture from noise. Each further one sees that picture enlarged, and noise of its
own, and makes the detail that it lacks. Every level has a discriminator, which sees the enlarged picture too.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype.networks.blocks import Head, one_hot


def pyramid(pictures: Tensor, levels: int) -> list[Tensor]:
    """Pictures `n c h w` halved so many times by area, from the smallest to themselves."""
    made = [pictures]
    for _ in range(levels):
        made.append(F.avg_pool2d(made[-1], 2))
    return made[::-1]


def enlarged(pictures: Tensor) -> Tensor:
    """Pictures `n c h w` at twice their height and width, bilinear."""
    return F.interpolate(pictures, scale_factor=2.0, mode="bilinear", align_corners=False)


class Detail(nn.Module):
    """An enlarged picture `n c side side`, noise `n k` and classes -> the detail that it lacks, of the same shape."""

    def __init__(self, channels: int, side: int, numbers: int, filters: int) -> None:
        super().__init__()
        self.side = side
        self.plane = nn.Linear(numbers, side * side)
        self.layers = nn.Sequential(
            nn.Conv2d(channels + 1, filters, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(filters, filters, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(filters, channels, 3, padding=1),
        )

    def forward(self, coarse: Tensor, numbers: Tensor) -> Tensor:
        """Make the detail of a batch."""
        plane = self.plane(numbers).unflatten(1, (1, self.side, self.side))
        return self.layers(torch.cat([coarse, plane], dim=1))


class LapganGenerator(nn.Module):
    """Noise `n latent`, and where there are classes their numbers `n`, -> `n channels side side`, about [-1, 1].

    Of the noise each finer level has its own `detail` numbers, at the end; the rest are for the coarsest.
    """

    def __init__(
        self,
        channels: int,
        side: int,
        *,
        latent: int,
        detail: int,
        classes: int,
        levels: int,
        filters: int = 32,
        hidden: int = 256,
    ) -> None:
        super().__init__()
        self.multiple_of = self.output_stride = 1
        self.tiling: Literal["forbidden"] = "forbidden"
        self.receptive_radius_px = None
        self.classes, self.levels = classes, levels
        self.parts = [latent - levels * detail, *[detail] * levels]
        base = side >> levels
        self.shape = (channels, base, base)
        self.coarse = nn.Sequential(
            nn.Linear(self.parts[0] + classes, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, channels * base * base),
            nn.Tanh(),
        )
        self.details = nn.ModuleList(
            Detail(channels, base << level, detail + classes, filters) for level in range(1, levels + 1)
        )

    def forward(
        self, noise: Tensor, label: Tensor | None = None, real: list[Tensor] | None = None
    ) -> Tensor | list[Tensor]:
        """Make a batch of pictures in model space.

        Args:
            noise: `n latent`.
            label: Class numbers `n`, where there are classes.
            real: The `pyramid` of real pictures, for training: then each level makes its own upon the real picture
                below, and what comes is a pyramid too. Without it each makes its own upon what the one before it made.
        """
        numbers = self._numbers(noise, label)
        made = [self.coarse(numbers[0]).unflatten(1, self.shape)]
        for level, (detail, own) in enumerate(zip(self.details, numbers[1:], strict=True)):
            coarse = enlarged(real[level] if real else made[level])
            made.append(coarse + detail(coarse, own))
        return made if real else made[-1]

    def _numbers(self, noise: Tensor, label: Tensor | None) -> list[Tensor]:
        parts = list(noise.split(self.parts, dim=1))
        if label is None:
            return parts
        told = one_hot(label, self.classes)
        return [torch.cat([part, told], dim=1) for part in parts]


class LapganDiscriminator(nn.Module):
    """`n channels side side` in model space -> `n 1` raw logits, the mean over all levels."""

    def __init__(
        self,
        channels: int,
        side: int,
        *,
        levels: int,
        filters: int = 32,
        hidden: int = 256,
        labels: Literal["none", "projection"] = "none",
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.levels = levels
        base = side >> levels
        self.trunks = nn.ModuleList(
            [nn.Sequential(nn.Flatten(), nn.Linear(channels * base * base, hidden), nn.LeakyReLU(0.2, inplace=True))]
        )
        self.heads = nn.ModuleList([Head(hidden, labels, classes)])
        for level in range(1, levels + 1):
            left = (base << level) // 4
            self.trunks.append(
                nn.Sequential(
                    nn.Conv2d(2 * channels, filters, 4, 2, padding=1),
                    nn.LeakyReLU(0.2, inplace=True),
                    nn.Conv2d(filters, 2 * filters, 4, 2, padding=1),
                    nn.LeakyReLU(0.2, inplace=True),
                    nn.Flatten(),
                )
            )
            self.heads.append(Head(2 * filters * left * left, labels, classes))

    def forward(
        self, x: Tensor | list[Tensor], label: Tensor | None = None, below: list[Tensor] | None = None
    ) -> Tensor | list[Tensor]:
        """Judge whole pictures by all levels together, or pictures of each level apart.

        Args:
            x: Pictures, or one batch of them for each level, coarsest first.
            label: Their class numbers `n`, where they are told.
            below: The `pyramid` upon which those of the levels were made.

        Returns:
            `n 1`, or that for each level.
        """
        if isinstance(x, Tensor):
            pictures = pyramid(x, self.levels)
            return torch.stack(self._each(pictures, label, pictures)).mean(dim=0)
        assert below is not None
        return self._each(x, label, below)

    def judge(self, level: int, pictures: Tensor, below: list[Tensor], label: Tensor | None = None) -> Tensor:
        """Logits `n 1` of pictures of one level."""
        if level:
            coarse = enlarged(below[level - 1])
            pictures = torch.cat([coarse, pictures - coarse], dim=1)
        judged: Tensor = self.heads[level](self.trunks[level](pictures), label)
        return judged

    def _each(self, pictures: list[Tensor], label: Tensor | None, below: list[Tensor]) -> list[Tensor]:
        return [self.judge(level, shown, below, label) for level, shown in enumerate(pictures)]
