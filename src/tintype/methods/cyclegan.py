"""CycleGAN (Zhu et al. 2017): translation between two domains both ways, learnt without pairs.

`g_ab` makes pictures of B from pictures of A, `g_ba` the way back; `d_a` and `d_b` judge pictures of one domain each.
A step needs six generator passes: two translations, two reconstructions, two identities. Where normalisation looks at
each picture alone, a picture comes out the same whatever shares its batch, so translation and identity of one
generator are one call, and a discriminator sees real and generated pictures in one: four calls for six, two for four.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype import losses
from tintype.image.codec import build_codec
from tintype.methods.game import discriminator_terms
from tintype.methods.method import Batch, Peers, Phase
from tintype.methods.pool import ImagePool
from tintype.networks import build_discriminator, build_generator
from tintype.recipe.methods import CycleGanSpec
from tintype.recipe.schema import Recipe

_POOL_STREAM = 2**41
"""Apart from all that the data draws from the same seed."""


@dataclass(frozen=True, slots=True)
class Translated:
    """What the generators made of a batch; identities are None where their weight is 0."""

    fake_a: Tensor
    fake_b: Tensor
    cycled_a: Tensor
    cycled_b: Tensor
    identity_a: Tensor | None
    identity_b: Tensor | None


class CycleGan:
    """Phases: both generators, then both discriminators, on one shared generator pass."""

    def __init__(self, recipe: Recipe, spec: CycleGanSpec, peers: Peers | None = None) -> None:
        self.spec = spec
        codec = build_codec(recipe)
        self.networks = nn.ModuleDict(
            {
                "g_ab": build_generator(recipe, "ab"),
                "g_ba": build_generator(recipe, "ba"),
                "d_a": build_discriminator(recipe, codec.source_channels),
                "d_b": build_discriminator(recipe, codec.target_channels),
            }
        )
        self.exports = {"_ab": "g_ab", "_ba": "g_ba"}
        self._health: dict[str, Tensor] = {}
        self.phases: tuple[Phase, ...] = (
            Phase("generators", ("g_ab", "g_ba"), "generator"),
            Phase("discriminators", ("d_a", "d_b"), "discriminator"),
        )
        self.joined_generators = recipe.generator.norm != "batch"
        self.joined_discriminators = recipe.discriminator.norm != "batch"
        self.pools = {
            name: ImagePool(spec.pool, recipe.training.seed, _POOL_STREAM + number, peers)
            for number, name in enumerate(("a", "b"))
        }

    def memory(self) -> dict[str, Any]:
        """The pictures in the pools."""
        return {name: list(pool.pictures) for name, pool in self.pools.items()}

    def remember(self, memory: dict[str, Any]) -> None:
        """Fill the pools."""
        device = next(self.networks.parameters()).device
        for name, pool in self.pools.items():
            pool.pictures = [picture.to(device) for picture in memory[name]]

    def take_health(self) -> dict[str, Tensor]:
        """`d/accuracy_real_a`, `d/accuracy_fake_a`, ... of what the discriminators judged since the last call."""
        health, self._health = self._health, {}
        return health

    def forward(self, batch: Batch) -> Translated:
        """Both translations, their ways back, and what each generator makes of its own target domain."""
        g_ab, g_ba = self.networks["g_ab"], self.networks["g_ba"]
        fake_b, identity_b = self._translate(g_ab, batch.source, batch.target)
        fake_a, identity_a = self._translate(g_ba, batch.target, batch.source)
        return Translated(fake_a, fake_b, g_ba(fake_b), g_ab(fake_a), identity_a, identity_b)

    def _translate(self, generator: nn.Module, source: Tensor, own: Tensor) -> tuple[Tensor, Tensor | None]:
        """A generator's pictures of the source, and of pictures of the domain that it makes."""
        if self.spec.lambda_identity == 0:
            return generator(source), None
        if self.joined_generators:
            made, same = generator(torch.cat([source, own])).chunk(2)
            return made, same
        return generator(source), generator(own)

    def loss(self, phase: str, batch: Batch, out: Translated) -> dict[str, Tensor]:
        """`g/adversarial_ab`, `g/cycle_a`, `g/identity_a`, ..., or `d/real_a`, `d/fake_a`, ..."""
        if phase == "generators":
            return self._generator_terms(batch, out)
        return {
            **self._judged("a", batch.source, out.fake_a, batch.step),
            **self._judged("b", batch.target, out.fake_b, batch.step),
        }

    def _generator_terms(self, batch: Batch, out: Translated) -> dict[str, Tensor]:
        spec = self.spec
        terms = {}
        for direction, discriminator, fake in (("ab", "d_b", out.fake_b), ("ba", "d_a", out.fake_a)):
            loss = losses.generator_loss(self.networks[discriminator](fake), spec.adversarial)
            terms[f"g/adversarial_{direction}"] = spec.lambda_adversarial * loss
        lambda_b = spec.lambda_cycle if spec.lambda_cycle_b is None else spec.lambda_cycle_b
        for name, weight, cycled, real in (
            ("cycle_a", spec.lambda_cycle, out.cycled_a, batch.source),
            ("cycle_b", lambda_b, out.cycled_b, batch.target),
            ("identity_a", spec.lambda_identity, out.identity_a, batch.source),
            ("identity_b", spec.lambda_identity, out.identity_b, batch.target),
        ):
            if cycled is not None and weight > 0:
                terms[f"g/{name}"] = weight * F.l1_loss(cycled, real)
        return terms

    def _judged(self, domain: str, real: Tensor, fake: Tensor, step: int) -> dict[str, Tensor]:
        """What the discriminator of a domain pays for a batch."""
        spec, discriminator = self.spec, self.networks[f"d_{domain}"]
        shown = self.pools[domain].exchange(fake.detach(), step)
        terms, health = discriminator_terms(
            discriminator,
            real,
            shown,
            spec.adversarial,
            weight=spec.lambda_discriminator,
            joined=self.joined_discriminators,
            suffix=f"_{domain}",
        )
        self._health |= health
        if spec.gradient_penalty > 0 and step % spec.penalty_every == 0:
            weight = spec.gradient_penalty * spec.penalty_every
            bare = getattr(discriminator, "module", discriminator)  # what Fabric wraps it in allows no gradients here
            terms[f"d/penalty_{domain}"] = weight * losses.gradient_penalty(bare, real)
        return terms
