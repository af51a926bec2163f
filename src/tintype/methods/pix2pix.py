"""pix2pix (Isola et al. 2017): a conditional GAN on pairs, with an L1 term.

The discriminator sees source and target joined by channel, or the target alone. Where the target is smaller than the
source (chroma at a lower size), the source is reduced by area to it first; where it is larger, it is enlarged. With no
adversarial weight there is no discriminator at all; a stage of L1 alone leaves it out until the generator knows the
pairs. With small pictures as sources this is SRGAN (Ledig et al. 2017).

A generator with noise z would learn to ignore it. Two things keep it in use: of several z for a source only the one of
the nearest result learns, and an encoder has to tell z from the result (Zhu et al. 2017b).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype import losses
from tintype.image.codec import LabSpace, build_codec
from tintype.methods.class_head import ClassHead, class_loss
from tintype.methods.display import DisplayTerms
from tintype.methods.game import discriminator_terms
from tintype.methods.method import Batch, Peers, Phase
from tintype.methods.noise import draw_noise, latent_loss, nearest_noise
from tintype.methods.perceptual import open_perceptual
from tintype.methods.teacher import Teacher, require_teacher, teacher_memory
from tintype.networks import UNet, build_discriminator, build_generator, build_latent_encoder
from tintype.recipe.methods import Pix2PixSpec
from tintype.recipe.schema import Recipe


@dataclass(frozen=True, slots=True)
class Made:
    """The generated target, and the noise that it was made with."""

    target: Tensor
    noise: Tensor | None = None
    class_logits: Tensor | None = None
    """Logits `n classes` of what is in the source."""


class Pix2Pix:
    """Phases: discriminator, then generator, on one shared generator pass."""

    def __init__(self, recipe: Recipe, spec: Pix2PixSpec, peers: Peers | None = None) -> None:
        self.spec = spec
        self._latent = getattr(recipe.generator, "latent", 0) if "noise" in recipe.inputs else 0
        self._seed, self._peers = recipe.training.seed, peers
        self.stride, self.enlargement = recipe.output_stride, recipe.enlargement
        self.networks = nn.ModuleDict({"generator": build_generator(recipe)})
        self.exports = {"": "generator"}
        self._health: dict[str, Tensor] = {}
        if spec.lambda_latent > 0:
            self.networks["encoder"] = build_latent_encoder(recipe)
        if spec.classes:
            generator = self.networks["generator"]
            assert isinstance(generator, UNet)  # the schema demands it
            self.networks["class_head"] = ClassHead(generator.map_channels[-2:], spec.classes)
        self.phases: tuple[Phase, ...] = (Phase("generator", tuple(self.networks), "generator"),)
        if self.spec.lambda_adversarial > 0:
            alone = None if spec.conditional else build_codec(recipe).target_channels
            self.networks["discriminator"] = build_discriminator(recipe, alone)
            self.phases = (Phase("discriminator", ("discriminator",), "discriminator"), *self.phases)
        self._display: DisplayTerms | None = None
        if spec.measures_display:
            codec = build_codec(recipe)
            assert isinstance(codec, LabSpace)  # the schema demands it
            self._display = DisplayTerms(codec, spec)
        self._perceptual = open_perceptual(spec.perceptual) if spec.lambda_perceptual > 0 else None
        self.teacher: Teacher | None = None

    def memory(self) -> dict[str, Any]:
        """Which teacher it has."""
        return teacher_memory(self.teacher)

    def remember(self, memory: dict[str, Any]) -> None:
        """Nothing but that the teacher is the same."""
        require_teacher(memory, self.teacher)

    def take_health(self) -> dict[str, Tensor]:
        """`d/accuracy_real` and `d/accuracy_fake`, where the discriminator has judged since the last call."""
        health, self._health = self._health, {}
        return health

    def forward(self, batch: Batch) -> Made:
        """The generated target."""
        generator: Any = self.networks["generator"]
        if self.spec.classes:
            maps = generator.encode(batch.source, **batch.told)
            return Made(generator.decode(*maps), class_logits=self.networks["class_head"](*maps[-2:]))
        if not self._latent:
            return Made(generator(batch.source, **batch.told))
        drawn = draw_noise(batch, self._latent, self._seed, self._peers, times=self.spec.candidates)
        noise = drawn[0] if len(drawn) == 1 else nearest_noise(generator, batch, drawn)
        return Made(generator(batch.source, noise, **batch.told), noise)

    def loss(self, phase: str, batch: Batch, out: Made) -> dict[str, Tensor]:
        """`d/real` and `d/fake`, or `g/adversarial`, `g/l1`, ...; a term that weighs nothing is left out."""
        spec = self.spec
        joined = batch.step >= spec.l1_steps and batch.epoch >= spec.l1_epochs
        adversarial = spec.lambda_adversarial > 0 and joined
        if phase == "discriminator":
            if not adversarial:
                return {}
            terms, self._health = discriminator_terms(
                lambda shown: self._judge(batch, shown),
                batch.target,
                out.target.detach(),
                spec.adversarial,
                weight=spec.lambda_discriminator,
                joined=False,
            )
            return terms
        terms = {}
        if adversarial:
            logits = self._judge(batch, out.target)
            terms["g/adversarial"] = spec.lambda_adversarial * losses.generator_loss(logits, spec.adversarial)
        if spec.lambda_l1 > 0:
            terms["g/l1"] = spec.lambda_l1 * losses.l1_loss(out.target, batch.target, spec.vividness)
        if spec.lambda_l2 > 0:
            terms["g/l2"] = spec.lambda_l2 * F.mse_loss(out.target, batch.target)
        if spec.lambda_log > 0:
            terms["g/log"] = spec.lambda_log * losses.log_error(out.target, batch.target)
        if self._display is not None:
            terms |= self._display.loss(batch, out.target)
        if out.class_logits is not None and batch.subject is not None:
            terms["g/class"] = spec.lambda_class * class_loss(out.class_logits, batch.subject)
        if self.teacher is not None and spec.lambda_teacher > 0:
            terms["g/teacher"] = spec.lambda_teacher * self.teacher.loss(out.target, batch)
        if self._perceptual is not None and joined:
            terms["g/perceptual"] = spec.lambda_perceptual * self._perceptual(out.target, batch.target)
        if spec.lambda_latent > 0 and out.noise is not None:
            terms["g/latent"] = spec.lambda_latent * latent_loss(self.networks["encoder"], out.target, out.noise)
        return terms

    def _judge(self, batch: Batch, target: Tensor) -> Tensor:
        if not self.spec.conditional:
            return self.networks["discriminator"](target)
        if self.enlargement > 1:
            larger = F.interpolate(batch.source, scale_factor=float(self.enlargement), mode="nearest")
            return self.networks["discriminator"](torch.cat([larger, target], dim=1))
        return self.networks["discriminator"](torch.cat([batch.source_at(self.stride), target], dim=1))
