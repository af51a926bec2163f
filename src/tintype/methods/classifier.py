"""Telling classes apart: the cross-entropy of labels, and, where that is wanted, of whose colours a picture wears.

Classes depend little on where in a picture its colours are. Where `foreign_chroma` is above 0, some pictures of each
batch get the chroma of another one, and a linear layer on the features, which is not shipped, learns to tell them from
the others; so the features have to keep what tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype.image.color import lab_to_display, rgb_to_lab
from tintype.methods.method import Batch, Phase
from tintype.networks import build_generator
from tintype.recipe.methods import ClassifierSpec
from tintype.recipe.schema import Recipe


@dataclass(frozen=True, slots=True)
class Told:
    """Logits `n classes`, and `n` of how foreign the colours look; None where nothing is exchanged."""

    classes: Tensor
    foreign: Tensor | None


class ClassifierMethod:
    """A batch's target is the number of each picture's class, `n`."""

    def __init__(self, recipe: Recipe, spec: ClassifierSpec) -> None:
        self.spec = spec
        self.networks = nn.ModuleDict({"classifier": build_generator(recipe)})
        self.exports = {"": "classifier"}
        if spec.foreign_chroma:
            assert recipe.generator.kind == "classifier"  # the schema demands it
            self.networks["judge"] = nn.Linear(recipe.generator.features, 1)
        self.phases: tuple[Phase, ...] = (Phase("classifier", tuple(self.networks), "generator"),)

    def memory(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def remember(self, memory: dict[str, Any]) -> None:
        """Nothing to do."""

    def take_health(self) -> dict[str, Tensor]:
        """Nothing: there is no game."""
        return {}

    def forward(self, batch: Batch) -> Told:
        """What the network says of a batch whose first pictures, which are random ones, have the chroma of the next."""
        source, count = batch.source, self._foreign(batch)
        if count:
            source = torch.cat([exchange_chroma(source[:count], source[1 : count + 1]), source[count:]])
        features, logits = self.networks["classifier"](source)
        return Told(logits, self.networks["judge"](features)[:, 0] if self.spec.foreign_chroma else None)

    def loss(self, phase: str, batch: Batch, out: Told) -> dict[str, Tensor]:
        """`c/cross_entropy` of the pictures in their own colours, and `c/foreign_chroma` of all."""
        count, smoothing = self._foreign(batch), self.spec.label_smoothing
        terms = {
            "c/cross_entropy": F.cross_entropy(out.classes[count:], batch.target[count:], label_smoothing=smoothing)
        }
        if out.foreign is not None:
            foreign = (torch.arange(len(out.foreign), device=out.foreign.device) < count).to(out.foreign.dtype)
            terms["c/foreign_chroma"] = F.binary_cross_entropy_with_logits(out.foreign, foreign)
        return terms

    def _foreign(self, batch: Batch) -> int:
        return int(self.spec.foreign_chroma * len(batch.source))


def exchange_chroma(pictures: Tensor, others: Tensor) -> Tensor:
    """The L* of pictures with the a* and b* of others, all of them RGB in model space, `n 3 h w`."""
    lightness, _ = rgb_to_lab((pictures.float() + 1) / 2).split((1, 2), dim=1)
    _, chroma = rgb_to_lab((others.float() + 1) / 2).split((1, 2), dim=1)
    return (lab_to_display(torch.cat([lightness, chroma], dim=1)) * 2 - 1).to(pictures.dtype)
