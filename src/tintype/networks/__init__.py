"""Network architectures, one a file, and the builders that turn recipe sections into them."""

from __future__ import annotations

from torch import nn

from tintype.errors import RecipeError
from tintype.image.codec import build_codec
from tintype.networks.blocks import forget_statistics, initialise, limit_spectrum
from tintype.networks.capsule import CapsuleGan, smallest_capsule_px
from tintype.networks.classifier import Classifier
from tintype.networks.conditional import LatentEncoder
from tintype.networks.dcgan import DcganDiscriminator, DcganGenerator
from tintype.networks.dense import DenseGan
from tintype.networks.encoder_unet import EncoderUNet
from tintype.networks.from_noise import (
    DiscriminatorOfNoise,
    GeneratorFromNoise,
    discriminator_of_noise,
    generator_from_noise,
)
from tintype.networks.lapgan import LapganDiscriminator, LapganGenerator
from tintype.networks.mlp import MlpDiscriminator, MlpGenerator
from tintype.networks.patchgan import PatchGan, PixelGan, smallest_input_px
from tintype.networks.projector import Projector
from tintype.networks.resnet import ResNet
from tintype.networks.srresnet import SrResNet
from tintype.networks.unet import UNet
from tintype.networks.video import VideoDiscriminator, VideoGenerator
from tintype.recipe.network_parts import InitSpec
from tintype.recipe.schema import Direction, Recipe

__all__ = [
    "CapsuleGan",
    "Classifier",
    "DcganDiscriminator",
    "DcganGenerator",
    "DenseGan",
    "EncoderUNet",
    "LapganDiscriminator",
    "LapganGenerator",
    "LatentEncoder",
    "MlpDiscriminator",
    "MlpGenerator",
    "PatchGan",
    "PixelGan",
    "Projector",
    "ResNet",
    "SrResNet",
    "UNet",
    "VideoDiscriminator",
    "VideoGenerator",
    "build_discriminator",
    "build_generator",
    "build_latent_encoder",
]

Generator = UNet | ResNet | EncoderUNet | SrResNet | Classifier | GeneratorFromNoise

Discriminator = PatchGan | PixelGan | DenseGan | CapsuleGan | DiscriminatorOfNoise


def build_generator(recipe: Recipe, direction: Direction = "ab") -> Generator:
    """The recipe's generator with freshly drawn weights; maps `codec.source_channels` to `codec.target_channels`.

    In its place a classifier's recipe has a network that maps `codec.source_channels` to features and logits. What a
    generator from noise makes has `data.size` pixels a side.

    Raises:
        MissingExtraError: It has a backbone, and transformers is not installed.
        RecipeError: It has one whose architecture nobody has read yet, or that cannot be built.
    """
    codec, spec = build_codec(recipe, direction), recipe.generator
    latent = getattr(spec, "latent", 0) if "noise" in recipe.inputs_of(direction) else 0
    network: Generator
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
                latent=latent,
                hints=recipe.takes_hints,
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
                latent=latent,
            )
        case "srresnet":
            network = SrResNet(
                codec.source_channels,
                codec.target_channels,
                scale=recipe.enlargement,
                filters=spec.filters,
                blocks=spec.blocks,
                norm=spec.norm,
                activation=spec.activation,
                end_kernel=spec.end_kernel,
                upsample=spec.upsample,
                skip=spec.skip,
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
        case "mlp" | "dcgan" | "lapgan" | "video":
            network = generator_from_noise(spec, codec.target_channels, recipe.data.size)
    if not isinstance(network, EncoderUNet):  # whose backbone starts as its makers have it
        initialise(network, spec.init)
    if isinstance(network, SrResNet):
        network.begin_evenly()
    if isinstance(network, UNet | ResNet | EncoderUNet | SrResNet):
        network.recompute = recipe.training.recompute
        if recipe.inference.batch_statistics and spec.norm == "batch":
            forget_statistics(network)
            network.tiling = "approximate"  # what a tile holds changes its statistics
    return network


def build_latent_encoder(recipe: Recipe) -> LatentEncoder:
    """The network that tells from a generated target which noise it was made with, with freshly drawn weights."""
    assert "noise" in recipe.inputs
    network = LatentEncoder(build_codec(recipe).target_channels, getattr(recipe.generator, "latent", 1))
    initialise(network, InitSpec(kind="kaiming"))
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
    network: Discriminator
    match spec.kind:
        case "patchgan":
            _check_side(side, smallest_input_px(spec.strided_layers))
            network = PatchGan(channels, filters=spec.filters, layers=spec.strided_layers, norm=spec.norm)
        case "pixel":
            network = PixelGan(channels, filters=spec.filters, norm=spec.norm)
        case "dense":
            _check_side(side, smallest_input_px(spec.layers))
            network = DenseGan(channels, side=side, filters=spec.filters, layers=spec.layers, norm=spec.norm)
        case "capsule":
            _check_side(side, smallest_capsule_px(spec.layers, spec.scope))
            network = CapsuleGan(
                channels,
                side=side if spec.scope == "picture" else None,
                filters=spec.filters,
                layers=spec.layers,
                capsules=spec.capsules,
                dimensions=spec.dimensions,
                routing=spec.routing,
                norm=spec.norm,
            )
        case "mlp" | "dcgan" | "lapgan" | "video":
            network = discriminator_of_noise(recipe, spec, channels)
    initialise(network, spec.init)
    if spec.kind != "capsule" and spec.spectral_norm:
        limit_spectrum(network)
    return network


def _check_side(side: int, smallest: int) -> None:
    if side < smallest:
        raise RecipeError(
            f"the discriminator needs pictures of at least {smallest} px, and would judge {side} px: "
            "give it fewer layers or raise data.size or codec.chroma_size"
        )
