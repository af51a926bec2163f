"""Small networks that compare places of pictures by what an encoder says of them (Park et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class Projector(nn.Module):
    """Vectors of maps at some places, each map through two linear layers of its own: unit vectors of one width."""

    def __init__(self, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(count, width), nn.ReLU(inplace=True), nn.Linear(width, width)) for count in channels
        )

    def forward(self, maps: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """`n k width` for each map `n c h w` and its places `k`, which count its pixels row by row."""
        return [
            F.normalize(head(one.flatten(2)[:, :, chosen].transpose(1, 2)), dim=-1)
            for head, one, chosen in zip(self.heads, maps, places, strict=True)
        ]
