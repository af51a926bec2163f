"""What noise in a generator and the methods that use it ask of the rest of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tintype.recipe.schema import Recipe


SMALLEST_TOLD = 16
"""Side in pixels of the smallest target that an encoder tells noise from: it halves it four times."""


def check_noise_in_use(recipe: Recipe) -> None:
    """Refuse noise that nothing keeps in use, and settings for noise that is not there; ValueError, for validators."""
    method, noise = recipe.method, getattr(recipe.generator, "noise", "none")
    latent, candidates = getattr(method, "lambda_latent", 0.0), getattr(method, "candidates", 1)
    if noise != "input":
        for field, given in (
            ("method.lambda_latent", latent > 0),
            ("method.candidates", candidates > 1),
            ("inference.temperature", recipe.inference.temperature != 1),
        ):
            if given:
                raise ValueError(f"{field} is about the noise of generator.noise=input, got noise={noise}")
        return
    if method.kind not in ("pix2pix", "cyclegan"):
        raise ValueError(
            f"generator.noise=input needs a method that keeps noise in use, and method.kind={method.kind} would learn "
            "to ignore it: use pix2pix with method.candidates above 1, or cyclegan with method.lambda_latent above 0"
        )
    if method.kind == "cyclegan" and latent == 0:
        raise ValueError(
            "generator.noise=input needs method.lambda_latent above 0 with method.kind=cyclegan: without an encoder no "
            "colour would come back from grey, and the generator would learn to ignore the noise"
        )
    if latent > 0 and recipe.codec_chroma_size < SMALLEST_TOLD:
        raise ValueError(
            f"method.lambda_latent tells the noise from chroma of at least {SMALLEST_TOLD} pixels, codec.chroma_size "
            f"is {recipe.codec_chroma_size}: raise it, or use method.lambda_latent=0"
        )
