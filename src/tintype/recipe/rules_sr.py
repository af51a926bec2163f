"""What the codec and the generator of super-resolution demand of the rest of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tintype.recipe.schema import Recipe


def check_perceptual(recipe: Recipe) -> None:
    """Refuse a perceptual term where networks make no colour pictures.

    Raises:
        ValueError: One line: what came, what was needed, what to do.
    """
    if getattr(recipe.method, "lambda_perceptual", 0) > 0 and recipe.codec.kind not in ("rgb", "enlarge"):
        raise ValueError(
            f"method.lambda_perceptual compares colour pictures, which codec.kind={recipe.codec.kind} does not make: "
            "use codec.kind=rgb or enlarge, or method.lambda_perceptual=0"
        )


def check_enlarging(recipe: Recipe) -> None:
    """Refuse a recipe whose parts do not enlarge together.

    Raises:
        ValueError: One line: what came, what was needed, what to do.
    """
    codec, generator = recipe.codec.kind, recipe.generator.kind
    if (codec == "enlarge") != (generator == "srresnet"):
        raise ValueError(
            f"codec.kind=enlarge and generator.kind=srresnet belong together, got {codec} and {generator}: set both, "
            "or neither"
        )
    if codec != "enlarge":
        return
    if recipe.method.kind not in ("pix2pix", "regression"):
        raise ValueError(
            f"codec.kind=enlarge needs a method that learns from pairs, got method.kind={recipe.method.kind}: use "
            "pix2pix or regression"
        )
    if recipe.data.kind != "colour":
        raise ValueError(
            f"codec.kind=enlarge makes the small pictures from the large ones, got data.kind={recipe.data.kind}: use "
            "data.kind=colour"
        )
    scale = recipe.enlargement * recipe.generator_multiple
    for name, size in (("data.size", recipe.data.size), ("evaluation.size", recipe.evaluation.size)):
        if size is not None and size % scale:
            raise ValueError(f"{name} ({size}) must be a multiple of {scale} for codec.scale={recipe.enlargement}")
