"""What clips ask of the rest of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tintype.recipe.generators import halvings

if TYPE_CHECKING:
    from tintype.recipe.schema import Recipe


def check_video(recipe: Recipe) -> None:
    """Refuse clips without all three of data that move, a generator and a discriminator of clips, and what they lack.

    Raises:
        ValueError: One line for people.
    """
    generator, discriminator = recipe.generator, recipe.discriminator
    parts = {
        "data.motion": recipe.frames > 1,
        "generator.kind=video": generator.kind == "video",
        "discriminator.kind=video": discriminator.kind == "video",
    }
    if not any(parts.values()):
        return
    if not all(parts.values()):
        present = next(name for name, given in parts.items() if given)
        missing = ", ".join(name for name, given in parts.items() if not given)
        raise ValueError(f"{present} needs {missing} beside it: clips are made from noise, and by networks of clips")
    assert generator.kind == "video" and discriminator.kind == "video" and recipe.method.kind == "gan"
    if recipe.codec.kind != "gray":
        raise ValueError(f"codec.kind={recipe.codec.kind} does not go with data.motion: clips are grey, use gray")
    if recipe.method.labels == "auxiliary":
        raise ValueError("method.labels=auxiliary is not for clips: use projection, or none")
    if (least := halvings(recipe.data.size)) < 1:
        raise ValueError(f"data.size ({recipe.data.size}) must be even for clips")
    levels = generator.levels or least
    if recipe.data.size % 2**levels:
        raise ValueError(
            f"data.size ({recipe.data.size}) must be a multiple of {2**levels} for generator.levels={levels}"
        )
    if discriminator.frames > recipe.frames:
        raise ValueError(
            f"discriminator.frames ({discriminator.frames}) must be at most data.motion.frames ({recipe.frames})"
        )
