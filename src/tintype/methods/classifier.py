"""Telling classes apart: one network, one phase, the cross-entropy of labels."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from tintype.methods.method import Batch, Phase
from tintype.networks import build_generator
from tintype.recipe.methods import ClassifierSpec
from tintype.recipe.schema import Recipe


class ClassifierMethod:
    """A batch's target is the number of each picture's class, `n`."""

    def __init__(self, recipe: Recipe, spec: ClassifierSpec) -> None:
        self.spec = spec
        self.networks = nn.ModuleDict({"classifier": build_generator(recipe)})
        self.exports = {"": "classifier"}
        self.phases: tuple[Phase, ...] = (Phase("classifier", ("classifier",), "generator"),)

    def memory(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def remember(self, memory: dict[str, Any]) -> None:
        """Nothing to do."""

    def forward(self, batch: Batch) -> Tensor:
        """The logits, `n classes`."""
        _, logits = self.networks["classifier"](batch.source)
        return logits

    def loss(self, phase: str, batch: Batch, out: Tensor) -> dict[str, Tensor]:
        """`c/cross_entropy`."""
        return {"c/cross_entropy": F.cross_entropy(out, batch.target, label_smoothing=self.spec.label_smoothing)}
