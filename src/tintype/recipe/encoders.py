"""The section of a recipe that describes a U-Net over a backbone, and the architectures of published backbones.

An architecture is plain data in the form of transformers' `config.json`, so that a model can be built again from its
recipe alone, wherever its weights once came from. Nothing here imports transformers.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from tintype.recipe.network_parts import InitSpec, InputName, Norm
from tintype.recipe.section import Section

_LARGEST = 2**16
_DEEPEST = 200  # layers in a row
_TAPS = 4  # of a transformer whose maps are all of one size
_TOKEN = 16  # pixels along the side of a token there

Value = bool | int | float | str | None
Architecture = dict[
    Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")],
    Value | Annotated[list[Value], Field(max_length=_DEEPEST)],
]

_RESNET: Architecture = {
    "model_type": "resnet",
    "embedding_size": 64,
    "layer_type": "basic",
    "hidden_sizes": [64, 128, 256, 512],
}
_CONVNEXT: Architecture = {"model_type": "convnext", "patch_size": 4, "num_stages": 4}
_SWIN: Architecture = {"model_type": "swin", "patch_size": 4, "image_size": 224, "window_size": 7}
_DINOV2: Architecture = {"model_type": "dinov2", "patch_size": 14, "image_size": 518, "num_hidden_layers": 12}
PUBLISHED: dict[str, Architecture] = {
    "microsoft/resnet-18": {**_RESNET, "depths": [2, 2, 2, 2]},
    "microsoft/resnet-34": {**_RESNET, "depths": [3, 4, 6, 3]},
    "microsoft/resnet-50": {
        **_RESNET,
        "layer_type": "bottleneck",
        "depths": [3, 4, 6, 3],
        "hidden_sizes": [256, 512, 1024, 2048],
    },
    "facebook/convnext-tiny-224": {**_CONVNEXT, "depths": [3, 3, 9, 3], "hidden_sizes": [96, 192, 384, 768]},
    "facebook/convnext-small-224": {**_CONVNEXT, "depths": [3, 3, 27, 3], "hidden_sizes": [96, 192, 384, 768]},
    "microsoft/swin-tiny-patch4-window7-224": {
        **_SWIN,
        "embed_dim": 96,
        "depths": [2, 2, 6, 2],
        "num_heads": [3, 6, 12, 24],
    },
    "facebook/dinov2-small": {**_DINOV2, "hidden_size": 384, "num_attention_heads": 6},
    "facebook/dinov2-base": {**_DINOV2, "hidden_size": 768, "num_attention_heads": 12},
}
"""Architectures that are known without asking anybody; `tintype train` reads others where their weights are."""


class EncoderUNetSpec(Section):
    """U-Net generator whose encoder is a backbone of transformers' AutoBackbone, with skips from all its stages."""

    kind: Literal["encoder_unet"] = "encoder_unet"
    backbone: str = Field(
        "microsoft/resnet-18",
        min_length=1,
        description="Name on the model hub, or a folder with the backbone's config.json and model.safetensors.",
    )
    architecture: Architecture | None = Field(
        None,
        description="The backbone's config.json, with model_type; default: read where the backbone is and kept with "
        "the run. For published ResNet, ConvNeXt, Swin and DINOv2 nothing is read.",
    )
    revision: str | None = Field(
        None,
        pattern=r"^[0-9A-Za-z][\w.-]{0,99}$",
        description="Branch, tag or commit of the backbone on the hub; default: what stands there today. The run says "
        "which commit it got.",
    )
    weights: str = Field(
        "published",
        min_length=1,
        description="What the encoder starts with: the backbone's published weights, none (random ones), or a file: "
        ".safetensors with transformers' names, or torchvision's state dict of a ResNet. A new run alone reads it.",
    )
    filters: int = Field(
        32, ge=1, le=512, description="Channels of the decoder at full size; doubled per level up to 8 times."
    )
    norm: Norm = Field("batch", description="Normalisation in the decoder; the backbone has its own.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Drop probability in all but the decoder's two finest levels.")
    upsample: Literal["transposed", "resize"] = Field(
        "resize", description="Transposed, or resize then 3x3 convolution."
    )
    init: InitSpec = Field(
        InitSpec(kind="kaiming"), description="How the decoder's weights start, and those of a backbone never."
    )

    @field_validator("architecture")
    @classmethod
    def _of_a_bearable_size(cls, value: Architecture | None) -> Architecture | None:
        if value is not None and "model_type" not in value:
            raise ValueError("model_type is missing: resnet, convnext, swin, dinov2 or another backbone")
        for name, content in (value or {}).items():
            limit = _DEEPEST if "depth" in name or "layers" in name or "stages" in name else _LARGEST
            numbers = content if isinstance(content, list) else [content]
            if name == "depths":
                numbers = [sum(number for number in numbers if isinstance(number, int))]
            if any(isinstance(number, int | float) and abs(number) > limit for number in numbers):
                raise ValueError(f"{name} is beyond {limit}")
        return value

    @property
    def resolved(self) -> Architecture | None:
        """The backbone's architecture; None where nobody has read it yet."""
        return self.architecture or PUBLISHED.get(self.backbone)

    @property
    def strides(self) -> tuple[int, ...]:
        """Input pixels for each pixel of the backbone's maps, from the first stage to the last; (1,) while unknown."""
        return (1,) if self.resolved is None else backbone_strides(self.resolved)

    @property
    def multiple_of(self) -> int:
        """Number of pixels that both sides of an input must be a multiple of."""
        return self.strides[-1]

    @property
    def inputs(self) -> tuple[InputName, ...]:
        """What the network takes, in the order of its arguments."""
        return ("source",)


def backbone_strides(architecture: Architecture) -> tuple[int, ...]:
    """Input pixels for each pixel of a backbone's maps.

    Backbones of several `depths` halve from stage to stage. A transformer without has maps of one size, of which a few
    are taken; it is shown the picture at the size at which a token is 16 pixels of it wide.
    """
    depths: Any = architecture.get("depths")
    if not isinstance(depths, list):
        return (_TOKEN,) * _TAPS
    patch = architecture.get("patch_size")
    first = patch if isinstance(patch, int) else 4
    if architecture.get("downsample_in_first_stage"):
        first *= 2
    return tuple(first * 2**stage for stage in range(len(depths)))
