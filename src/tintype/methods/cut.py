"""CUT (Park et al. 2020): one-way translation without pairs and without a second generator.

The generator's encoder looks at a picture and at its translation. What it says of a place of the translation must be
nearer to what it says of the same place of the source than to what it says of other places of that picture; that keeps
content where it is, and the discriminator asks for the look of domain B. The same is asked of pictures of B, which are
then to stay as they are; without that term and with a weight of 10 it is FastCUT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tintype import losses
from tintype.image.codec import build_codec
from tintype.methods.game import discriminator_terms
from tintype.methods.method import Batch, Phase
from tintype.networks import Projector, ResNet, UNet, build_discriminator, build_generator
from tintype.networks.blocks import initialise
from tintype.recipe.methods import CutSpec
from tintype.recipe.schema import Recipe

_PLACES_STREAM = 2**41 + 16
"""Apart from all that the data and the image pools draw from the same seed."""


@dataclass(frozen=True, slots=True)
class Made:
    """What the generator made of the sources, and, where that is asked for, of pictures of B after them.

    `maps`: what its encoder said of all pictures that it was shown, the pictures themselves first; without gradients.
    """

    pictures: Tensor
    maps: tuple[Tensor, ...]


class Cut:
    """Phases: discriminator, then generator and projector, on one shared generator pass."""

    def __init__(self, recipe: Recipe, spec: CutSpec) -> None:
        self.spec = spec
        channels = build_codec(recipe).target_channels
        generator = build_generator(recipe)
        assert isinstance(generator, UNet | ResNet)  # the schema demands it
        projector = Projector((channels, *generator.map_channels), spec.projection)
        initialise(projector, recipe.generator.init)
        self.networks = nn.ModuleDict(
            {
                "generator": generator,
                "projector": projector,
                "discriminator": build_discriminator(recipe, channels),
            }
        )
        self.exports = {"": "generator"}
        self.phases: tuple[Phase, ...] = (
            Phase("discriminator", ("discriminator",), "discriminator"),
            Phase("generator", ("generator", "projector"), "generator"),
        )
        self.seed = recipe.training.seed
        self.joined_generator = recipe.generator.norm != "batch"
        self.joined_discriminator = recipe.discriminator.norm != "batch"
        self._health: dict[str, Tensor] = {}

    def memory(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def remember(self, memory: dict[str, Any]) -> None:
        """Nothing to do."""

    def take_health(self) -> dict[str, Tensor]:
        """`d/accuracy_real` and `d/accuracy_fake` of what the discriminator judged since the last call."""
        health, self._health = self._health, {}
        return health

    def forward(self, batch: Batch) -> Made:
        """The translations, and what the generator makes of its own target domain."""
        generator: Any = self.networks["generator"]
        shown = (batch.source, batch.target) if self.spec.lambda_identity > 0 else (batch.source,)
        made, maps = [], []
        for pictures in self._apart(torch.cat(shown), len(shown)):
            found = generator.encode(pictures)
            made.append(generator.decode(*found))
            maps.append((pictures, *found))
        return Made(torch.cat(made), tuple(torch.cat(parts).detach() for parts in zip(*maps, strict=True)))

    def loss(self, phase: str, batch: Batch, out: Made) -> dict[str, Tensor]:
        """`g/adversarial`, `g/nce` and `g/nce_identity`, or `d/real` and `d/fake`."""
        spec, discriminator = self.spec, self.networks["discriminator"]
        fake = out.pictures[: len(batch.source)]
        if phase == "discriminator":
            terms, self._health = discriminator_terms(
                discriminator,
                batch.target,
                fake.detach(),
                spec.adversarial,
                weight=spec.lambda_discriminator,
                joined=self.joined_discriminator,
            )
            return terms
        terms = {
            "g/adversarial": spec.lambda_adversarial * losses.generator_loss(discriminator(fake), spec.adversarial)
        }
        weights = {"g/nce": spec.lambda_nce, "g/nce_identity": spec.lambda_identity}
        contrasts = self._contrast(out, len(out.pictures) // len(fake), batch.step)
        return terms | {
            name: weights[name] * value
            for name, value in zip(weights, contrasts, strict=False)  # one, or both
        }

    def _contrast(self, out: Made, parts: int, step: int) -> list[Tensor]:
        """For sources and for pictures of B: how hard places of what was made are to find again."""
        generator: Any = self.networks["generator"]
        projector = self.networks["projector"]
        found = [(part, *generator.encode(part)) for part in self._apart(out.pictures, parts)]
        maps = [torch.cat(part) for part in zip(*found, strict=True)]
        places = self._places(maps, step)
        with torch.no_grad():
            keys = projector(out.maps, places)
        queries = projector(maps, places)
        contrasts: list[Tensor] = []
        for part in range(parts):
            own = [
                losses.patch_nce(query.chunk(parts)[part], key.chunk(parts)[part], self.spec.temperature)
                for query, key in zip(queries, keys, strict=True)
                if query.shape[1] > 1  # a map of one place has nothing to tell it from
            ]
            contrasts.append(torch.stack(own).mean())
        return contrasts

    def _apart(self, pictures: Tensor, parts: int) -> tuple[Tensor, ...]:
        """Pictures as the generator may be shown them: at once, where none changes what it makes of another."""
        return (pictures,) if self.joined_generator else pictures.chunk(parts)

    def _places(self, maps: list[Tensor], step: int) -> list[Tensor]:
        """Places of each map that are compared in a step, the same of all pictures."""
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence((self.seed, _PLACES_STREAM, step))))
        places = []
        for one in maps:
            count = one.shape[2] * one.shape[3]
            chosen = random.choice(count, min(self.spec.places, count), replace=False)
            places.append(torch.from_numpy(chosen).to(one.device))
        return places
