"""Network architectures, one a file, and the builders that turn recipe sections into them."""

from __future__ import annotations

from torch import nn

from tintype.errors import RecipeError
from tintype.image.codec import build_codec
from tintype.networks.blocks import forget_statistics, initialise, limit_spectrum
from tintype.networks.classifier import Classifier
from tintype.networks.dense import DenseGan
from tintype.networks.encoder_unet import EncoderUNet
from tintype.networks.patchgan import PatchGan, PixelGan, smallest_input_px
from tintype.networks.resnet import ResNet
from tintype.networks.unet import UNet
from tintype.recipe.schema import Direction, Recipe

__all__ = [
    "Classifier",
    "DenseGan",
    "EncoderUNet",
    "PatchGan",
    "PixelGan",
    "ResNet",
    "UNet",
    "build_discriminator",
    "build_generator",
]


def build_generator(recipe: Recipe, direction: Direction = "ab") -> UNet | ResNet | EncoderUNet | Classifier:
    """The recipe's generator with freshly drawn weights; maps `codec.source_channels` to `codec.target_channels`.

    In its place a classifier's recipe has a network that maps `codec.source_channels` to features and logits.

    Raises:
        MissingExtraError: It has a backbone, and transformers is not installed.
        RecipeError: It has one whose architecture nobody has read yet, or that cannot be built.
    """
    codec, spec = build_codec(recipe, direction), recipe.generator
    network: UNet | ResNet | EncoderUNet | Classifier
    match spec.kind:
        case "unet":
            network = UNet(
                codec.source_channels,
                codec.target_channels,
                filters=spec.filters,
                levels=spec.levels,
                bottleneck_blocks=spec.bottleneck_blocks,
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
        case "encoder_unet":
            if spec.resolved is None:
                raise RecipeError(
                    f"generator.architecture: that of {spec.backbone} is not known here; give it, or let tintype train "
                    "read it"
                )
            network = EncoderUNet(
                codec.source_channels,
                codec.target_channels,
                spec.resolved,
                filters=spec.filters,
                norm=spec.norm,
                dropout=spec.dropout,
                upsample=spec.upsample,
                output_stride=recipe.output_stride,
                init=spec.init,
            )
        case "classifier":
            network = Classifier(
                codec.source_channels,
                spec.classes,
                filters=spec.filters,
                stages=spec.stages,
                blocks=spec.blocks,
                stem_stride=spec.stem_stride,
                norm=spec.norm,
                dropout=spec.dropout,
            )
    if not isinstance(network, EncoderUNet):  # whose backbone starts as its makers have it
        initialise(network, spec.init)
    if isinstance(network, Classifier):
        return network
    network.recompute = recipe.training.recompute
    if recipe.inference.batch_statistics and spec.norm == "batch":
        forget_statistics(network)
        network.tiling = "approximate"  # what a tile holds changes its statistics
    return network


def build_discriminator(recipe: Recipe, channels: int | None = None) -> nn.Module:
    """The recipe's discriminator with freshly drawn weights.

    Args:
        recipe: Which one, and how large the pictures are.
        channels: Of the pictures that it judges; default: source and target joined by channel.

    Raises:
        RecipeError: It is too deep for the size of the pictures it would judge.
    """
    codec, spec = build_codec(recipe), recipe.discriminator
    channels = channels or codec.source_channels + codec.target_channels
    side = recipe.data.size // recipe.output_stride
    network: PatchGan | PixelGan | DenseGan
    match spec.kind:
        case "patchgan":
            _check_side(side, spec.strided_layers)
            network = PatchGan(channels, filters=spec.filters, layers=spec.strided_layers, norm=spec.norm)
        case "pixel":
            network = PixelGan(channels, filters=spec.filters, norm=spec.norm)
        case "dense":
            _check_side(side, spec.layers)
            network = DenseGan(channels, side=side, filters=spec.filters, layers=spec.layers, norm=spec.norm)
    initialise(network, spec.init)
    if spec.spectral_norm:
        limit_spectrum(network)
    return network


def _check_side(side: int, layers: int) -> None:
    smallest = smallest_input_px(layers)
    if side < smallest:
        raise RecipeError(
            f"the discriminator needs pictures of at least {smallest} px, and would judge {side} px: "
            "give it fewer layers or raise data.size or codec.chroma_size"
        )
