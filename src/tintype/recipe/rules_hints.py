"""What hints ask of the rest of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tintype.recipe.schema import Recipe


def check_hints(recipe: Recipe) -> None:
    """Refuse hints for a network that does not predict chroma, or that has no place for them.

    Raises:
        ValueError: With one line of what does not fit.
    """
    data = recipe.data
    if data.kind != "colour" or not data.hints.any:
        return
    for field, given, needed in (
        ("codec.kind", recipe.codec.kind, ("lab",)),
        ("method.kind", recipe.method.kind, ("pix2pix", "regression")),
        ("generator.kind", recipe.generator.kind, ("unet",)),
    ):
        if given not in needed:
            raise ValueError(f"data.hints needs {field}={' or '.join(needed)}, got {given}; or set data.hints.mean=0")
    if data.hints.largest > data.size:
        raise ValueError(f"data.hints.largest ({data.hints.largest}) must be at most data.size ({data.size})")
