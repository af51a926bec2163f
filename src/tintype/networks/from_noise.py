"""Builds the networks of plain GANs: generators that make pictures from noise, and what judges those."""

from __future__ import annotations

from tintype.networks.dcgan import DcganDiscriminator, DcganGenerator
from tintype.networks.lapgan import LapganDiscriminator, LapganGenerator
from tintype.networks.mlp import MlpDiscriminator, MlpGenerator
from tintype.networks.video import VideoDiscriminator, VideoGenerator
from tintype.recipe.generators import (
    DcganDiscriminatorSpec,
    DcganSpec,
    LapganDiscriminatorSpec,
    LapganSpec,
    MlpDiscriminatorSpec,
    MlpSpec,
    VideoDiscriminatorSpec,
    VideoSpec,
    halvings,
)
from tintype.recipe.schema import Recipe

GeneratorFromNoise = MlpGenerator | DcganGenerator | LapganGenerator | VideoGenerator
DiscriminatorOfNoise = MlpDiscriminator | DcganDiscriminator | LapganDiscriminator | VideoDiscriminator


def generator_from_noise(
    spec: MlpSpec | DcganSpec | LapganSpec | VideoSpec, channels: int, side: int
) -> GeneratorFromNoise:
    """The generator of pictures with so many channels, or clips with so many frames, and so many pixels a side."""
    match spec:
        case MlpSpec():
            return MlpGenerator(channels, side, latent=spec.latent, classes=spec.classes, hidden=spec.hidden)
        case DcganSpec():
            return DcganGenerator(
                channels,
                side,
                latent=spec.latent,
                classes=spec.classes,
                levels=spec.levels or halvings(side),
                filters=spec.filters,
                norm=spec.norm,
                upsample=spec.upsample,
            )
        case LapganSpec():
            return LapganGenerator(
                channels,
                side,
                latent=spec.latent,
                detail=spec.detail,
                classes=spec.classes,
                levels=spec.levels or halvings(side),
                filters=spec.filters,
                hidden=spec.hidden,
            )
        case VideoSpec():
            return VideoGenerator(
                channels,
                side,
                latent=spec.latent,
                classes=spec.classes,
                levels=spec.levels or halvings(side),
                filters=spec.filters,
                norm=spec.norm,
                upsample=spec.upsample,
            )


def discriminator_of_noise(
    recipe: Recipe,
    spec: MlpDiscriminatorSpec | DcganDiscriminatorSpec | LapganDiscriminatorSpec | VideoDiscriminatorSpec,
    channels: int,
) -> DiscriminatorOfNoise:
    """What judges the pictures or clips that the recipe's generator makes."""
    side, classes = recipe.data.size, getattr(recipe.generator, "classes", 0)
    labels = recipe.method.labels if recipe.method.kind == "gan" else "none"
    match spec:
        case MlpDiscriminatorSpec():
            return MlpDiscriminator(channels, side, hidden=spec.hidden, labels=labels, classes=classes)
        case DcganDiscriminatorSpec():
            return DcganDiscriminator(
                channels,
                side,
                levels=spec.levels or halvings(side),
                filters=spec.filters,
                norm=spec.norm,
                labels=labels,
                classes=classes,
            )
        case LapganDiscriminatorSpec():
            return LapganDiscriminator(
                channels,
                side,
                levels=getattr(recipe.generator, "levels", None) or halvings(side),
                filters=spec.filters,
                hidden=spec.hidden,
                labels="projection" if labels == "projection" else "none",
                classes=classes,
            )
        case VideoDiscriminatorSpec():
            return VideoDiscriminator(
                levels=halvings(side),
                judged=spec.frames,
                filters=spec.filters,
                labels="projection" if labels == "projection" else "none",
                classes=classes,
            )
