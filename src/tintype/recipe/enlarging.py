"""The sections of a recipe that enlarge pictures: the codec that makes small ones, and the generator."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tintype.recipe.network_parts import InitSpec, InputName, Norm
from tintype.recipe.section import Section


class EnlargeCodec(Section):
    """RGB in, RGB of `scale` times the width and height out; the source is the target, reduced."""

    kind: Literal["enlarge"] = "enlarge"
    scale: Literal[2, 3, 4, 8] = Field(4, description="Times that a picture is enlarged in width and in height.")

    @property
    def grey(self) -> Literal["rec601"]:
        """How a colour picture is turned grey, where a grey one was enlarged."""
        return "rec601"


class SrResNetSpec(Section):
    """Residual generator that works at the size of the small picture and enlarges at its end (Ledig et al. 2017).

    Without normalisation and with ReLU it is that of Lim et al. 2017 (EDSR). The published SRResNet has norm=batch,
    activation=prelu, end_kernel=9, upsample=shuffle and skip=none.
    """

    kind: Literal["srresnet"] = "srresnet"
    filters: int = Field(64, ge=1, le=512, description="Channels of every layer.")
    blocks: int = Field(16, ge=1, le=64, description="Residual blocks.")
    norm: Norm = Field("none", description="Normalisation after convolutions; only without instance are tiles exact.")
    activation: Literal["relu", "prelu"] = Field("relu", description="PReLU learns the slope below 0.")
    end_kernel: Literal[3, 5, 7, 9] = Field(3, description="Side of the kernels of the first and the last convolution.")
    upsample: Literal["direct", "shuffle", "resize"] = Field(
        "shuffle",
        description="shuffle: a convolution and a pixel shuffle for each doubling; resize: nearest pixels, then a "
        "convolution; direct: one pixel shuffle straight to the picture (Shi et al. 2016), in half the time.",
    )
    skip: Literal["bicubic", "none"] = Field(
        "bicubic", description="bicubic: the network adds to the picture enlarged so, and begins as that."
    )
    init: InitSpec = Field(InitSpec(kind="kaiming"), description="How its weights start.")

    @property
    def multiple_of(self) -> int:
        """Number of pixels that both sides of an input must be a multiple of; one pixel alone has no statistics."""
        return 2 if self.norm == "instance" else 1

    @property
    def inputs(self) -> tuple[InputName, ...]:
        """What the network takes, in the order of its arguments."""
        return ("source",)
