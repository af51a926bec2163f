"""What is in a picture, told by a linear layer on a generator's innermost maps (after Iizuka et al. 2016).

Colour depends on what a thing is, and from the colours of a few thousand pictures alone an encoder hardly learns that.
The layer is not shipped; what the encoder had to learn for it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_DROPOUT = 0.3
_SMOOTHING = 0.1
_UNKNOWN = -1


class ClassHead(nn.Module):
    """Maps `n c h w` of an encoder, averaged over all places and joined -> logits `n classes`.

    Args:
        channels: Channels of each of the maps.
        classes: Their number.
    """

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(_DROPOUT)
        self.linear = nn.Linear(sum(channels), classes)

    def forward(self, *maps: Tensor) -> Tensor:
        """Logits of a batch."""
        features = torch.cat([F.relu(one).mean(dim=(2, 3)) for one in maps], dim=1)
        return self.linear(self.dropout(features))


def class_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of smoothed labels (Szegedy et al. 2016), over the pictures whose class is known; 0 without any.

    Args:
        logits: `n classes`.
        label: Numbers of classes, int64 `n`, -1 where nobody said.
    """
    known = label != _UNKNOWN
    summed = F.cross_entropy(logits.float(), label, ignore_index=_UNKNOWN, label_smoothing=_SMOOTHING, reduction="sum")
    return summed / known.sum().clamp(min=1)
