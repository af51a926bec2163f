"""The sections of a recipe that describe networks of plain GANs: noise to picture, and picture to one logit."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tintype.recipe.network_parts import SPECTRAL_NORM, InitSpec, InputName, Norm
from tintype.recipe.section import Section

Widths = Annotated[tuple[Annotated[int, Field(ge=1, le=65_536)], ...], Field(min_length=1, max_length=8)]

_LATENT = "Numbers in the noise that a picture is made from."
_CLASSES = "Classes that pictures are made of, as the set has them; 0: the network is not told a class."
_LEVELS = "Halvings of the picture; default: down to the smallest side that is a whole number of at least 4 pixels."


class _FromNoise(Section):
    """What all networks that make pictures from noise have."""

    latent: int = Field(100, ge=1, le=4096, description=_LATENT)
    classes: int = Field(0, ge=0, le=10_000, description=_CLASSES)

    @property
    def multiple_of(self) -> int:
        """There is no input picture, so any size will do."""
        return 1

    @property
    def inputs(self) -> tuple[InputName, ...]:
        """What the network takes, in the order of its arguments."""
        return ("noise", "label") if self.classes else ("noise",)


class MlpSpec(_FromNoise):
    """Fully connected generator (Goodfellow et al. 2014): dense layers with ReLU, the last one with tanh."""

    kind: Literal["mlp"] = "mlp"
    hidden: Widths = Field((256,), description="Widths of the layers between noise and picture.")
    norm: Literal["none"] = Field("none", description="It has no normalisation.")
    init: InitSpec = Field(InitSpec(kind="xavier", gain=1.0), description="How its weights start.")


class DcganSpec(_FromNoise):
    """Convolutional generator (Radford et al. 2016): a dense layer, doublings, tanh."""

    kind: Literal["dcgan"] = "dcgan"
    filters: int = Field(64, ge=1, le=512, description="Channels before the last layer; doubled per level inwards.")
    levels: int | None = Field(None, ge=1, le=8, description=_LEVELS.replace("Halvings", "Doublings"))
    norm: Norm = Field("batch", description="Normalisation after each layer but the last.")
    upsample: Literal["transposed", "resize"] = Field(
        "transposed", description="Transposed, or resize then 3x3 convolution."
    )
    init: InitSpec = InitSpec()


class LapganSpec(_FromNoise):
    """Laplacian pyramid of generators (Denton et al. 2015): a small picture, then detail for each doubling."""

    kind: Literal["lapgan"] = "lapgan"
    latent: int = Field(132, ge=2, le=4096, description=_LATENT)
    detail: int = Field(16, ge=1, le=1024, description="Numbers of the noise that each doubling has to itself.")
    hidden: int = Field(256, ge=1, le=65_536, description="Width of the dense layer that makes the smallest picture.")
    filters: int = Field(32, ge=1, le=512, description="Channels of the convolutions that make detail.")
    levels: int | None = Field(None, ge=1, le=8, description=_LEVELS.replace("Halvings", "Doublings"))
    norm: Literal["none"] = Field("none", description="It has no normalisation.")
    init: InitSpec = Field(InitSpec(kind="kaiming"), description="How its weights start.")


class VideoSpec(_FromNoise):
    """Generator of clips (after Clark et al. 2019): a map, a recurrent unit over frames, doublings of each, tanh."""

    kind: Literal["video"] = "video"
    filters: int = Field(32, ge=1, le=512, description="Channels of all maps, that of the recurrent unit among them.")
    levels: int | None = Field(None, ge=1, le=8, description=_LEVELS.replace("Halvings", "Doublings"))
    norm: Norm = Field("batch", description="Normalisation after each layer of a frame but the last.")
    upsample: Literal["transposed", "resize"] = Field(
        "transposed", description="Transposed, or resize then 3x3 convolution."
    )
    init: InitSpec = InitSpec()


class MlpDiscriminatorSpec(Section):
    """Fully connected discriminator (Goodfellow et al. 2014): dense layers with ReLU, and one logit for a picture."""

    kind: Literal["mlp"] = "mlp"
    hidden: Widths = Field((256,), description="Widths of the layers between picture and logit.")
    norm: Literal["none"] = Field("none", description="It has no normalisation.")
    spectral_norm: bool = Field(False, description=SPECTRAL_NORM)
    init: InitSpec = Field(InitSpec(kind="xavier", gain=1.0), description="How its weights start.")


class DcganDiscriminatorSpec(Section):
    """Convolutional discriminator (Radford et al. 2016): strided convolutions, a dense layer, one logit a picture."""

    kind: Literal["dcgan"] = "dcgan"
    filters: int = Field(64, ge=1, le=512, description="Channels of the first layer, doubled per layer up to 8 times.")
    levels: int | None = Field(None, ge=1, le=8, description=_LEVELS)
    norm: Norm = Field("batch", description="Normalisation after each layer but the first.")
    spectral_norm: bool = Field(False, description=SPECTRAL_NORM)
    init: InitSpec = InitSpec()


class LapganDiscriminatorSpec(Section):
    """A discriminator for each level of a Laplacian pyramid (Denton et al. 2015), which sees the one below it too."""

    kind: Literal["lapgan"] = "lapgan"
    hidden: int = Field(256, ge=1, le=65_536, description="Width of the dense layer that sees the smallest picture.")
    filters: int = Field(32, ge=1, le=512, description="Channels of the first convolution of the other levels.")
    norm: Literal["none"] = Field("none", description="It has no normalisation.")
    spectral_norm: bool = Field(False, description=SPECTRAL_NORM)
    init: InitSpec = Field(InitSpec(kind="kaiming"), description="How its weights start.")


class VideoDiscriminatorSpec(Section):
    """Two in one (after Clark et al. 2019): one judges frames, one of 3-D convolutions the clip at half its size."""

    kind: Literal["video"] = "video"
    filters: int = Field(32, ge=1, le=512, description="Channels of the first layers, doubled per layer up to 4 times.")
    frames: int = Field(
        2, ge=1, le=64, description="Frames of each clip that are judged one by one, evenly spaced, in turns."
    )
    norm: Literal["none"] = Field("none", description="It has no normalisation.")
    spectral_norm: bool = Field(False, description=SPECTRAL_NORM)
    init: InitSpec = InitSpec()


def halvings(side: int) -> int:
    """How often a side can be halved to a whole number of at least 4 pixels."""
    return 1 + halvings(side // 2) if side % 2 == 0 and side >= 8 else 0
