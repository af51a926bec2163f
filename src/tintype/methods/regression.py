"""Regression on pairs: the mean absolute error alone; what remains of pix2pix without its discriminator."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from tintype import losses
from tintype.methods.method import Batch, Phase
from tintype.methods.teacher import Teacher, require_teacher, teacher_memory
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
        self.teacher: Teacher | None = None

    def memory(self) -> dict[str, Any]:
        """Which teacher it has."""
        return teacher_memory(self.teacher)

    def remember(self, memory: dict[str, Any]) -> None:
        """Nothing but that the teacher is the same."""
        require_teacher(memory, self.teacher)

    def take_health(self) -> dict[str, Tensor]:
        """Nothing: there is no game."""
        return {}

    def forward(self, batch: Batch) -> Tensor:
        """The generated target."""
        return self.networks["generator"](batch.source, **batch.told)

    def loss(self, phase: str, batch: Batch, out: Tensor) -> dict[str, Tensor]:
        """`g/l1`, and `g/teacher` where there is one."""
        terms = {"g/l1": self.spec.lambda_l1 * losses.l1_loss(out, batch.target, self.spec.vividness)}
        if self.teacher is not None and self.spec.lambda_teacher > 0:
            terms["g/teacher"] = self.spec.lambda_teacher * self.teacher.loss(out, batch)
        return terms
