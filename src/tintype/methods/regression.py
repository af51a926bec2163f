"""Regression on pairs: the mean absolute error alone; what remains of pix2pix without its discriminator."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from tintype import losses
from tintype.methods.method import Batch, Phase
from tintype.networks import build_generator
from tintype.recipe.methods import RegressionSpec
from tintype.recipe.schema import Recipe


class Regression:
    """One phase: the generator."""

    def __init__(self, recipe: Recipe, spec: RegressionSpec) -> None:
        self.spec = spec
        self.networks = nn.ModuleDict({"generator": build_generator(recipe)})
        self.exports = {"": "generator"}
        self.phases: tuple[Phase, ...] = (Phase("generator", ("generator",), "generator"),)

    def memory(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def remember(self, memory: dict[str, Any]) -> None:
        """Nothing to do."""

    def take_health(self) -> dict[str, Tensor]:
        """Nothing: there is no game."""
        return {}

    def forward(self, batch: Batch) -> Tensor:
        """The generated target."""
        return self.networks["generator"](batch.source, **batch.told)

    def loss(self, phase: str, batch: Batch, out: Tensor) -> dict[str, Tensor]:
        """`g/l1`."""
        return {"g/l1": self.spec.lambda_l1 * losses.l1_loss(out, batch.target, self.spec.vividness)}
