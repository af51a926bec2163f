"""The discriminator's side of the game, as methods share it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tintype import losses
from tintype.recipe.methods import Adversarial


def discriminator_terms(
    discriminator: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    kind: Adversarial,
    *,
    weight: float,
    joined: bool,
    suffix: str = "",
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What a discriminator pays for a batch, and how often it was right.

    Args:
        discriminator: Gives logits of real and of generated pictures.
        real: `n c h w`.
        fake: The same of generated pictures, without gradients.
        kind: The adversarial loss.
        weight: Of each of the two terms.
        joined: Whether both may share a call, which is where no picture changes what is said of another.
        suffix: Of all names.

    Returns:
        `d/real` and `d/fake`, differentiable; and `d/accuracy_real` and `d/accuracy_fake`, shares in [0, 1].
    """
    if joined:
        on_real, on_fake = discriminator(torch.cat([real, fake])).chunk(2)
    else:
        on_real, on_fake = discriminator(real), discriminator(fake)
    terms = {
        f"d/real{suffix}": weight * losses.real_loss(on_real, kind),
        f"d/fake{suffix}": weight * losses.fake_loss(on_fake, kind),
    }
    health = {
        f"d/accuracy_real{suffix}": losses.right_share(on_real, kind, real=True),
        f"d/accuracy_fake{suffix}": losses.right_share(on_fake, kind, real=False),
    }
    return terms, health
