"""Encoders by transformers: a backbone of any kind as a module that gives its maps, with random weights.

Only here is transformers asked to build anything. An architecture may come with a model file of a stranger: just the
settings that describe layers are passed on, nothing that names code or other files.
"""

from __future__ import annotations

import inspect
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype.errors import MissingExtraError, RecipeError
from tintype.recipe.encoders import Architecture, backbone_strides

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the channels of ImageNet, in [0, 1]: what every published backbone was trained to see as 0 and 1."""


class Backbone(nn.Module):
    """`n c h w` in [-1, 1] -> maps `n c_i h/s_i w/s_i` of all stages, s_i being `strides`.

    One channel is shown three times, which is the same as adding up the weights of the first convolution; other numbers
    than one and three are mixed to three first. What is shown is normalised as published weights expect it.
    """

    def __init__(self, channels_in: int, architecture: Architecture) -> None:
        super().__init__()
        self.strides = backbone_strides(architecture)
        self.mix = nn.Identity() if channels_in in (1, 3) else nn.Conv2d(channels_in, 3, 1)
        self.model, self.channels = _build(architecture)
        patch = architecture.get("patch_size")
        self.patch = patch if self.plain and isinstance(patch, int) else self.strides[0]
        self.kind = str(architecture["model_type"])
        for module in self.model.modules():
            module._non_persistent_buffers_set.clear()  # so that a model file holds all that a network consists of
        self._require_strides()

    @property
    def plain(self) -> bool:
        """Whether all maps have the same size."""
        return self.strides[0] == self.strides[-1]

    @property
    def tiling(self) -> Literal["exact", "approximate", "forbidden"]:
        """Whether a part of a picture gives the same part of the maps."""
        match self.kind:
            case "resnet" | "convnext":
                return "exact"
            case "swin" | "swinv2":
                return "approximate"  # its windows begin at the corner of what it is shown
            case _:
                return "forbidden"

    @property
    def receptive_radius_px(self) -> int | None:
        """Input pixels on either side of a pixel of the last map that can change it; None: nobody knows, or all."""
        config, radius = self.model.config, 0
        match self.kind:
            case "resnet":
                radius = 3 + 2  # 7x7 convolution and 3x3 maximum, either of stride 2
                inside, convolutions = 4, 1 if config.layer_type == "bottleneck" else 2
                for depth, stride in zip(config.depths, self.strides, strict=True):
                    before = stride if config.downsample_in_bottleneck else inside  # what the first convolution sees
                    radius += before + (depth * convolutions - 1) * stride
                    inside = stride
                return radius
            case "convnext":
                return sum(3 * depth * stride for depth, stride in zip(config.depths, self.strides, strict=True))
            case _:
                return None

    def forward(self, x: Tensor) -> list[Tensor]:
        """The maps, from the first stage to the last."""
        return self.maps(self.mix(x))

    def maps(self, x: Tensor) -> list[Tensor]:
        """The maps of a picture of one channel or three."""
        x = (x.expand(-1, 3, -1, -1) + 1) / 2
        mean, deviation = (torch.tensor(values, dtype=x.dtype, device=x.device) for values in (MEAN, DEVIATION))
        x = (x - mean[:, None, None]) / deviation[:, None, None]
        if self.patch != self.strides[0]:
            size = [side // self.strides[0] * self.patch for side in x.shape[2:]]
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        return list(self.model(pixel_values=x).feature_maps)

    @torch.no_grad()
    def _require_strides(self) -> None:
        """Find out whether the maps have the sizes that the decoder counts on."""
        side = 2 * self.strides[-1]
        device = next(self.model.parameters()).device
        training = self.training
        try:
            maps = self.eval().maps(torch.zeros(1, 3, side, side, device=device))
            found = [tuple(one.shape[1:]) for one in maps]
        except (
            Exception
        ) as error:  # settings that can be built may still divide by zero or find nothing where they look
            raise RecipeError(f"generator.architecture: {self.kind} does not run ({_line(error)})") from error
        self.train(training)
        wanted = [(c, side // s, side // s) for c, s in zip(self.channels, self.strides, strict=True)]
        if found != wanted:
            raise RecipeError(
                f"generator.architecture: {self.kind} gives maps {found} of {side} x {side} pixels, needed "
                f"{wanted}: use a backbone whose stages halve, or whose maps all have one size"
            )


def _build(architecture: Architecture) -> tuple[Any, list[int]]:
    """The model with random weights, and the channels of its maps."""
    try:
        from transformers import AutoBackbone
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "generator.kind=encoder_unet: needs transformers: pip install 'tintype[train,features]'"
        ) from error
    settings: dict[str, Any] = dict(architecture)
    config_class, own = config_class_of(settings.pop("model_type", None))
    if unknown := sorted(settings.keys() - own):
        raise RecipeError(f"generator.architecture: {unknown[0]} is no setting of {config_class.model_type}")
    strides = backbone_strides(architecture)
    try:
        stages = len(config_class(**settings).stage_names) - 1  # without the stem
        if stages < len(strides):
            raise ValueError(f"{stages} stages, needed {len(strides)}")
        taken = [stages * number // len(strides) for number in range(1, len(strides) + 1)]
        model = AutoBackbone.from_config(config_class(**settings, out_indices=taken))
        return model, list(model.channels)
    except Exception as error:  # what transformers raises for settings that do not fit shares no base but Exception
        raise RecipeError(
            f"generator.architecture: transformers cannot build {config_class.model_type} from it ({_line(error)})"
        ) from error


def config_class_of(kind: object) -> tuple[type[Any], frozenset[str]]:
    """The configuration class of a kind of backbone, and the settings that describe its layers.

    Raises:
        RecipeError: transformers has no such backbone, or it is one that brings code or weights from elsewhere.
    """
    from transformers import PretrainedConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_BACKBONE_MAPPING_NAMES

    if kind not in MODEL_FOR_BACKBONE_MAPPING_NAMES or kind == "timm_backbone":
        raise RecipeError(
            f"generator.architecture: model_type {kind!r} is no backbone of transformers; resnet, convnext, swin and "
            "dinov2 are some"
        )
    config_class = CONFIG_MAPPING[str(kind)]
    shared = inspect.signature(PretrainedConfig).parameters
    own = {name for name in inspect.signature(config_class).parameters if name not in shared and name[0] != "_"}
    return config_class, frozenset(own - {"self", "kwargs", "out_features", "out_indices"})


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
