"""What holds for every generator with every codec: shapes, size requirement, save and load, and agreement with ONNX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tintype.image.codec import build_codec
from tintype.inference.modelfile import write_safetensors
from tintype.inference.onnx import export_onnx
from tintype.inference.runtime import open_runtime
from tintype.inference.torch_runtime import TorchRuntime, load_network
from tintype.networks import build_discriminator, build_generator
from tintype.recipe import Recipe, load_recipe
from tintype.training.preview import make_card

CODECS = {
    "lab": ["codec.chroma_size=null"],
    "lab, smaller chroma": ["codec={kind: lab, chroma_size: 16}"],
    "grey to rgb": ["codec={kind: rgb, source: grey}"],
    "rgb to rgb": ["codec={kind: rgb}", "data.kind=folders"],
    "gray": ["codec={kind: gray}", "data.kind=folders"],
}
GENERATORS = {
    "unet, batch, transposed": "generator={filters: 2, levels: 3, upsample: transposed}",
    "unet, instance, resize": "generator={filters: 2, levels: 3, norm: instance, upsample: resize}",
    "resnet, instance, transposed": "generator={kind: resnet, filters: 2, blocks: 1}",
    "resnet, batch, resize": "generator={kind: resnet, filters: 2, blocks: 1, norm: batch, upsample: resize}",
    "unet, no norm, deeper": "generator={filters: 2, levels: 4, norm: none}",
    "unet, batch, blocks": "generator={filters: 2, levels: 3, bottleneck_blocks: 2}",
    "unet, instance, resize, blocks": (
        "generator={filters: 2, levels: 4, bottleneck_blocks: 1, norm: instance, upsample: resize}"
    ),
    "encoder_unet, resnet, transposed": (
        "generator={kind: encoder_unet, filters: 2, upsample: transposed, weights: none, architecture: {model_type: "
        "resnet, embedding_size: 2, hidden_sizes: [2, 4], depths: [1, 1], layer_type: basic}}"
    ),
    "encoder_unet, convnext, instance": (
        "generator={kind: encoder_unet, filters: 2, norm: instance, weights: none, architecture: {model_type: "
        "convnext, patch_size: 4, num_stages: 2, hidden_sizes: [2, 4], depths: [1, 1]}}"
    ),
    "encoder_unet, swin": (
        "generator={kind: encoder_unet, filters: 2, weights: none, architecture: {model_type: swin, patch_size: 4, "
        "image_size: 32, embed_dim: 2, depths: [1, 1], num_heads: [1, 2], window_size: 4}}"
    ),
    "encoder_unet, dinov2": (
        "generator={kind: encoder_unet, filters: 2, weights: none, architecture: {model_type: dinov2, patch_size: 14, "
        "image_size: 28, hidden_size: 4, num_hidden_layers: 4, num_attention_heads: 2}}"
    ),
}


TRACED = ("encoder_unet, resnet, transposed", "encoder_unet, dinov2")
"""Those over a backbone that are exported here: half a minute for all of them would say little more of our own code."""


@pytest.fixture(params=CODECS.values(), ids=CODECS.keys())
def codec(request: pytest.FixtureRequest) -> list[str]:
    return request.param


PAIRS = [  # a residual generator has no smaller output
    pytest.param((codec, generator), id=f"{network}: {space}")
    for network, generator in GENERATORS.items()
    for space, codec in CODECS.items()
    if not network.startswith("resnet") or "smaller" not in space
]


@pytest.fixture(params=PAIRS)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    codec, generator = request.param
    return load_recipe("tiny", [*codec, generator])


def test_output_shape_follows_from_the_codec_and_the_stride(recipe: Recipe) -> None:
    network, channels = build_generator(recipe), build_codec(recipe)
    side = 2 * network.multiple_of
    output = network(torch.rand(2, channels.source_channels, side, 2 * side))
    stride = recipe.output_stride
    assert output.shape == (2, channels.target_channels, side // stride, 2 * side // stride)


def test_the_size_requirement_is_the_smallest_that_works(recipe: Recipe) -> None:
    network = build_generator(recipe).eval()
    channels = build_codec(recipe).source_channels
    multiple = network.multiple_of
    assert multiple == recipe.generator_multiple
    assert network(torch.rand(1, channels, multiple, multiple)).shape[2] == multiple // recipe.output_stride
    with pytest.raises((RuntimeError, ValueError)):  # instance norm refuses a single pixel before the sizes clash
        network(torch.rand(1, channels, multiple // 2, multiple // 2 + 1))


def test_what_is_saved_is_loaded(recipe: Recipe, tmp_path: Path) -> None:
    network = build_generator(recipe).eval()
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    write_safetensors(tmp_path / "model.safetensors", state, make_card(recipe, network, 0))
    loaded, card = load_network(tmp_path / "model.safetensors")
    assert card.recipe == recipe
    x = torch.rand(1, build_codec(recipe).source_channels, 32, 32)
    assert torch.equal(loaded.eval()(x), network(x))


@pytest.mark.parametrize("generator", ["unet, batch, blocks", "resnet, instance, transposed"])
def test_a_network_that_was_trained_with_recomputing_is_exported_like_any_other(generator: str, tmp_path: Path) -> None:
    recipe = load_recipe("tiny", ["codec.chroma_size=null", GENERATORS[generator], "training.recompute=true"])
    network = build_generator(recipe)
    assert network.recompute
    assert export_onnx(network, make_card(recipe, network, 0), tmp_path / "model.onnx").max_difference < 1e-5


@pytest.mark.parametrize(
    ("network", "space"),
    [  # of the codec a graph knows numbers of channels and the stride of its output, and it takes seconds to export one
        *((name, "lab") for name in GENERATORS if "encoder" not in name),
        *((name, "lab, smaller chroma") for name in GENERATORS if "resnet" not in name and "encoder" not in name),
        *((name, "lab, smaller chroma") for name in TRACED),
        *(("unet, batch, transposed", space) for space in ("grey to rgb", "rgb to rgb", "gray")),
        *(("resnet, instance, transposed", space) for space in ("grey to rgb", "rgb to rgb", "gray")),
    ],
)
def test_onnx_agrees_with_torch(network: str, space: str, tmp_path: Path) -> None:
    recipe = load_recipe("tiny", [*CODECS[space], GENERATORS[network]])
    generator = build_generator(recipe)
    export_onnx(generator, make_card(recipe, generator, 0), tmp_path / "model.onnx")
    runtime, card = open_runtime(tmp_path / "model.onnx")
    assert card.recipe == recipe
    x = np.random.default_rng(0).uniform(-1, 1, (2, build_codec(recipe).source_channels, 32, 48)).astype(np.float32)
    limit = 1e-4 if "dinov2" in network else 1e-5  # its norms are over a few channels here
    np.testing.assert_allclose(runtime(x), TorchRuntime(generator)(x), atol=limit)


@pytest.mark.parametrize(
    "discriminator",
    [
        "{kind: patchgan, filters: 2, layers: 1}",
        "{kind: patchgan, filters: [2, 3, 2], layers: null}",
        "{kind: pixel, filters: 2, spectral_norm: true}",
        "{kind: pixel, filters: 2}",
        "{kind: dense, filters: 2, layers: 2}",
        "{kind: dense, filters: 2, layers: 1, spectral_norm: true}",
    ],
)
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_every_discriminator_judges_source_and_target_joined(codec: list[str], discriminator: str, norm: str) -> None:
    recipe = load_recipe("tiny", [*codec, f"discriminator={discriminator}", f"discriminator.norm={norm}"])
    channels = build_codec(recipe)
    side = recipe.data.size // recipe.output_stride
    x = torch.rand(2, channels.source_channels + channels.target_channels, side, side)
    logits = build_discriminator(recipe)(x)
    assert logits.shape[:2] == (2, 1)
    assert torch.isfinite(logits).all()
