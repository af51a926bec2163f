"""LAPGAN (Denton et al. 2015): a game for each level of a Laplacian pyramid, all in one step.

Levels learn apart: each upon real pictures of the level below it, so that none waits for another. What makes the
pictures in the end is all of them in a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tintype import losses
from tintype.image.codec import build_codec
from tintype.methods.method import Batch, Peers, Phase
from tintype.methods.noise import draw_noise
from tintype.networks import LapganDiscriminator, LapganGenerator, build_discriminator, build_generator
from tintype.networks.lapgan import pyramid
from tintype.recipe.methods import GanSpec
from tintype.recipe.schema import Recipe


@dataclass(frozen=True, slots=True)
class Levels:
    """The real pictures of a batch and what the generator made upon them, from the coarsest level on."""

    real: list[Tensor]
    fake: list[Tensor]


class Lapgan:
    """Phases: the discriminators of all levels, then their generators."""

    def __init__(self, recipe: Recipe, spec: GanSpec, peers: Peers | None = None) -> None:
        assert recipe.generator.kind == "lapgan"  # the schema demands it
        self.spec, self.peers = spec, peers
        self.seed, self.latent = recipe.training.seed, recipe.generator.latent
        channels = build_codec(recipe).target_channels
        generator = build_generator(recipe)
        assert isinstance(generator, LapganGenerator)
        self.levels = generator.levels
        self.networks = nn.ModuleDict({"generator": generator, "discriminator": build_discriminator(recipe, channels)})
        self.exports = {"": "generator"}
        self.phases: tuple[Phase, ...] = (
            Phase("discriminator", ("discriminator",), "discriminator"),
            Phase("generator", ("generator",), "generator"),
        )
        self._health: dict[str, Tensor] = {}

    def memory(self) -> dict[str, Any]:
        """Nothing: all noise follows from (seed, step)."""
        return {}

    def remember(self, memory: dict[str, Any]) -> None:
        """Nothing to do."""

    def take_health(self) -> dict[str, Tensor]:
        """`d/accuracy_real` and `d/accuracy_fake`, means over the levels, of what was judged since the last call."""
        health, self._health = self._health, {}
        return health

    def forward(self, batch: Batch) -> Levels:
        """What each level makes upon the real pictures."""
        real = pyramid(batch.target, self.levels)
        noise = draw_noise(batch, self.latent, self.seed, self.peers)[0]
        return Levels(real, self.networks["generator"](noise, self._told(batch), real))

    def loss(self, phase: str, batch: Batch, out: Levels) -> dict[str, Tensor]:
        """`g/adversarial_7`, ... or `d/real_7`, `d/fake_7`, ...: a term for each level, named by its side."""
        spec, told = self.spec, self._told(batch)
        discriminator = self.networks["discriminator"]
        if phase == "generator":
            judged = discriminator(out.fake, told, out.real)
            return {
                f"g/adversarial_{fake.shape[-1]}": losses.generator_loss(logits, spec.adversarial)
                for fake, logits in zip(out.fake, judged, strict=True)
            }
        on_real = discriminator(out.real, told, out.real)
        on_fake = discriminator([fake.detach() for fake in out.fake], told, out.real)
        terms: dict[str, Tensor] = {}
        for level, (real, fake) in enumerate(zip(on_real, on_fake, strict=True)):
            side = out.real[level].shape[-1]
            terms[f"d/real_{side}"] = spec.lambda_discriminator * losses.real_loss(real, spec.adversarial)
            terms[f"d/fake_{side}"] = spec.lambda_discriminator * losses.fake_loss(fake, spec.adversarial)
            if spec.gradient_penalty > 0 and batch.step % spec.penalty_every == 0:
                penalty = self._penalty(level, out.real, told)
                terms[f"d/penalty_{side}"] = spec.gradient_penalty * spec.penalty_every * penalty
        for kind, each in (("real", on_real), ("fake", on_fake)):
            shares = [losses.right_share(logits, spec.adversarial, real=kind == "real") for logits in each]
            self._health[f"d/accuracy_{kind}"] = torch.stack(shares).mean()
        return terms

    def _penalty(self, level: int, real: list[Tensor], told: Tensor | None) -> Tensor:
        wrapped = self.networks["discriminator"]
        judge = getattr(wrapped, "module", wrapped)  # second derivatives do not go through what Fabric wraps it in
        assert isinstance(judge, LapganDiscriminator)
        return losses.gradient_penalty(lambda shown: judge.judge(level, shown, real, told), real[level])

    def _told(self, batch: Batch) -> Tensor | None:
        """The classes, where networks are told them."""
        return None if self.spec.labels == "none" else batch.source
