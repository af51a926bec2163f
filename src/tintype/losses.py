"""Losses as pure functions of network outputs: adversarial ones, their penalty, and the absolute error.

The adversarial ones take raw logits of any shape and return their mean: `vanilla` is binary cross-entropy (Goodfellow
et al. 2014, non-saturating for the generator), `lsgan` least squares (Mao et al. 2017), `hinge` the hinge form (Lim &
Ye 2017), `margin` the margin loss of capsules (Sabour et al. 2017, in the form of Jaiswal et al. 2018) on the sigmoid
of a logit, which of a capsule is its length.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tintype.recipe.methods import Adversarial

MARGIN_REAL, MARGIN_FAKE, FAKE_WEIGHT = 0.9, 0.1, 0.5
"""Lengths beyond which the margin loss asks no more, and how much generated pictures weigh in it."""


LOG_FLOOR = 2e-4
"""Mean squared error of model space below which a picture counts as right: 1.6 of a*, b*, which nobody sees."""


def real_loss(logits: Tensor, kind: Adversarial) -> Tensor:
    """What the discriminator pays for doubting real pictures."""
    match kind:
        case "vanilla":
            return F.softplus(-logits).mean()
        case "lsgan":
            return (logits - 1).square().mean()
        case "hinge":
            return F.relu(1 - logits).mean()
        case "margin":
            return F.relu(MARGIN_REAL - logits.sigmoid()).square().mean()


def fake_loss(logits: Tensor, kind: Adversarial) -> Tensor:
    """What the discriminator pays for believing generated pictures."""
    match kind:
        case "vanilla":
            return F.softplus(logits).mean()
        case "lsgan":
            return logits.square().mean()
        case "hinge":
            return F.relu(1 + logits).mean()
        case "margin":
            return FAKE_WEIGHT * F.relu(logits.sigmoid() - MARGIN_FAKE).square().mean()


def generator_loss(logits: Tensor, kind: Adversarial) -> Tensor:
    """What the generator pays for being found out."""
    match kind:
        case "vanilla":
            return F.softplus(-logits).mean()
        case "lsgan":
            return (logits - 1).square().mean()
        case "hinge":
            return -logits.mean()
        case "margin":
            return F.relu(MARGIN_REAL - logits.sigmoid()).square().mean()


def l1_loss(output: Tensor, target: Tensor, vividness: float = 0.0) -> Tensor:
    """Mean absolute error; with `vividness`, pixels of chroma weigh more, after the rebalancing of Zhang et al. (2016).

    Most pixels are nearly grey, and where colour is a guess the median of all guesses is greyer still: weighed alike, a
    network learns to be timid.

    Args:
        output: `n c h w`.
        target: The same shape; with `vividness`, (a*, b*)/110.
        vividness: A pixel weighs 1 + vividness x chroma/110, divided by the mean weight of the batch.
    """
    if vividness == 0:
        return F.l1_loss(output, target)
    weight = 1 + vividness * target.square().sum(dim=1, keepdim=True).sqrt()
    return (weight / weight.mean() * (output - target).abs()).mean()


def log_error(output: Tensor, target: Tensor) -> Tensor:
    """Mean over pictures of the natural logarithm of each one's mean squared error, which is minus its PSNR / 4.34 dB.

    L1 and L2 let the few pictures that are far off decide. Here each counts by how much better it gets, as in a mean of
    PSNR: a nearly grey one that is given too much colour matters as much as a colourful one that is given too little.

    Args:
        output: `n c h w`.
        target: The same shape.
    """
    squared = (output - target).square().mean(dim=(1, 2, 3))
    return (squared + LOG_FLOOR).log().mean()


def patch_nce(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding, for each place of a picture, its own key among those of the others (Park et al. 2020).

    Args:
        queries: Unit vectors `n k c`, of k places of n pictures.
        keys: Those of the same places, to be found; the other k - 1 of the same picture are what they are told from.
        temperature: By which cosines are divided.
    """
    logits = queries.float() @ keys.float().transpose(1, 2) / temperature
    own = torch.arange(logits.shape[1], device=logits.device).expand(logits.shape[:2])
    return F.cross_entropy(logits.flatten(0, 1), own.flatten())


def right_share(logits: Tensor, kind: Adversarial, *, real: bool) -> Tensor:
    """Share of a discriminator's logits that lie on the right side: how often it tells real from generated.

    The border lies half way between what the loss asks of both kinds: 0.5 for `lsgan`, 0 for the others. No gradient
    reaches the logits.
    """
    found = logits > border(kind) if real else logits < border(kind)
    return found.mean(dtype=torch.float32)


def border(kind: Adversarial) -> float:
    """The logit above which a discriminator calls a picture real."""
    return 0.5 if kind == "lsgan" else 0.0


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    """Mean over pictures of the squared norm of a discriminator's gradient, centred at zero (Mescheder et al. 2018).

    The gradient is that of the sum of all logits of a picture. It is taken in single precision: squares of small
    numbers are lost in half.

    Args:
        discriminator: Judges each picture of a batch by itself.
        pictures: `n c h w`.

    Returns:
        A scalar that can be differentiated once more, for the discriminator's weights.
    """
    with torch.autocast(pictures.device.type, enabled=False):
        shown = pictures.detach().float().requires_grad_()
        (gradient,) = torch.autograd.grad(discriminator(shown).sum(), shown, create_graph=True)
        return gradient.square().sum(dim=(1, 2, 3)).mean()
