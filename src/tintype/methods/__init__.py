"""Ways of training, and the builder that turns a recipe into one."""

from __future__ import annotations

from tintype.methods.method import Batch, Method, Phase
from tintype.methods.pix2pix import Pix2Pix
from tintype.recipe.schema import Recipe

__all__ = ["Batch", "Method", "Phase", "Pix2Pix", "build_method"]


def build_method(recipe: Recipe) -> Method:
    """The recipe's method with freshly drawn weights, from torch's random generator."""
    match recipe.method.kind:
        case "pix2pix":
            return Pix2Pix(recipe)
