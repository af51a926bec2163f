"""What methods that learn without pairs demand of the other sections of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tintype.recipe.methods import CutSpec, CycleGanSpec, UnitSpec

if TYPE_CHECKING:
    from tintype.recipe.schema import Recipe

TWO_WAY = ("cyclegan", "unit")
"""Kinds of methods that train both directions."""


def check_unpaired(recipe: Recipe, method: CycleGanSpec | CutSpec | UnitSpec) -> None:
    """Refuse what a method that learns without pairs cannot work with.

    Raises:
        ValueError: In one line, what came, what was needed, and what to do.
    """
    source = getattr(recipe.codec, "source", "")
    if recipe.codec.kind == "lab":
        raise ValueError(
            f"method.kind={method.kind} translates whole pictures, codec.kind=lab makes chroma alone: use "
            "codec.kind=rgb with codec.source=grey3"
        )
    if method.kind in TWO_WAY and getattr(recipe.data, "direction", "ab") == "ba":
        raise ValueError(
            f"data.direction=ba only turns the names round where method.kind={method.kind} trains both directions: "
            "leave it out, and give --direction to the commands that use the model"
        )
    if recipe.evaluation.best_by not in (None, "last"):
        raise ValueError(
            f"evaluation.best_by={recipe.evaluation.best_by} needs a method that learns from pairs; {method.kind} "
            "ships the last networks: leave it out"
        )
    match method:
        case CycleGanSpec():
            if method.lambda_identity > 0 and source == "grey":
                raise ValueError(
                    "method.lambda_identity needs generators with as many channels in as out: use codec.source=grey3, "
                    "or method.lambda_identity=0"
                )
            if method.gradient_penalty > 0 and recipe.discriminator.norm == "batch":
                raise ValueError(
                    "method.gradient_penalty needs a discriminator that judges each picture by itself: use "
                    "discriminator.norm=instance or none"
                )
        case CutSpec():
            if recipe.generator.kind not in ("unet", "resnet"):
                raise ValueError(
                    "method.kind=cut compares what the first half of a generator says, generator.kind="
                    f"{recipe.generator.kind} is not made of two: use generator.kind=resnet or unet"
                )
            if source == "grey":
                raise ValueError(
                    "method.kind=cut shows the generator what it has made, which needs as many channels in as out: use "
                    "codec.source=grey3"
                )
        case UnitSpec():
            _check_unit(recipe, method)


def _check_unit(recipe: Recipe, method: UnitSpec) -> None:
    generator = recipe.generator
    if generator.kind != "resnet":
        raise ValueError(
            f"method.kind=unit needs a generator whose code is all that its decoder sees, generator.kind="
            f"{generator.kind} is none: use generator.kind=resnet"
        )
    if generator.norm == "batch":
        raise ValueError(
            "method.kind=unit shares blocks between two domains, whose statistics generator.norm=batch would mix: use "
            "generator.norm=instance or none"
        )
    if method.shared_blocks > generator.blocks // 2:
        raise ValueError(
            f"method.shared_blocks ({method.shared_blocks}) must be at most half of generator.blocks "
            f"({generator.blocks}): one half of them encodes, the other decodes"
        )
