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
from tintype.training.cards import make_card

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
}


@pytest.fixture(params=CODECS.values(), ids=CODECS.keys())
def codec(request: pytest.FixtureRequest) -> list[str]:
    return request.param


PAIRS = [  # a residual generator has no smaller output
    pytest.param((codec, generator), id=f"{network}: {space}")
    for network, generator in GENERATORS.items()
    for space, codec in CODECS.items()
    if "resnet" not in network or "smaller" not in space
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
        *((name, "lab") for name in GENERATORS),
        *((name, "lab, smaller chroma") for name in GENERATORS if "resnet" not in name),
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
    np.testing.assert_allclose(runtime(x), TorchRuntime(generator)(x), atol=1e-5)


FROM_NOISE = {
    "mlp": "generator={kind: mlp, latent: 5, hidden: [7, 6]}",
    "mlp, classes": "generator={kind: mlp, latent: 5, hidden: [7], classes: 3}",
    "dcgan, batch, transposed": "generator={kind: dcgan, latent: 5, filters: 2}",
    "dcgan, instance, resize, classes": (
        "generator={kind: dcgan, latent: 5, filters: 2, norm: instance, upsample: resize, classes: 3}"
    ),
    "dcgan, one level": "generator={kind: dcgan, latent: 5, filters: 2, norm: none, levels: 1}",
}


@pytest.fixture(params=FROM_NOISE.values(), ids=FROM_NOISE.keys())
def noise_recipe(request: pytest.FixtureRequest) -> Recipe:
    told = "auxiliary" if "classes" in request.param else "none"
    method = ["method={kind: gan}", f"method.labels={told}", "discriminator={kind: mlp, hidden: [4]}"]
    return load_recipe("tiny", [*method, request.param, "data={kind: labelled}", "codec={kind: gray}", "data.size=24"])


def noise_and_classes(recipe: Recipe, count: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    known = {"noise": random.standard_normal((count, 5)).astype(np.float32), "label": np.arange(count) % 3}
    return {name: known[name] for name in recipe.inputs}


def test_what_comes_from_noise_has_the_size_of_the_recipe(noise_recipe: Recipe) -> None:
    network = build_generator(noise_recipe)
    given = [torch.from_numpy(value) for value in noise_and_classes(noise_recipe, 4).values()]
    output = network(*given)
    assert output.shape == (4, 1, 24, 24)
    assert output.abs().max() <= 1
    if "label" in noise_recipe.inputs:
        assert not torch.equal(network.eval()(given[0], (given[1] + 1) % 3), network.eval()(*given))


def test_onnx_agrees_with_torch_where_pictures_come_from_noise(noise_recipe: Recipe, tmp_path: Path) -> None:
    network = build_generator(noise_recipe)
    card = make_card(noise_recipe, network, 0)
    export_onnx(network, card, tmp_path / "model.onnx")
    write_safetensors(
        tmp_path / "model.safetensors", {name: value.numpy() for name, value in network.state_dict().items()}, card
    )
    expected = TorchRuntime(network).run(noise_and_classes(noise_recipe, 5))[0]
    for suffix in ("onnx", "safetensors"):
        runtime, read = open_runtime(tmp_path / f"model.{suffix}")
        assert read == card
        np.testing.assert_allclose(runtime.run(noise_and_classes(noise_recipe, 5))[0], expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["mlp, hidden: [7]", "dcgan, filters: 2", "dcgan, filters: 2, norm: none, levels: 1"])
@pytest.mark.parametrize(("labels", "columns"), [("none", 1), ("projection", 1), ("auxiliary", 4)])
@pytest.mark.parametrize("limited", [False, True])
def test_whole_pictures_are_judged_by_one_logit_and_by_those_of_classes(
    kind: str, labels: str, columns: int, limited: bool
) -> None:
    generator = f"generator={{kind: mlp, classes: {0 if labels == 'none' else 3}}}"
    method = ["method={kind: gan}", f"method.labels={labels}", f"discriminator={{kind: {kind}}}", generator]
    network = build_discriminator(
        load_recipe(
            "tiny",
            [
                *method,
                "data={kind: labelled}",
                "codec={kind: gray}",
                "data.size=24",
                f"discriminator.spectral_norm={limited}",
            ],
        ),
        1,
    )
    x, told = torch.rand(2, 1, 24, 24), (torch.tensor([0, 2]),) if labels == "projection" else ()
    logits = network(x, *told)
    assert logits.shape == (2, columns)
    assert torch.isfinite(logits).all()
    if told:
        assert not torch.equal(network.eval()(x, (told[0] + 1) % 3), network.eval()(x, *told))


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
