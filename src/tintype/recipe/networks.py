"""The sections of a recipe that describe networks: generators, discriminators and how their weights start."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from tintype.recipe.section import Section

Norm = Literal["batch", "instance", "none"]


class InitSpec(Section):
    """How convolution weights start; biases start at 0, normalisation gains at normal(1, 0.02)."""

    kind: Literal["normal", "xavier", "kaiming", "orthogonal"] = Field("normal", description="Distribution.")
    gain: float = Field(
        0.02, gt=0, description="Standard deviation (normal) or gain (xavier, orthogonal); kaiming ignores it."
    )


class UNetSpec(Section):
    """U-Net generator with skip connections (Ronneberger et al. 2015; Isola et al. 2017)."""

    kind: Literal["unet"] = "unet"
    filters: int = Field(
        64, ge=1, le=512, description="Channels of the outermost level; doubled per level up to 8 times."
    )
    levels: int = Field(8, ge=2, le=10, description="Halvings of the picture; sides must be multiples of 2**levels.")
    norm: Norm = Field("batch", description="Normalisation after convolutions.")
    dropout: float = Field(0.5, ge=0, lt=1, description="Drop probability in the middle blocks of the decoder.")
    upsample: Literal["transposed", "resize"] = Field(
        "transposed", description="Transposed, or resize then 3x3 convolution."
    )
    init: InitSpec = InitSpec()


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
    init: InitSpec = Field(InitSpec(), description="How its weights start.")


def _generator_kind(section: object) -> str | None:
    """The kind of a generator section: U-Net where a recipe leaves it out."""
    kind = section.get("kind", "unet") if isinstance(section, dict) else getattr(section, "kind", None)
    return kind if isinstance(kind, str) else None


GeneratorSpec = Annotated[
    Annotated[UNetSpec, Tag("unet")] | Annotated[ResNetSpec, Tag("resnet")], Discriminator(_generator_kind)
]


class PatchGanSpec(Section):
    """PatchGAN discriminator: one logit for each patch (Isola et al. 2017); 70 x 70 patches with three layers."""

    kind: Literal["patchgan"] = "patchgan"
    filters: int = Field(64, ge=1, le=512, description="Channels of the first layer.")
    layers: int = Field(3, ge=1, le=6, description="Strided convolutions; 3 gives 70 x 70 patches.")
    norm: Norm = Field("batch", description="Normalisation after convolutions.")
    init: InitSpec = InitSpec()


class PixelSpec(Section):
    """1 x 1 PatchGAN: one logit for each pixel (Isola et al. 2017)."""

    kind: Literal["pixel"] = "pixel"
    filters: int = Field(64, ge=1, le=512, description="Channels of the first layer.")
    norm: Norm = Field("batch", description="Normalisation after convolutions.")
    init: InitSpec = InitSpec()


DiscriminatorSpec = Annotated[PatchGanSpec | PixelSpec, Field(discriminator="kind")]
