"""pix2pix (Isola et al. 2017): a conditional GAN on pairs, with an L1 term.

The discriminator sees source and target joined by channel, or the target alone. Where the target is smaller than the
source (chroma at a lower size), the source is reduced by area to it first; where it is larger, it is enlarged. With no
adversarial weight there is no discriminator at all; a stage of L1 alone leaves it out until the generator knows the
pairs. With small pictures as sources this is SRGAN (Ledig et al. 2017).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype import losses
from tintype.image.codec import build_codec
from tintype.methods.method import Batch, Phase
from tintype.methods.perceptual import open_perceptual
from tintype.networks import build_discriminator, build_generator
from tintype.recipe.methods import Pix2PixSpec
from tintype.recipe.schema import Recipe


class Pix2Pix:
    """Phases: discriminator, then generator, on one shared generator pass."""

    def __init__(self, recipe: Recipe, spec: Pix2PixSpec) -> None:
        self.spec = spec
        self.stride, self.enlargement = recipe.output_stride, recipe.enlargement
        self.networks = nn.ModuleDict({"generator": build_generator(recipe)})
        self.exports = {"": "generator"}
        self._health: dict[str, Tensor] = {}
        self.phases: tuple[Phase, ...] = (Phase("generator", ("generator",), "generator"),)
        if self.spec.lambda_adversarial > 0:
            alone = None if spec.conditional else build_codec(recipe).target_channels
            self.networks["discriminator"] = build_discriminator(recipe, alone)
            self.phases = (Phase("discriminator", ("discriminator",), "discriminator"), *self.phases)
        self._perceptual = open_perceptual(spec.perceptual) if spec.lambda_perceptual > 0 else None

    def memory(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def remember(self, memory: dict[str, Any]) -> None:
        """Nothing to do."""

    def take_health(self) -> dict[str, Tensor]:
        """`d/accuracy_real` and `d/accuracy_fake`, where the discriminator has judged since the last call."""
        health, self._health = self._health, {}
        return health

    def forward(self, batch: Batch) -> Tensor:
        """The generated target."""
        return self.networks["generator"](batch.source)

    def loss(self, phase: str, batch: Batch, out: Tensor) -> dict[str, Tensor]:
        """`d/real` and `d/fake`, or `g/adversarial`, `g/l1`, ...; a term that weighs nothing is left out."""
        spec = self.spec
        joined = batch.step >= spec.l1_steps and batch.epoch >= spec.l1_epochs
        adversarial = spec.lambda_adversarial > 0 and joined
        if phase == "discriminator":
            if not adversarial:
                return {}
            on_real, on_fake = self._judge(batch, batch.target), self._judge(batch, out.detach())
            self._health = {
                "d/accuracy_real": losses.right_share(on_real, spec.adversarial, real=True),
                "d/accuracy_fake": losses.right_share(on_fake, spec.adversarial, real=False),
            }
            real = losses.real_loss(on_real, spec.adversarial)
            fake = losses.fake_loss(on_fake, spec.adversarial)
            return {"d/real": spec.lambda_discriminator * real, "d/fake": spec.lambda_discriminator * fake}
        terms = {}
        if adversarial:
            logits = self._judge(batch, out)
            terms["g/adversarial"] = spec.lambda_adversarial * losses.generator_loss(logits, spec.adversarial)
        if spec.lambda_l1 > 0:
            terms["g/l1"] = spec.lambda_l1 * losses.l1_loss(out, batch.target, spec.vividness)
        if spec.lambda_l2 > 0:
            terms["g/l2"] = spec.lambda_l2 * F.mse_loss(out, batch.target)
        if self._perceptual is not None and joined:
            terms["g/perceptual"] = spec.lambda_perceptual * self._perceptual(out, batch.target)
        return terms

    def _judge(self, batch: Batch, target: Tensor) -> Tensor:
        if not self.spec.conditional:
            return self.networks["discriminator"](target)
        if self.enlargement > 1:
            larger = F.interpolate(batch.source, scale_factor=float(self.enlargement), mode="nearest")
            return self.networks["discriminator"](torch.cat([larger, target], dim=1))
        condition = F.avg_pool2d(batch.source, self.stride) if self.stride > 1 else batch.source
        return self.networks["discriminator"](torch.cat([condition, target], dim=1))
