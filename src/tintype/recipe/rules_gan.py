"""What methods that make pictures from noise ask of the rest of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tintype.recipe.generators import DcganDiscriminatorSpec, DcganSpec, VideoSpec, halvings
from tintype.recipe.rules_video import check_video

if TYPE_CHECKING:
    from tintype.recipe.networks import DiscriminatorSpec, GeneratorSpec
    from tintype.recipe.schema import Recipe

OF_NOISE = ("mlp", "dcgan", "lapgan", "video")
"""Kinds of generators that make pictures or clips from noise, and of the discriminators that go with them."""


def makes_from_noise(recipe: Recipe) -> bool:
    """Whether pictures are made from noise alone, or noise and a class."""
    return "source" not in recipe.inputs


def check_gan(recipe: Recipe) -> None:
    """Refuse parts that contradict each other where pictures are made from noise, or are for that alone.

    Raises:
        ValueError: One line for people.
    """
    method, generator, noise = recipe.method, recipe.generator, makes_from_noise(recipe)
    if noise != (method.kind == "gan"):
        raise ValueError(
            f"method.kind={method.kind} does not go with generator.kind={generator.kind}: a generator that makes "
            f"pictures from noise ({', '.join(OF_NOISE)}) and method.kind=gan belong together"
        )
    if recipe.codec.kind == "gray" and recipe.codec.unit_range and not noise:
        raise ValueError("codec.unit_range is for method.kind=gan: leave it out")
    if recipe.evaluation.features != "caltech101" and not noise:
        raise ValueError("evaluation.features judges pictures made from noise: leave it out")
    if method.kind != "gan":
        if recipe.frames > 1:
            raise ValueError(f"data.motion makes clips, which are for method.kind=gan, not {method.kind}: leave it out")
        if recipe.discriminator.kind in OF_NOISE and method.kind not in ("classifier", "regression"):
            raise ValueError(
                f"discriminator.kind={recipe.discriminator.kind} is for method.kind=gan: use patchgan, pixel or dense"
            )
        return
    if recipe.inference.orientations > 1 or recipe.inference.batch_statistics:
        raise ValueError("inference.* is for translations, method.kind=gan has no use for it: leave it out")
    if recipe.evaluation.size not in (None, recipe.data.size):
        raise ValueError("evaluation.size: pictures from noise have one size, data.size: leave it out")
    if recipe.data.kind not in ("colour", "labelled"):
        raise ValueError(
            f"method.kind=gan learns from pictures of one kind, data.kind={recipe.data.kind} has two: use colour or "
            "labelled"
        )
    if recipe.codec.kind == "lab" or getattr(recipe.codec, "source", "rgb") != "rgb":
        raise ValueError("method.kind=gan makes whole pictures: use codec.kind=rgb with codec.source=rgb, or gray")
    _check_classes(recipe)
    _check_pyramid(recipe)
    check_video(recipe)
    for section, spec in (("generator", generator), ("discriminator", recipe.discriminator)):
        if isinstance(spec, DcganSpec | DcganDiscriminatorSpec):
            levels = spec.levels or halvings(recipe.data.size)
            if levels == 0 or recipe.data.size % 2**levels:
                wanted = 2 ** max(1, levels)
                raise ValueError(
                    f"data.size ({recipe.data.size}) must be a multiple of {wanted} for {section}.kind=dcgan"
                )
        _check_spread(recipe, section, spec)
    if recipe.evaluation.best_by not in (None, "last"):
        raise ValueError("evaluation.best_by: method.kind=gan ships the last networks: leave it out")
    if method.gradient_penalty > 0 and recipe.discriminator.norm == "batch":
        raise ValueError(
            "method.gradient_penalty needs a discriminator that judges each picture by itself: use "
            "discriminator.norm=instance or none"
        )


def _check_spread(recipe: Recipe, section: str, spec: GeneratorSpec | DiscriminatorSpec) -> None:
    """Refuse a smallest map of one pixel where normalisation would find no spread."""
    if not isinstance(spec, DcganSpec | DcganDiscriminatorSpec | VideoSpec):
        return
    levels = spec.levels or halvings(recipe.data.size)
    values = (recipe.data.size >> levels) ** 2
    if spec.norm == "batch":
        values *= recipe.training.batch_size * (recipe.frames if spec.kind == "video" else 1)
    if values == 1 and spec.norm != "none":
        raise ValueError(
            f"{section}.levels={levels} ends in one pixel of data.size={recipe.data.size}, over which "
            f"norm={spec.norm} finds no spread: lower it, or use {section}.norm=none"
        )


def _check_pyramid(recipe: Recipe) -> None:
    """Refuse a Laplacian pyramid with what its levels, which play games of their own, have no use for."""
    method, generator = recipe.method, recipe.generator
    if "lapgan" not in (generator.kind, recipe.discriminator.kind):
        return
    if generator.kind != "lapgan" or recipe.discriminator.kind != "lapgan":
        raise ValueError(
            f"generator.kind={generator.kind} does not go with discriminator.kind={recipe.discriminator.kind}: lapgan "
            "takes both"
        )
    assert method.kind == "gan"
    levels = generator.levels or halvings(recipe.data.size)
    if levels == 0 or recipe.data.size % 2**levels or recipe.data.size >> levels < 2:
        wanted = 2 ** max(3, levels + 1)
        raise ValueError(f"data.size ({recipe.data.size}) must be a multiple of {wanted} for generator.kind=lapgan")
    if generator.latent <= levels * generator.detail:
        raise ValueError(
            f"generator.latent ({generator.latent}) must be above {levels} times generator.detail "
            f"({generator.detail}): the smallest picture is made of the rest"
        )
    if method.labels == "auxiliary":
        raise ValueError("method.labels=auxiliary is not for lapgan: use projection, or none")
    for name, value, plain in (
        ("fresh_noise", method.fresh_noise, False),
        ("separate_updates", method.separate_updates, False),
        ("freeze_discriminator", method.freeze_discriminator, True),
    ):
        if value != plain:
            raise ValueError(f"method.{name}={str(value).lower()} is not for lapgan: leave it out")


def _check_classes(recipe: Recipe) -> None:
    method, classes = recipe.method, getattr(recipe.generator, "classes", 0)
    assert method.kind == "gan"
    if (method.labels != "none") != (classes > 0):
        raise ValueError(
            f"method.labels={method.labels} with generator.classes={classes}: give both, the way that classes are used "
            "and their number, or neither"
        )
    if classes == 1:
        raise ValueError("generator.classes is 1: one class is none, use 0")
    if classes and recipe.data.kind != "labelled":
        raise ValueError(f"generator.classes={classes} needs pictures with classes: use data.kind=labelled")
    if method.labels != "none" and recipe.discriminator.kind not in OF_NOISE:
        raise ValueError(
            f"method.labels={method.labels} needs discriminator.kind=mlp or dcgan, {recipe.discriminator.kind} knows "
            "no classes"
        )
