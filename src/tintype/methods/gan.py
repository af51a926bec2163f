"""Plain GANs (Goodfellow et al. 2014): pictures from noise, or from noise and a class.

The sound form holds the discriminator still while the generator learns, and gives it one step an iteration on real and
generated pictures. Three settings lead to another form that is often met: two steps of the discriminator with one
optimiser, new noise for the generator, and a generator's step that trains the discriminator too.

Classes are used in one of two ways. By projection the discriminator judges whether a picture is a real one of its class
(Miyato & Koyama 2018). An auxiliary classifier tells classes beside that (Odena et al. 2017); here it learns from real
pictures alone, since of generated ones it would learn to call wrong pictures by the class that was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype import losses
from tintype.image.codec import build_codec
from tintype.methods.method import Batch, Peers, Phase
from tintype.methods.noise import draw_noise
from tintype.networks import build_discriminator, build_generator
from tintype.recipe.methods import GanSpec
from tintype.recipe.schema import Recipe


@dataclass(frozen=True, slots=True)
class Made:
    """What the generator made of a step's first noise; None where no phase needs it."""

    fake: Tensor | None


class Gan:
    """Phases: the discriminator, in one step or in two, then the generator."""

    def __init__(self, recipe: Recipe, spec: GanSpec, peers: Peers | None = None) -> None:
        generator = recipe.generator
        assert generator.kind in ("mlp", "dcgan", "video")  # the schema demands it
        self.spec, self.peers = spec, peers
        self.seed, self.latent = recipe.training.seed, generator.latent
        channels = build_codec(recipe).target_channels
        self.networks = nn.ModuleDict(
            {"generator": build_generator(recipe), "discriminator": build_discriminator(recipe, channels)}
        )
        self.exports = {"": "generator"}
        self.joined = recipe.discriminator.norm != "batch"
        judges = ("discriminator",)
        trained = ("generator",) if spec.freeze_discriminator else ("generator", "discriminator")
        generators = Phase("generator", trained, "generator")
        if spec.separate_updates:
            self.phases: tuple[Phase, ...] = (
                Phase("discriminator_real", judges, "discriminator", shared="discriminator"),
                Phase("discriminator_fake", judges, "discriminator", shared="discriminator"),
                generators,
            )
        else:
            self.phases = (Phase("discriminator", judges, "discriminator"), generators)
        self._health: dict[str, Tensor] = {}

    def memory(self) -> dict[str, Any]:
        """Nothing: all noise follows from (seed, step)."""
        return {}

    def remember(self, memory: dict[str, Any]) -> None:
        """Nothing to do."""

    def take_health(self) -> dict[str, Tensor]:
        """`d/accuracy_real` and `d/accuracy_fake` of what the discriminator judged since the last call."""
        health, self._health = self._health, {}
        return health

    def forward(self, batch: Batch) -> Made:
        """Pictures from the step's first noise, with their graph where the generator learns from the same."""
        with torch.set_grad_enabled(not self.spec.fresh_noise):
            return Made(self._generate(batch, 0))

    def loss(self, phase: str, batch: Batch, out: Made) -> dict[str, Tensor]:
        """`g/adversarial` (and `g/class`), or `d/real` and `d/fake` (and `d/class`)."""
        assert out.fake is not None
        match phase:
            case "generator":
                return self._generator_terms(batch, self._generate(batch, 1) if self.spec.fresh_noise else out.fake)
            case "discriminator_real":
                return self._real_terms(batch, self._judge(batch.target, batch.source), batch.target)
            case "discriminator_fake":
                return self._fake_terms(self._judge(out.fake.detach(), batch.source))
            case _:
                return self._discriminator_terms(batch, out.fake.detach())

    def _discriminator_terms(self, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
        if self.joined:
            both = self._judge(torch.cat([batch.target, fake]), torch.cat([batch.source, batch.source]))
            on_real, on_fake = both.chunk(2)
        else:
            on_real, on_fake = self._judge(batch.target, batch.source), self._judge(fake, batch.source)
        return {**self._real_terms(batch, on_real, batch.target), **self._fake_terms(on_fake)}

    def _real_terms(self, batch: Batch, judged: Tensor, real: Tensor) -> dict[str, Tensor]:
        spec, logits = self.spec, _of_game(judged)
        self._health["d/accuracy_real"] = losses.right_share(logits, spec.adversarial, real=True)
        terms = {"d/real": spec.lambda_discriminator * losses.real_loss(logits, spec.adversarial)}
        if spec.labels == "auxiliary":
            terms["d/class"] = spec.lambda_class * F.cross_entropy(judged[:, 1:], batch.source)
        if spec.gradient_penalty > 0 and batch.step % spec.penalty_every == 0:
            bare = getattr(self.networks["discriminator"], "module", self.networks["discriminator"])
            labels = (batch.source,) if spec.labels == "projection" else ()
            penalty = losses.gradient_penalty(lambda shown: _of_game(bare(shown, *labels)), real)
            terms["d/penalty"] = spec.gradient_penalty * spec.penalty_every * penalty
        return terms

    def _fake_terms(self, judged: Tensor) -> dict[str, Tensor]:
        spec, logits = self.spec, _of_game(judged)
        self._health["d/accuracy_fake"] = losses.right_share(logits, spec.adversarial, real=False)
        return {"d/fake": spec.lambda_discriminator * losses.fake_loss(logits, spec.adversarial)}

    def _generator_terms(self, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
        judged = self._judge(fake, batch.source)
        logits = _of_game(judged)
        terms = {"g/adversarial": losses.generator_loss(logits, self.spec.adversarial)}
        if self.spec.labels == "auxiliary":
            terms["g/class"] = self.spec.lambda_class * F.cross_entropy(judged[:, 1:], batch.source)
        return terms

    def _generate(self, batch: Batch, which: int) -> Tensor:
        noise = draw_noise(batch, self.latent, self.seed, self.peers, which=which)[0]
        labels = () if self.spec.labels == "none" else (batch.source,)
        made: Tensor = self.networks["generator"](noise, *labels)
        return made

    def _judge(self, pictures: Tensor, labels: Tensor) -> Tensor:
        """Logits `n 1`, with an auxiliary classifier `n 1+classes`, or of patches."""
        told = (labels,) if self.spec.labels == "projection" else ()
        judged: Tensor = self.networks["discriminator"](pictures, *told)
        return judged


def _of_game(judged: Tensor) -> Tensor:
    """The logits that say real or generated, without those of an auxiliary classifier."""
    return judged[:, :1] if judged.ndim == 2 else judged
