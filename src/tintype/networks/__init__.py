"""Network architectures, one a file, and the builders that turn recipe sections into them."""

from __future__ import annotations

from torch import nn

from tintype.errors import RecipeError
from tintype.image.codec import build_codec
from tintype.networks.blocks import forget_statistics, initialise
from tintype.networks.patchgan import PatchGan, PixelGan
from tintype.networks.resnet import ResNet
from tintype.networks.unet import UNet
from tintype.recipe.schema import Direction, Recipe

__all__ = ["PatchGan", "PixelGan", "ResNet", "UNet", "build_discriminator", "build_generator"]


def build_generator(recipe: Recipe, direction: Direction = "ab") -> UNet | ResNet:
    """The recipe's generator with freshly drawn weights; maps `codec.source_channels` to `codec.target_channels`."""
    codec, spec = build_codec(recipe, direction), recipe.generator
    network: UNet | ResNet
    match spec.kind:
        case "unet":
            network = UNet(
                codec.source_channels,
                codec.target_channels,
                filters=spec.filters,
                levels=spec.levels,
                norm=spec.norm,
                dropout=spec.dropout,
                upsample=spec.upsample,
                output_stride=recipe.output_stride,
            )
        case "resnet":
            network = ResNet(
                codec.source_channels,
                codec.target_channels,
                filters=spec.filters,
                blocks=spec.blocks,
                norm=spec.norm,
                dropout=spec.dropout,
                upsample=spec.upsample,
            )
    initialise(network, spec.init)
    if recipe.inference.batch_statistics and spec.norm == "batch":
        forget_statistics(network)
        network.tiling = "approximate"  # what a tile holds changes its statistics
    return network


def build_discriminator(recipe: Recipe, channels: int | None = None) -> nn.Module:
    """The recipe's discriminator with freshly drawn weights.

    Args:
        recipe: Describes it, and the size of the pictures.
        channels: Of what it judges; default: source and target joined by channel.

    Raises:
        RecipeError: It is too deep for the size of the pictures it would judge.
    """
    codec, spec = build_codec(recipe), recipe.discriminator
    channels = channels or codec.source_channels + codec.target_channels
    network: PatchGan | PixelGan
    match spec.kind:
        case "patchgan":
            network = PatchGan(channels, filters=spec.filters, layers=spec.layers, norm=spec.norm)
        case "pixel":
            network = PixelGan(channels, filters=spec.filters, norm=spec.norm)
    side = recipe.data.size // recipe.output_stride
    if side < network.smallest_input_px:
        raise RecipeError(
            f"the discriminator needs pictures of at least {network.smallest_input_px} px, and would judge {side} px: "
            "lower discriminator.layers or raise data.size or codec.chroma_size"
        )
    initialise(network, spec.init)
    return network
