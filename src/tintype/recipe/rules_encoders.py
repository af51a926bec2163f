"""What pretrained encoders and damaged sources ask of the rest of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tintype.recipe.encoders import PUBLISHED

if TYPE_CHECKING:
    from tintype.recipe.schema import Recipe

WITH_ENCODER = ("unet", "resnet", "encoder_unet")
"""Generators that have an encoder, whose weights may come from another network and may be frozen."""


def check_encoder(recipe: Recipe) -> None:
    """Refuse a backbone that contradicts itself or the sizes, and settings of an encoder where there is none.

    Raises:
        ValueError: With one line of what does not fit.
    """
    generator, optimiser = recipe.generator, recipe.optimiser
    if generator.kind not in WITH_ENCODER and (optimiser.encoder_lr is not None or optimiser.encoder_frozen_steps):
        raise ValueError(
            f"optimiser.encoder_lr and encoder_frozen_steps need a generator with an encoder, {generator.kind} has "
            "none: leave them out"
        )
    if optimiser.encoder_lr == 0 and optimiser.encoder_frozen_steps:
        raise ValueError("optimiser.encoder_lr=0 freezes the encoder for the whole run: leave out encoder_frozen_steps")
    if generator.kind != "encoder_unet" or generator.resolved is None:  # checked again when it has been read
        return
    known = PUBLISHED.get(generator.backbone)
    if generator.revision is not None and generator.weights != "published" and known is not None:
        raise ValueError(
            f"generator.revision has no effect: nothing is fetched with generator.weights={generator.weights} and a "
            "backbone whose architecture is known here; leave it out"
        )
    if known is not None and generator.architecture not in (None, known) and generator.weights == "published":
        raise ValueError(
            f"generator.architecture is not that of {generator.backbone}, whose weights would not fit it: leave one of "
            "the two out, or set generator.weights=none"
        )
    strides = generator.strides
    if len(strides) < 2:
        raise ValueError("generator.architecture: a U-Net needs at least two stages (depths)")
    if strides[-1] < 1 or strides[-1] & (strides[-1] - 1):
        raise ValueError(
            f"generator.architecture: stages of {strides} pixels cannot be doubled back, powers of two can"
        )
    if recipe.output_stride >= strides[-1]:
        raise ValueError(
            f"codec.chroma_size ({recipe.codec_chroma_size}) leaves the decoder nothing to do: raise it above "
            f"{recipe.data.size // strides[-1]}"
        )
    if recipe.training.batch_size == 1 and recipe.data.size == strides[-1]:
        raise ValueError(
            f"data.size ({recipe.data.size}) is one pixel at the backbone's end, over which batch norm finds no "
            "spread: raise it or training.batch_size"
        )


def check_damage(recipe: Recipe) -> None:
    """Refuse a source that is the target, and damage where it does not lead to that.

    Raises:
        ValueError: With one line of what does not fit.
    """
    data, codec = recipe.data, recipe.codec
    if data.kind != "colour":
        return
    if not data.damage.any:
        whole = codec.kind == "gray" or getattr(codec, "source", "") == "rgb"
        if whole and recipe.method.kind != "gan":
            raise ValueError(
                f"codec.kind={codec.kind} needs pairs: source and target made from one colour picture would be "
                "the same; set data.kind=folders, side_by_side or unpaired, codec.source=grey, or data.damage"
            )
        return
    if codec.kind == "lab":
        raise ValueError(
            "data.damage needs a network that makes whole pictures, codec.kind=lab keeps the damaged luminance: use "
            "codec.kind=gray or rgb"
        )
    if not recipe.learns_from_pairs:
        raise ValueError(
            f"data.damage needs a method that sees the whole picture beside the damaged one, method.kind="
            f"{recipe.method.kind} does not: use regression or pix2pix"
        )
