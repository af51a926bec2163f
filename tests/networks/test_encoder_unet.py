"""A U-Net over a backbone: what the backbone is shown, how far its output looks, and what may build one."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from tintype.errors import MissingExtraError, RecipeError
from tintype.networks import build_generator
from tintype.networks.backbone import DEVIATION, MEAN, Backbone
from tintype.networks.encoder_unet import EncoderUNet
from tintype.recipe import Recipe, load_recipe
from tintype.recipe.network_parts import InitSpec

pytest.importorskip("transformers")

RESNET: dict[str, Any] = {
    "model_type": "resnet",
    "embedding_size": 4,
    "hidden_sizes": [4, 8, 8],
    "depths": [1, 2, 1],
    "layer_type": "basic",
}
BOTTLENECK = {**RESNET, "layer_type": "bottleneck", "hidden_sizes": [8, 8], "depths": [2, 1]}
CONVNEXT = {"model_type": "convnext", "patch_size": 4, "num_stages": 2, "hidden_sizes": [4, 8], "depths": [1, 1]}
DINOV2 = {
    "model_type": "dinov2",
    "patch_size": 14,
    "image_size": 28,
    "hidden_size": 8,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
}


def network(architecture: dict[str, Any], channels: int = 1, **settings: Any) -> EncoderUNet:
    torch.manual_seed(0)
    return EncoderUNet(channels, 2, architecture, filters=4, init=InitSpec(kind="kaiming"), **settings).eval()


def test_a_backbone_is_shown_the_picture_normalised_as_published_weights_expect() -> None:
    backbone = Backbone(3, RESNET).eval()
    x = torch.rand(2, 3, 32, 48) * 2 - 1
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    expected = backbone.model(((x + 1) / 2 - mean) / deviation).feature_maps
    assert all(torch.allclose(ours, theirs, atol=1e-6) for ours, theirs in zip(backbone(x), expected, strict=True))


def test_one_channel_is_shown_three_times() -> None:
    torch.manual_seed(0)
    one = Backbone(1, RESNET).eval()
    three = Backbone(3, RESNET).eval()
    three.load_state_dict(one.state_dict())
    x = torch.rand(1, 1, 32, 32)
    assert all(torch.equal(a, b) for a, b in zip(one(x), three(x.expand(-1, 3, -1, -1)), strict=True))


def test_two_channels_are_mixed_to_three() -> None:
    assert network(RESNET, channels=2)(torch.rand(1, 2, 32, 32)).shape == (1, 2, 32, 32)


def test_a_token_of_a_transformer_is_sixteen_pixels_wide_whatever_its_patches() -> None:
    backbone = Backbone(3, DINOV2).eval()
    assert [tuple(one.shape[2:]) for one in backbone(torch.rand(1, 3, 32, 64))] == [(2, 4)] * 4


def influence(generator: EncoderUNet, side: int) -> int:
    """How far from the middle output pixel input pixels change it, found by derivatives."""
    x = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(1)).requires_grad_()
    middle = side // 2
    outputs: Tensor = generator(x)[0, :, middle // generator.output_stride, middle // generator.output_stride].sum()
    (gradient,) = torch.autograd.grad(outputs, x)
    columns = gradient[0, 0].abs().sum(0).nonzero().flatten()
    return max(middle - int(columns.min()), int(columns.max()) - middle)


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        (RESNET, {}),
        (RESNET, {"output_stride": 2, "upsample": "transposed"}),
        (BOTTLENECK, {}),
        (CONVNEXT, {}),
    ],
)
def test_nothing_beyond_the_declared_radius_is_looked_at(
    architecture: dict[str, Any], settings: dict[str, Any]
) -> None:
    generator = network(architecture, **settings)
    assert generator.tiling == "exact"
    assert generator.receptive_radius_px is not None
    found = influence(generator, 384)
    assert 0.6 * generator.receptive_radius_px <= found <= generator.receptive_radius_px


def test_what_looks_at_everything_says_so() -> None:
    transformer = network(DINOV2)
    assert (transformer.tiling, transformer.receptive_radius_px) == ("forbidden", None)
    assert network(RESNET, norm="instance").tiling == "approximate"


def test_a_backbone_starts_as_its_makers_have_it_and_the_decoder_as_the_recipe_says() -> None:
    recipe = recipe_with("{kind: encoder_unet, weights: none, filters: 8, init: {kind: normal, gain: 0.001}}")
    torch.manual_seed(0)
    generator = build_generator(recipe)
    assert isinstance(generator, EncoderUNet)
    weights = generator.encoder.model.encoder.stages[3].layers[1].layer[1].convolution.weight
    fan_out = weights.shape[0] * 9
    assert weights.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.02)
    assert generator.join["0"][0].weight.std().item() == pytest.approx(0.001, rel=0.1)


def recipe_with(generator: str) -> Recipe:
    return load_recipe("tiny", ["codec.chroma_size=null", "data.size=32", f"generator={generator}"])


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("{model_type: bert}", "is no backbone of transformers"),
        ("{model_type: timm_backbone}", "is no backbone of transformers"),
        ("{model_type: resnet, depths: [1, 1], auto_map: x.y}", "auto_map is no setting of resnet"),
        ("{model_type: resnet, depths: [1, 1], attn_implementation: kernels/x}", "attn_implementation is no setting"),
        ("{model_type: resnet, depths: [1, 1], layer_type: odd}", "transformers cannot build resnet"),
        ("{model_type: dinov2, num_hidden_layers: 2, hidden_size: 4, num_attention_heads: 2}", "2 stages, needed 4"),
        ("{model_type: resnet, depths: [1, 1], hidden_sizes: [8]}", "transformers cannot build resnet"),
        (
            "{model_type: swin, depths: [1, 1], num_heads: [1, 1], embed_dim: 8, window_size: 0}",
            r"swin does not run \(integer modulo by zero\)",
        ),
    ],
)
def test_an_architecture_that_cannot_be_built_or_brings_code_is_refused_in_one_line(
    architecture: str, message: str
) -> None:
    recipe = recipe_with(f"{{kind: encoder_unet, weights: none, architecture: {architecture}}}")
    with pytest.raises(RecipeError, match=message) as caught:
        build_generator(recipe)
    assert "\n" not in str(caught.value)


def test_a_backbone_whose_maps_have_other_sizes_is_refused() -> None:
    dilated = {"model_type": "bit", "embedding_size": 8, "hidden_sizes": [8, 8, 8, 8], "depths": [1, 1, 1, 1]}
    with pytest.raises(RecipeError, match="use a backbone whose stages halve"):
        Backbone(3, {**dilated, "num_groups": 1, "output_stride": 8})


def test_without_transformers_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"tintype\[train,features\]"):
        Backbone(3, RESNET)
