"""The sections of a recipe that describe networks: generators, discriminators and how their weights start."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from tintype.recipe.encoders import EncoderUNetSpec
from tintype.recipe.enlarging import SrResNetSpec
from tintype.recipe.generators import (
    DcganDiscriminatorSpec,
    DcganSpec,
    LapganDiscriminatorSpec,
    LapganSpec,
    MlpDiscriminatorSpec,
    MlpSpec,
    VideoDiscriminatorSpec,
    VideoSpec,
)
from tintype.recipe.network_parts import SPECTRAL_NORM, InitSpec, InputName, Norm
from tintype.recipe.section import Section

__all__ = [
    "SPECTRAL_NORM",
    "CapsuleSpec",
    "ClassifierNetSpec",
    "DcganDiscriminatorSpec",
    "DcganSpec",
    "DenseSpec",
    "DiscriminatorSpec",
    "EncoderUNetSpec",
    "GeneratorSpec",
    "InitSpec",
    "InputName",
    "LapganDiscriminatorSpec",
    "LapganSpec",
    "MlpDiscriminatorSpec",
    "MlpSpec",
    "Noise",
    "Norm",
    "PatchGanSpec",
    "PixelSpec",
    "ResNetSpec",
    "SrResNetSpec",
    "UNetSpec",
    "VideoDiscriminatorSpec",
    "VideoSpec",
]

Noise = Literal["none", "dropout", "input"]

NOISE = (
    "What makes many targets of one source: nothing, dropout that stays on in use, or a vector z that sets gain and "
    "bias of each normalisation (of two directions: in ab alone)."
)
LATENT = "Numbers in z, for noise=input."


class UNetSpec(Section):
    """U-Net generator with skip connections (Ronneberger et al. 2015; Isola et al. 2017)."""

    kind: Literal["unet"] = "unet"
    filters: int = Field(
        64, ge=1, le=512, description="Channels of the outermost level; doubled per level up to 8 times."
    )
    levels: int = Field(8, ge=2, le=10, description="Halvings of the picture; sides must be multiples of 2**levels.")
    bottleneck_blocks: int = Field(
        0,
        ge=0,
        le=32,
        description="Residual blocks on the innermost map; with any, sides must be multiples of 2**(levels + 1).",
    )
    norm: Norm = Field("batch", description="Normalisation after convolutions.")
    dropout: float = Field(0.5, ge=0, lt=1, description="Drop probability in the middle blocks of the decoder.")
    upsample: Literal["transposed", "resize"] = Field(
        "transposed", description="Transposed, or resize then 3x3 convolution."
    )
    noise: Noise = Field("none", description=NOISE)
    latent: int = Field(8, ge=1, le=512, description=LATENT)
    init: InitSpec = InitSpec()

    @model_validator(mode="after")
    def _leaves_room_for_blocks(self) -> UNetSpec:
        if self.bottleneck_blocks and self.levels == 10:
            raise ValueError("levels (10) must be at most 9 with bottleneck_blocks")
        if self.noise == "input" and self.levels == 2:
            raise ValueError("levels (2) must be at least 3 with noise=input, or z has hardly a layer to enter by")
        check_noise(self)
        return self

    @property
    def multiple_of(self) -> int:
        """Number of pixels that both sides of an input must be a multiple of."""
        return int(2 ** (self.levels + (self.bottleneck_blocks > 0)))

    @property
    def inputs(self) -> tuple[InputName, ...]:
        """What the network takes, in the order of its arguments."""
        return ("source", "noise") if self.noise == "input" else ("source",)


class ResNetSpec(Section):
    """Residual generator: two halvings, residual blocks, two doublings (Johnson et al. 2016; Zhu et al. 2017)."""

    kind: Literal["resnet"] = "resnet"
    filters: int = Field(64, ge=1, le=512, description="Channels of the outermost level; doubled twice.")
    blocks: int = Field(9, ge=1, le=32, description="Residual blocks; 9 for 256 px, 6 for 128 px.")
    norm: Norm = Field("instance", description="Normalisation after each convolution.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Drop probability inside each residual block.")
    upsample: Literal["transposed", "resize"] = Field(
        "transposed", description="Transposed, or resize then convolution."
    )
    noise: Noise = Field("none", description=NOISE)
    latent: int = Field(8, ge=1, le=512, description=LATENT)
    init: InitSpec = Field(InitSpec(), description="How its weights start.")

    @model_validator(mode="after")
    def _has_a_place_for_noise(self) -> ResNetSpec:
        check_noise(self)
        return self

    @property
    def multiple_of(self) -> int:
        """Number of pixels that both sides of an input must be a multiple of."""
        return 8

    @property
    def inputs(self) -> tuple[InputName, ...]:
        """What the network takes, in the order of its arguments."""
        return ("source", "noise") if self.noise == "input" else ("source",)


def check_noise(spec: UNetSpec | ResNetSpec) -> None:
    """Refuse noise that would reach nothing; a ValueError, for validators."""
    if spec.noise == "input" and spec.norm == "none":
        raise ValueError("noise=input enters by the normalisations, and norm=none has none: use norm=instance or batch")
    if spec.noise == "dropout" and spec.dropout == 0:
        raise ValueError("noise=dropout keeps dropout on in use, and dropout is 0: raise it, or use noise=input")


class ClassifierNetSpec(Section):
    """Residual classifier (He et al. 2016): its features are the mean over the last maps, its logits linear in them."""

    kind: Literal["classifier"] = "classifier"
    classes: int = Field(ge=2, le=10_000, description="Classes that the pictures are told apart by.")
    filters: int = Field(32, ge=1, le=512, description="Channels of the first stage; doubled per stage.")
    stages: int = Field(4, ge=1, le=6, description="Each but the first halves the picture.")
    blocks: int = Field(1, ge=1, le=8, description="Residual blocks of two 3x3 convolutions in each stage.")
    stem_stride: Literal[1, 2] = Field(2, description="2: the first convolution halves the picture.")
    norm: Norm = Field("batch", description="Normalisation after each convolution.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Drop probability of a feature on its way to the logits.")
    init: InitSpec = Field(InitSpec(kind="kaiming"), description="How its weights start.")

    @property
    def multiple_of(self) -> int:
        """Number of pixels that both sides of an input must be a multiple of."""
        return 1

    @property
    def inputs(self) -> tuple[InputName, ...]:
        """What the network takes, in the order of its arguments."""
        return ("source",)

    @property
    def features(self) -> int:
        """How many numbers describe a picture."""
        return int(self.filters * 2 ** (self.stages - 1))


def _generator_kind(section: object) -> str | None:
    """The kind of a generator section: U-Net where a recipe leaves it out."""
    kind = section.get("kind", "unet") if isinstance(section, dict) else getattr(section, "kind", None)
    return kind if isinstance(kind, str) else None


GeneratorSpec = Annotated[
    Annotated[UNetSpec, Tag("unet")]
    | Annotated[ResNetSpec, Tag("resnet")]
    | Annotated[EncoderUNetSpec, Tag("encoder_unet")]
    | Annotated[ClassifierNetSpec, Tag("classifier")]
    | Annotated[SrResNetSpec, Tag("srresnet")]
    | Annotated[MlpSpec, Tag("mlp")]
    | Annotated[DcganSpec, Tag("dcgan")]
    | Annotated[LapganSpec, Tag("lapgan")]
    | Annotated[VideoSpec, Tag("video")],
    Discriminator(_generator_kind),
]


class PatchGanSpec(Section):
    """PatchGAN discriminator: one logit for each patch (Isola et al. 2017); 70 x 70 patches with three layers."""

    kind: Literal["patchgan"] = "patchgan"
    filters: (
        Annotated[int, Field(ge=1, le=512)]
        | Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(min_length=2, max_length=7)]
    ) = Field(
        64,
        description="Channels of the first layer, doubled per layer up to 8 times; or of each: all layers but the last "
        "of a list are strided.",
    )
    layers: int | None = Field(
        None,
        ge=1,
        le=6,
        description="Strided convolutions; default: 3, which gives 70 x 70 patches, or those that filters lists.",
    )
    norm: Norm = Field("batch", description="Normalisation after convolutions.")
    spectral_norm: bool = Field(False, description=SPECTRAL_NORM)
    init: InitSpec = InitSpec()

    @field_validator("filters", mode="wrap")
    @classmethod
    def _in_one_line(cls, value: object, validate: ValidatorFunctionWrapHandler) -> object:
        try:
            return validate(value)
        except ValidationError:  # one for each of the two forms
            raise ValueError(
                f"got {value!r}, needed a number from 1 to 512 or a list of 2 to 7 numbers from 1 to 4096"
            ) from None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> PatchGanSpec:
        if isinstance(self.filters, tuple) and self.layers not in (None, len(self.filters) - 1):
            raise ValueError(
                f"layers ({self.layers}) must be {len(self.filters) - 1} for filters {list(self.filters)}, or null"
            )
        return self

    @property
    def strided_layers(self) -> int:
        """Strided convolutions, however they are given."""
        return len(self.filters) - 1 if isinstance(self.filters, tuple) else self.layers or 3


class PixelSpec(Section):
    """1 x 1 PatchGAN: one logit for each pixel (Isola et al. 2017)."""

    kind: Literal["pixel"] = "pixel"
    filters: int = Field(64, ge=1, le=512, description="Channels of the first layer.")
    norm: Norm = Field("batch", description="Normalisation after convolutions.")
    spectral_norm: bool = Field(False, description=SPECTRAL_NORM)
    init: InitSpec = InitSpec()


class DenseSpec(Section):
    """A PatchGAN whose patches a dense layer joins: one logit for each picture; the sigmoid is in the loss."""

    kind: Literal["dense"] = "dense"
    filters: int = Field(64, ge=1, le=512, description="Channels of the first layer, doubled per layer up to 8 times.")
    layers: int = Field(3, ge=1, le=6, description="Strided convolutions; two more follow without stride.")
    norm: Norm = Field("instance", description="Normalisation after convolutions.")
    spectral_norm: bool = Field(False, description=SPECTRAL_NORM)
    init: InitSpec = InitSpec()


class CapsuleSpec(Section):
    """Capsules and routing by agreement (Sabour et al. 2017; Jaiswal et al. 2018): parts vote for what they make up."""

    kind: Literal["capsule"] = "capsule"
    scope: Literal["patch", "picture"] = Field(
        "patch",
        description="One judgement for each 3 x 3 places of the primary capsules, or one for the whole picture, in "
        "which each place votes in a way of its own.",
    )
    filters: int = Field(64, ge=1, le=512, description="Channels of the first layer, doubled per layer up to 8 times.")
    layers: int = Field(3, ge=1, le=6, description="Strided convolutions before the primary capsules.")
    capsules: int = Field(16, ge=1, le=128, description="Kinds of primary capsules in each place.")
    dimensions: int = Field(8, ge=2, le=64, description="Length of the vector of a primary capsule.")
    routing: int = Field(3, ge=1, le=10, description="Rounds of routing; 1: all votes count alike.")
    norm: Norm = Field("instance", description="Normalisation after convolutions.")
    init: InitSpec = Field(InitSpec(), description="How the weights of convolutions start.")


def _discriminator_kind(section: object) -> str | None:
    """The kind of a discriminator section: PatchGAN where a recipe leaves it out."""
    kind = section.get("kind", "patchgan") if isinstance(section, dict) else getattr(section, "kind", None)
    return kind if isinstance(kind, str) else None


DiscriminatorSpec = Annotated[
    Annotated[PatchGanSpec, Tag("patchgan")]
    | Annotated[PixelSpec, Tag("pixel")]
    | Annotated[DenseSpec, Tag("dense")]
    | Annotated[CapsuleSpec, Tag("capsule")]
    | Annotated[MlpDiscriminatorSpec, Tag("mlp")]
    | Annotated[DcganDiscriminatorSpec, Tag("dcgan")]
    | Annotated[LapganDiscriminatorSpec, Tag("lapgan")]
    | Annotated[VideoDiscriminatorSpec, Tag("video")],
    Discriminator(_discriminator_kind),
]
