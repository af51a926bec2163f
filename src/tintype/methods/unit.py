"""UNIT (Liu, Breuel & Kautz 2017): two variational autoencoders whose codes mean the same in both domains.

A generator is an encoder of one domain and a decoder of the other: `g_ab` encodes pictures of A and decodes to B,
`g_ba` the other way. The last blocks of both encoders are the same ones, and so are the first blocks of both decoders.
A code is the mean of a normal distribution of variance 1, from which codes are drawn in training; models use the mean.
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
from tintype.methods.noise import draw_noise
from tintype.networks import ResNet, build_discriminator, build_generator
from tintype.recipe.methods import UnitSpec
from tintype.recipe.schema import Recipe


@dataclass(frozen=True, slots=True)
class Coded:
    """What was made of one domain's pictures: by way of their own code, in the other domain, and back from there.

    `code` and `code_there` are the codes' means, of the pictures and of their translations.
    """

    same: Tensor
    fake: Tensor
    cycled: Tensor
    code: Tensor
    code_there: Tensor


class Unit:
    """Phases: both generators, then both discriminators, on one shared generator pass."""

    def __init__(self, recipe: Recipe, spec: UnitSpec, peers: Peers | None = None) -> None:
        self.spec = spec
        codec = build_codec(recipe)
        g_ab, g_ba = build_generator(recipe, "ab"), build_generator(recipe, "ba")
        assert isinstance(g_ab, ResNet) and isinstance(g_ba, ResNet)  # the schema demands it
        for place in range(g_ab.encoder_blocks - spec.shared_blocks, g_ab.encoder_blocks + spec.shared_blocks):
            g_ba.blocks[place] = g_ab.blocks[place]
        self.networks = nn.ModuleDict(
            {
                "g_ab": g_ab,
                "g_ba": g_ba,
                "d_a": build_discriminator(recipe, codec.source_channels),
                "d_b": build_discriminator(recipe, codec.target_channels),
            }
        )
        self.exports = {"_ab": "g_ab", "_ba": "g_ba"}
        self.phases: tuple[Phase, ...] = (
            Phase("generators", ("g_ab", "g_ba"), "generator"),
            Phase("discriminators", ("d_a", "d_b"), "discriminator"),
        )
        self.joined_discriminators = recipe.discriminator.norm != "batch"
        self._seed, self._peers = recipe.training.seed, peers
        self._health: dict[str, Tensor] = {}

    def memory(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def remember(self, memory: dict[str, Any]) -> None:
        """Nothing to do."""

    def take_health(self) -> dict[str, Tensor]:
        """`d/accuracy_real_a`, `d/accuracy_fake_a`, ... of what the discriminators judged since the last call."""
        health, self._health = self._health, {}
        return health

    def forward(self, batch: Batch) -> tuple[Coded, Coded]:
        """What was made of the pictures of A, and of those of B."""
        g_ab: Any = self.networks["g_ab"]
        g_ba: Any = self.networks["g_ba"]

        def drawn(code: Tensor, which: int) -> Tensor:
            noise = draw_noise(batch, code[0].numel(), self._seed, self._peers, which=which)
            return code + noise.view(code.shape).to(code)

        code_a, code_b = g_ab.encode(batch.source)[-1], g_ba.encode(batch.target)[-1]
        both = torch.cat([drawn(code_a, 0), drawn(code_b, 1)])
        parts = (len(batch.source), len(batch.target))
        fake_b, same_b = g_ab.decode(both).split(parts)
        same_a, fake_a = g_ba.decode(both).split(parts)
        there_a, there_b = g_ba.encode(fake_b)[-1], g_ab.encode(fake_a)[-1]
        cycled_a, cycled_b = g_ba.decode(drawn(there_a, 2)), g_ab.decode(drawn(there_b, 3))
        return Coded(same_a, fake_b, cycled_a, code_a, there_a), Coded(same_b, fake_a, cycled_b, code_b, there_b)

    def loss(self, phase: str, batch: Batch, out: tuple[Coded, Coded]) -> dict[str, Tensor]:
        """`g/adversarial_ab`, `g/reconstruction_a`, `g/kl_a`, `g/cycle_a`, `g/cycle_kl_a`, ..., or `d/real_a`, ..."""
        spec, (of_a, of_b) = self.spec, out
        if phase == "discriminators":
            terms: dict[str, Tensor] = {}
            for domain, real, fake in (("a", batch.source, of_b.fake), ("b", batch.target, of_a.fake)):
                judged, health = discriminator_terms(
                    self.networks[f"d_{domain}"],
                    real,
                    fake.detach(),
                    spec.adversarial,
                    weight=spec.lambda_discriminator,
                    joined=self.joined_discriminators,
                    suffix=f"_{domain}",
                )
                terms |= judged
                self._health |= health
            return terms
        terms = {}
        for direction, judge, coded in (("ab", "d_b", of_a), ("ba", "d_a", of_b)):
            loss = losses.generator_loss(self.networks[judge](coded.fake), spec.adversarial)
            terms[f"g/adversarial_{direction}"] = spec.lambda_adversarial * loss
        for domain, real, coded in (("a", batch.source, of_a), ("b", batch.target, of_b)):
            terms[f"g/reconstruction_{domain}"] = spec.lambda_reconstruction * F.l1_loss(coded.same, real)
            if spec.lambda_kl > 0:
                terms[f"g/kl_{domain}"] = spec.lambda_kl * divergence(coded.code)
            if spec.lambda_cycle > 0:
                terms[f"g/cycle_{domain}"] = spec.lambda_cycle * F.l1_loss(coded.cycled, real)
            if spec.lambda_cycle_kl > 0:
                both = divergence(coded.code) + divergence(coded.code_there)
                terms[f"g/cycle_kl_{domain}"] = spec.lambda_cycle_kl * both
        return terms


def divergence(code: Tensor) -> Tensor:
    """How far normal distributions of variance 1 around a code are from the standard one: Kullback-Leibler, in nats.

    The mean over the numbers of the code, as the errors of pictures are means over their values.
    """
    return 0.5 * code.float().square().mean()
