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
    "unet, instance, blocks, noise": (
        "generator={filters: 2, levels: 3, bottleneck_blocks: 1, norm: instance, noise: input, latent: 3}"
    ),
    "unet, batch, noise": "generator={filters: 2, levels: 3, upsample: resize, noise: input, latent: 2}",
    "resnet, instance, noise": "generator={kind: resnet, filters: 2, blocks: 1, noise: input, latent: 3}",
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
ENLARGING = {
    "srresnet, none, shuffle": (4, "filters: 2, blocks: 2"),
    "srresnet, batch, resize, no skip": (
        2,
        "filters: 2, blocks: 1, norm: batch, activation: prelu, end_kernel: 9, upsample: resize, skip: none",
    ),
    "srresnet, instance, direct": (3, "filters: 2, blocks: 1, norm: instance, upsample: direct"),
}
"""Times that a generator enlarges, and its settings."""
ENLARGING_PARTS = {
    network: (["data.size=48", f"codec={{kind: enlarge, scale: {scale}}}"], f"generator={{kind: srresnet, {settings}}}")
    for network, (scale, settings) in ENLARGING.items()
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
ENLARGERS = [pytest.param(parts, id=network) for network, parts in ENLARGING_PARTS.items()]


@pytest.fixture(params=[*PAIRS, *ENLARGERS])
def recipe(request: pytest.FixtureRequest) -> Recipe:
    codec, generator = request.param
    return load_recipe("tiny", [*codec, generator])


def noise_for(recipe: Recipe, count: int) -> dict[str, np.ndarray]:
    """What the generator takes beside a source."""
    if "noise" not in recipe.inputs:
        return {}
    shape = (count, recipe.generator.latent)
    return {"noise": np.random.default_rng(1).standard_normal(shape, dtype=np.float32)}


def made(network: torch.nn.Module, recipe: Recipe, x: torch.Tensor) -> torch.Tensor:
    return network(x, *(torch.from_numpy(one) for one in noise_for(recipe, len(x)).values()))


def test_output_shape_follows_from_the_codec_and_the_stride(recipe: Recipe) -> None:
    network, channels = build_generator(recipe), build_codec(recipe)
    side = 2 * network.multiple_of
    output = made(network, recipe, torch.rand(2, channels.source_channels, side, 2 * side))
    stride, scale = recipe.output_stride, recipe.enlargement
    assert output.shape == (2, channels.target_channels, side // stride * scale, 2 * side // stride * scale)


@pytest.mark.parametrize("parts", [pair for pair in PAIRS if "encoder_unet" not in str(pair.id)])
def test_a_generator_is_its_encoder_and_then_its_decoder(parts: tuple[list[str], str]) -> None:
    recipe = load_recipe("tiny", [*parts[0], parts[1]])
    network = build_generator(recipe).eval()
    x = torch.rand(2, build_codec(recipe).source_channels, 2 * network.multiple_of, 2 * network.multiple_of)
    z = torch.from_numpy(noise_for(recipe, 2)["noise"]) if "noise" in recipe.inputs else None
    maps = network.encode(x, z)
    assert tuple(one.shape[1] for one in maps) == network.map_channels
    assert torch.equal(network.decode(*maps, z=z), made(network, recipe, x))


def test_the_size_requirement_is_the_smallest_that_works(recipe: Recipe) -> None:
    network = build_generator(recipe).eval()
    channels = build_codec(recipe).source_channels
    multiple = network.multiple_of
    assert multiple == recipe.generator_multiple
    output = made(network, recipe, torch.rand(1, channels, multiple, multiple))
    assert output.shape[2] == multiple // recipe.output_stride * recipe.enlargement
    with pytest.raises((RuntimeError, ValueError)):  # instance norm refuses a single pixel before the sizes clash
        made(network, recipe, torch.rand(1, channels, multiple // 2, (multiple + 1) // 2))


def test_what_is_saved_is_loaded(recipe: Recipe, tmp_path: Path) -> None:
    network = build_generator(recipe).eval()
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    write_safetensors(tmp_path / "model.safetensors", state, make_card(recipe, network, 0))
    loaded, card = load_network(tmp_path / "model.safetensors")
    assert card.recipe == recipe
    x = torch.rand(1, build_codec(recipe).source_channels, 32, 32)
    assert torch.equal(made(loaded.eval(), recipe, x), made(network, recipe, x))


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
        *((name, "lab, smaller chroma") for name in ("unet, batch, transposed", "unet, instance, resize, blocks")),
        *((name, "lab, smaller chroma") for name in TRACED),
        *(("unet, batch, transposed", space) for space in ("grey to rgb", "rgb to rgb", "gray")),
        *(("resnet, instance, transposed", space) for space in ("grey to rgb", "rgb to rgb", "gray")),
        *((name, "") for name in ENLARGING),
    ],
)
def test_onnx_agrees_with_torch(network: str, space: str, tmp_path: Path) -> None:
    codec, settings = (CODECS[space], GENERATORS[network]) if space else ENLARGING_PARTS[network]
    recipe = load_recipe("tiny", [*codec, settings])
    generator = build_generator(recipe)
    export_onnx(generator, make_card(recipe, generator, 0), tmp_path / "model.onnx")
    runtime, card = open_runtime(tmp_path / "model.onnx")
    assert card.recipe == recipe
    x = np.random.default_rng(0).uniform(-1, 1, (2, build_codec(recipe).source_channels, 32, 48)).astype(np.float32)
    inputs = {"source": x, **noise_for(recipe, 2)}
    limit = 1e-4 if "dinov2" in network else 1e-5  # its norms are over a few channels here
    made, wanted = (one.run(inputs)[0] for one in (runtime, TorchRuntime(generator)))
    np.testing.assert_allclose(made, wanted, rtol=1e-5, atol=limit)


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
    torch.manual_seed(0)  # a small network drawn otherwise may have no unit that any picture wakes
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
        "{kind: capsule, filters: 2, layers: 2, capsules: 2, dimensions: 2}",
        "{kind: capsule, scope: picture, filters: 2, layers: 2, capsules: 2, dimensions: 2}",
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
