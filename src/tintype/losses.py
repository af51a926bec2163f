"""Adversarial and reconstruction losses as pure functions of network outputs.

The adversarial ones take raw logits of any shape and return their mean: `vanilla` is binary cross-entropy (Goodfellow
et al. 2014, non-saturating for the generator), `lsgan` least squares (Mao et al. 2017), `hinge` the hinge form (Lim &
Ye 2017).
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

Adversarial = Literal["vanilla", "lsgan", "hinge"]


def real_loss(logits: Tensor, kind: Adversarial) -> Tensor:
    """What the discriminator pays for doubting real pictures."""
    match kind:
        case "vanilla":
            return F.softplus(-logits).mean()
        case "lsgan":
            return (logits - 1).square().mean()
        case "hinge":
            return F.relu(1 - logits).mean()


def fake_loss(logits: Tensor, kind: Adversarial) -> Tensor:
    """What the discriminator pays for believing generated pictures."""
    match kind:
        case "vanilla":
            return F.softplus(logits).mean()
        case "lsgan":
            return logits.square().mean()
        case "hinge":
            return F.relu(1 + logits).mean()


def generator_loss(logits: Tensor, kind: Adversarial) -> Tensor:
    """What the generator pays for being found out."""
    match kind:
        case "vanilla":
            return F.softplus(-logits).mean()
        case "lsgan":
            return (logits - 1).square().mean()
        case "hinge":
            return -logits.mean()
