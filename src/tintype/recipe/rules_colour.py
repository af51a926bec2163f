"""What terms that look at the finished picture, or at what is in it, ask of the rest of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tintype.recipe.schema import Recipe


def check_colour_terms(recipe: Recipe) -> None:
    """Refuse them for networks that make whole pictures, for pictures without classes, for encoders without maps.

    Raises:
        ValueError: With one line of what does not fit.
    """
    method = recipe.method
    if method.kind != "pix2pix":
        return
    if method.measures_display and recipe.codec.kind != "lab":
        raise ValueError(
            "method.lambda_display and method.colourfulness look at predicted chroma on the finished picture, which "
            f"codec.kind={recipe.codec.kind} makes whole: use codec.kind=lab, or set both to 0"
        )
    if method.classes == 1:
        raise ValueError("method.classes=1: one class is nothing to tell; set it to 0, or to as many as there are")
    if not method.classes:
        return
    for field, given, needed in (
        ("data.kind", recipe.data.kind, "colour"),
        ("data.subject", getattr(recipe.data, "subject", "none"), "folder"),
        ("generator.kind", recipe.generator.kind, "unet"),
        ("generator.noise", getattr(recipe.generator, "noise", "none"), "none"),
    ):
        if given != needed:
            raise ValueError(f"method.classes needs {field}={needed}, got {given}; or set method.classes=0")
