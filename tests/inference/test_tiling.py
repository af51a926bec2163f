"""Whole pictures in tiles: equal to the untiled result where the network allows it, without seams where it does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tintype.errors import ModelFileError, OutOfMemoryError, UsageError
from tintype.image.array_picture import ArrayPicture
from tintype.inference import tiling
from tintype.inference.memory import Cost
from tintype.inference.modelfile import ModelCard, write_safetensors
from tintype.inference.onnx import export_onnx
from tintype.inference.torch_runtime import TorchRuntime
from tintype.inference.translator import Sizing, Translator
from tintype.networks import build_generator
from tintype.recipe.schema import Recipe


def make(norm="none", orientations=1, blocks=1, **fields):
    """A translator with a small residual generator of random weights; with one block it sees 23 px to each side."""
    torch.manual_seed(0)
    recipe = Recipe.model_validate(
        {
            "name": "small",
            "data": {"kind": "folders", "path": "p", "size": 64},
            "codec": {"kind": "rgb"},
            "generator": {
                "kind": "resnet",
                "filters": 4,
                "blocks": blocks,
                "norm": norm,
                "init": {"kind": "normal", "gain": 0.1},
            },
            "training": {"steps": 1},
            "inference": {"orientations": orientations},
        }
    )
    network = build_generator(recipe)
    card = {
        "tintype_version": "0",
        "recipe": recipe,
        "step": 1,
        "images_seen": 1,
        "multiple_of": network.multiple_of,
        "output_stride": 1,
        "tiling": network.tiling,
        "receptive_radius_px": network.receptive_radius_px,
    }
    return Translator.from_runtime(TorchRuntime(network), ModelCard(**(card | fields)))


def picture(height, width, seed=0):
    """Smooth waves that change over the picture, and some grain."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    waves = [np.sin(2 * np.pi * (a * y * y + b * x + c)) for a, b, c in random.uniform(-3, 3, (3, 3))]
    pixels = 0.5 + 0.35 * np.stack(waves, axis=-1) + 0.02 * random.standard_normal((height, width, 3))
    return np.clip(pixels, 0, 1).astype(np.float32)


def tiled(translator, image, **settings):
    translation = translator.translate(ArrayPicture(image), settings=Sizing(**settings))
    return translation.pixels(), translation.notes


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("orientations", [1, 8])
@pytest.mark.parametrize("side", [96, 150])
def test_exact_networks_give_in_tiles_what_they_give_whole(norm, orientations, side):
    translator, image = make(norm, orientations), picture(163, 211)
    result, notes = tiled(translator, image, tile=side)
    np.testing.assert_allclose(result, translator(image), atol=1e-5)
    assert not notes


@pytest.mark.parametrize("size", [(1, 300), (300, 1), (97, 96), (7, 211), (104, 217)])
def test_every_shape_is_tiled_as_it_is_padded_whole(size):
    translator, image = make(), picture(*size)
    np.testing.assert_allclose(tiled(translator, image, tile=96)[0], translator(image), atol=1e-5)


def test_tiles_smaller_than_what_the_network_sees_are_blended_and_said():
    translator, image = make(blocks=3), picture(150, 200)
    result, notes = tiled(translator, image, tile=64)
    assert np.abs(result - translator(image)).max() < 0.1
    assert "depends on 80 px across" in " ".join(notes)


def steps_at_borders(result, image, side, card):
    """The largest step between columns where tiles meet, in units of the largest step anywhere else; of means over 8
    rows, so that grain does not hide them."""
    columns = tiling.spans_of(image.shape[1], side, card)
    rows = result[: result.shape[0] // 8 * 8].reshape(-1, 8, *result.shape[1:]).mean(1)
    steps = np.abs(np.diff(rows, axis=1)).max(axis=(0, 2))
    zones = np.zeros(len(steps), bool)
    for column in columns[:-1]:
        zones[column.fade_out[0] - 1 : column.fade_out[1] + 1] = True
    return steps[zones].max() / steps[~zones].max()


def test_tiles_of_a_network_that_normalises_over_them_fade_into_each_other():
    translator, image = make("instance"), picture(240, 320)
    result, notes = tiled(translator, image, tile=128, statistics="tile")
    assert "normalises over the whole picture" in notes[0]
    assert steps_at_borders(result, image, 128, translator.card) <= 1.2
    whole = translator(image)
    assert np.abs(result - whole).mean() > 0.01  # and yet each tile has a tone of its own


def test_tiles_have_one_tone_wherever_what_runs_the_network_can_hold_it(tmp_path):
    translator, image = make("instance"), picture(240, 320)
    expected, notes = tiled(translator, image, tile=128, statistics="whole")
    assert notes == ("tiles of 128 px, all normalised as the whole picture is, reduced to that size",)
    assert steps_at_borders(expected, image, 128, translator.card) <= 1.2
    np.testing.assert_array_equal(tiled(translator, image, tile=128)[0], expected)

    network = translator.runtime._module
    export_onnx(network, translator.card, tmp_path / "model.onnx")
    alone, notes = tiled(Translator(tmp_path / "model.onnx"), image, tile=128)
    assert "tiles differ in tone" in notes[0]
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    write_safetensors(tmp_path / "model.safetensors", state, translator.card)
    beside, notes = tiled(Translator(tmp_path / "model.onnx"), image, tile=128)
    assert "all normalised as the whole picture is" in notes[0]
    np.testing.assert_allclose(beside, expected, atol=1e-4)
    assert np.abs(alone - expected).mean() > 0.01


def test_the_file_beside_a_model_must_be_the_same_model(tmp_path):
    translator = make("instance")
    network = translator.runtime._module
    export_onnx(network, translator.card, tmp_path / "model.onnx")
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    other = translator.card.model_copy(update={"step": 2})
    write_safetensors(tmp_path / "model.safetensors", state, other)
    settings = Sizing(tile=128, statistics="whole")
    with pytest.raises(UsageError, match=r"give the \.safetensors model"):
        Translator(tmp_path / "model.onnx").translate(ArrayPicture(picture(240, 320)), settings=settings)


def test_statistics_of_the_whole_bring_tiles_nearer_to_it():
    translator, image = make("instance"), picture(240, 320)
    whole = translator(image)
    by_tile, by_whole = (tiled(translator, image, tile=128, statistics=kind)[0] for kind in ("tile", "whole"))
    assert np.abs(by_whole - whole).mean() < 0.8 * np.abs(by_tile - whole).mean()
    np.testing.assert_array_equal(translator(image), whole)  # the network is as it was


def test_statistics_of_the_whole_are_refused_where_they_cannot_be_held(make_card, fake_network):
    card = make_card("rgb", tiling="approximate", receptive_radius_px=20)
    translator = Translator.from_runtime(fake_network(card, 3), card)
    with pytest.raises(UsageError, match="safetensors"):
        translator.translate(ArrayPicture(picture(20, 20)), settings=Sizing(statistics="whole"))


class Narrow:
    """A runtime that has no memory for more than so many pixels, in the words of several libraries."""

    name = "narrow"

    def __init__(self, runtime, pixels, error):
        self.runtime, self.pixels, self.error, self.sizes = runtime, pixels, error, []

    def __call__(self, x):
        self.sizes.append(x.shape[2:])
        if x.shape[2] * x.shape[3] > self.pixels:
            raise self.error
        return self.runtime(x)


def allocation_failure():
    try:
        raise ModelFileError("x: the network failed (Failed to allocate memory for requested buffer)")
    except ModelFileError as error:
        return error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
        allocation_failure(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_when_memory_runs_out_tiles_are_halved_and_nothing_is_left_out(error):
    plain, image = make(), picture(300, 420)
    narrow = Narrow(plain.runtime, 130 * 130, error)
    result, notes = tiled(Translator.from_runtime(narrow, plain.card), image)
    np.testing.assert_allclose(result, plain(image), atol=1e-5)
    assert [note for note in notes if "memory ran out" in note] == [
        "memory ran out at tiles of 424 px; repeated in tiles of 208 px",
        "memory ran out at tiles of 208 px; repeated in tiles of 104 px",
    ]
    assert max(narrow.sizes[2:]) == (104, 104)  # no second attempt at what was too large


def test_when_the_smallest_tile_does_not_fit_it_is_said_in_one_line():
    plain = make()
    translator = Translator.from_runtime(Narrow(plain.runtime, 50 * 50, MemoryError()), plain.card)
    with pytest.raises(OutOfMemoryError, match="cannot be smaller") as error:
        tiled(translator, picture(200, 200))
    assert "\n" not in str(error.value)


def test_other_errors_are_not_taken_for_lack_of_memory():
    plain = make()
    with pytest.raises(RuntimeError, match="other"):
        tiled(Translator.from_runtime(Narrow(plain.runtime, 9, RuntimeError("other")), plain.card), picture(64, 64))


def test_networks_that_cannot_work_in_tiles_say_so():
    plain = make(tiling="forbidden")
    image = picture(200, 200)
    with pytest.raises(UsageError, match="cannot work in tiles"):
        tiled(plain, image, tile=96)
    plain.network.__dict__["cost"] = Cost(0, 1e6)
    with pytest.raises(OutOfMemoryError, match="reduce the picture"):
        tiled(plain, image, memory=10**9)
    narrow = Translator.from_runtime(Narrow(plain.runtime, 9, MemoryError()), plain.card)
    with pytest.raises(OutOfMemoryError, match="cannot work in tiles"):
        tiled(narrow, image)


def test_the_plan_takes_the_largest_tiles_that_the_limit_leaves_room_for(monkeypatch):
    translator, image = make(), picture(300, 300)
    translator.network.__dict__["cost"] = Cost(0, 10_000)
    monkeypatch.setattr(tiling, "budget", lambda limit: limit)
    narrow = Narrow(translator.runtime, np.inf, MemoryError())
    translator.network.runtime = narrow
    for limit, side in ((2_000_000_000, 304), (300_000_000, 168), (1, 64)):
        narrow.sizes.clear()
        _, notes = tiled(translator, image, memory=limit)
        assert set(narrow.sizes) == {(side, side)}
    assert "the smallest; 0 MB are allowed" in " ".join(notes)


def test_small_pictures_cost_no_measurement():
    translator = make()
    tiled(translator, picture(100, 100))
    assert "cost" not in translator.network.__dict__


def test_tiles_that_are_too_small_are_refused():
    with pytest.raises(UsageError, match="at least 64"):
        tiled(make(), picture(200, 200), tile=63)
