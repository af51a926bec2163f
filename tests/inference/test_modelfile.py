"""Contract of model files: what is written comes back, and nothing damaged or foreign gets further than one line."""

from __future__ import annotations

import json
import struct

import numpy as np
import onnx
import pytest
import safetensors.numpy
from onnx import TensorProto, helper
from pydantic import ValidationError

from tintype.errors import ModelFileError, OutputError, UsageError
from tintype.inference.modelfile import (
    MAX_CARD_BYTES,
    BaselineConstants,
    ModelCard,
    card_to_json,
    find_model,
    read_card,
    read_safetensors,
    require_direction,
    write_safetensors,
)
from tintype.inference.runtime import OnnxRuntime, open_runtime
from tintype.recipe import load_recipe


@pytest.fixture
def state():
    rng = np.random.default_rng(0)
    return {
        "a.weight": rng.normal(size=(3, 2, 4, 4)).astype(np.float32),
        "a.transposed": rng.normal(size=(5, 7)).astype(np.float32).T,
        "count": np.array(12, dtype=np.int64),
    }


@pytest.fixture
def full_card(make_card):
    return make_card(
        strength=0.8,
        baselines=BaselineConstants(
            mean_chroma=(1.5, -2.0), luminance_to_chroma=((0.5, 0.25),) * 101, mean_rgb=(0.1, 0.2, 0.3)
        ),
        scores={"rows": [{"name": "model", "psnr": 27.5}]},
        split={"digest": "abc"},
    )


def write_onnx(path, metadata, *, kind=TensorProto.FLOAT, shape=("n", 1, "h", "w"), inputs=1):
    """A network that returns its first input."""
    sources = [helper.make_tensor_value_info(f"x{i}", kind, shape) for i in range(inputs)]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x0"], ["y"])], "g", sources, [helper.make_tensor_value_info("y", kind, shape)]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


def with_header(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def assert_one_line(error, path):
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 500


def test_safetensors_give_back_weights_and_card(tmp_path, state, full_card):
    path = tmp_path / "model.safetensors"
    write_safetensors(path, state, full_card)
    weights, card = read_safetensors(path)
    assert card == full_card == read_card(path)
    assert weights.keys() == state.keys()
    for name, value in state.items():
        assert weights[name].dtype == value.dtype
        np.testing.assert_array_equal(weights[name], value)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_onnx_gives_back_the_card_and_runs(tmp_path, full_card):
    path = write_onnx(tmp_path / "model.onnx", {"tintype": card_to_json(full_card)})
    assert read_card(path) == full_card
    runtime, card = open_runtime(path)
    assert card == full_card
    x = np.random.default_rng(0).normal(size=(2, 1, 5, 3)).astype(np.float32)
    np.testing.assert_array_equal(runtime(x), x)


def test_a_network_that_fails_on_an_input_says_its_shape(tmp_path, full_card):
    path = write_onnx(tmp_path / "model.onnx", {"tintype": card_to_json(full_card)})
    with pytest.raises(ModelFileError, match=r"shape \(1, 3, 4, 4\)") as error:
        OnnxRuntime(path)(np.zeros((1, 3, 4, 4), np.float32))
    assert_one_line(error, path)


def cards_that_are_refused(good: dict):
    recipe = good["recipe"]
    yield "not JSON", "{"
    yield "another type", "[]"
    yield "too deep", "[" * 100_000 + "]" * 100_000
    yield "another format", json.dumps(good | {"format": "tintype-model-9"})
    yield "unknown field", json.dumps(good | {"command": "rm"})
    yield "missing field", json.dumps({key: value for key, value in good.items() if key != "step"})
    yield "wrong recipe", json.dumps(good | {"recipe": recipe | {"codec": {"kind": "cmyk"}}})
    yield "infinite strength", json.dumps(good).replace('"strength": 0.8', '"strength": Infinity')
    yield "huge multiple", json.dumps(good | {"multiple_of": 2**30})
    yield "zero multiple", json.dumps(good | {"multiple_of": 0})
    yield "other stride than the recipe's", json.dumps(good | {"output_stride": 4})
    yield "short table", json.dumps(good | {"baselines": good["baselines"] | {"luminance_to_chroma": [[0, 0]]}})
    yield "too long", json.dumps(good | {"scores": {"x": "y" * MAX_CARD_BYTES}})


def test_every_damaged_card_is_refused_in_one_line(tmp_path, state, full_card):
    good = json.loads(card_to_json(full_card))
    for number, (_, text) in enumerate(cards_that_are_refused(good)):
        weights = tmp_path / f"{number}.safetensors"
        safetensors.numpy.save_file({"count": state["count"]}, weights, metadata={"tintype": text})
        network = write_onnx(tmp_path / f"{number}.onnx", {"tintype": text})
        for path, read in (
            (weights, read_card),
            (weights, read_safetensors),
            (network, read_card),
            (network, open_runtime),
        ):
            with pytest.raises(ModelFileError) as error:
                read(path)
            assert_one_line(error, path)


def test_a_card_of_another_format_asks_for_another_version(tmp_path, full_card):
    text = card_to_json(full_card).replace("tintype-model-1", "tintype-model-9")
    path = write_onnx(tmp_path / "model.onnx", {"tintype": text})
    with pytest.raises(ModelFileError, match="use the version of Tintype that wrote it"):
        read_card(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x01",
        b"not a model at all, but long enough to hold a header",
        with_header(b"{}", length=2**63),
        with_header(b"{}", length=2**40),
        with_header(b"{}", length=3),
        with_header(b"[" * 5000),
        with_header(b"\xff\xfe\xff\xfe"),
        with_header(b'{"a":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4]}}', b"\0\0\0\0"),
        with_header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,400]}}', b"\0\0\0\0"),
        b"PK\x03\x04 a zip file, as torch.save writes it",
    ],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".onnx"])
def test_every_damaged_file_is_refused_in_one_line(tmp_path, content, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    readers = [read_card, open_runtime] if suffix == ".onnx" else [read_card, read_safetensors]
    for read in readers:
        with pytest.raises(ModelFileError) as error:
            read(path)
        assert_one_line(error, path)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(tmp_path, state, full_card, keep):
    whole = tmp_path / "whole.safetensors"
    write_safetensors(whole, state | {"big": np.zeros(5000, np.float32)}, full_card)
    path = tmp_path / "cut.safetensors"
    data = whole.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(ModelFileError) as error:
        read_safetensors(path)
    assert_one_line(error, path)


def test_weights_of_a_type_that_numpy_lacks_are_refused(tmp_path, full_card):
    header = {
        "__metadata__": {"tintype": card_to_json(full_card)},
        "a": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]},
    }
    path = tmp_path / "model.safetensors"
    path.write_bytes(with_header(json.dumps(header).encode(), b"\0\0\0\0"))
    with pytest.raises(ModelFileError) as error:
        read_safetensors(path)
    assert_one_line(error, path)


def test_files_of_other_programs_are_told_from_damaged_ones(tmp_path, state):
    weights = tmp_path / "model.safetensors"
    safetensors.numpy.save_file({"count": state["count"]}, weights)
    network = write_onnx(tmp_path / "model.onnx", {})
    for path in (weights, network):
        with pytest.raises(ModelFileError, match="not made by Tintype"):
            read_card(path)


@pytest.mark.parametrize(
    "odd", [{"kind": TensorProto.DOUBLE}, {"shape": ("n", 1)}, {"inputs": 2}], ids=["float64", "two axes", "two inputs"]
)
def test_networks_of_another_shape_are_refused(tmp_path, full_card, odd):
    path = write_onnx(tmp_path / "model.onnx", {"tintype": card_to_json(full_card)}, **odd)
    with pytest.raises(ModelFileError, match="one float32 input"):
        read_card(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    for name in ("none.onnx", "none.safetensors", "none"):
        with pytest.raises(ModelFileError, match="no such file or folder"):
            find_model(tmp_path / name)
    with pytest.raises(ModelFileError, match="No such file"):
        read_card(tmp_path / "none.safetensors")


def test_a_run_folder_stands_for_its_model(tmp_path):
    with pytest.raises(ModelFileError, match="holds no model"):
        find_model(tmp_path)
    for name in ("model.safetensors", "model.onnx", "model_ab.onnx", "model_ba.safetensors"):
        (tmp_path / name).touch()
        if not name.endswith("_ba.safetensors"):
            assert find_model(str(tmp_path)) == tmp_path / name
    assert find_model(tmp_path, "ba") == tmp_path / "model_ba.safetensors"
    assert find_model(tmp_path / "model.onnx") == tmp_path / "model.onnx"


def test_another_direction_than_the_models_own_is_refused(tmp_path, full_card):
    require_direction(full_card, tmp_path / "model.onnx")
    require_direction(full_card, tmp_path / "any.onnx", "ab")
    with pytest.raises(UsageError, match="one direction only"):
        require_direction(full_card, tmp_path / "model.onnx", "ba")


def test_the_direction_is_what_the_card_says_whatever_the_file_is_called(tmp_path):
    recipe = load_recipe("faces-cartoons-small")
    card = ModelCard(
        tintype_version="0", recipe=recipe, direction="ba", step=1, images_seen=1, multiple_of=8, output_stride=1,
        tiling="exact",
    )  # fmt: skip
    require_direction(card, tmp_path / "cartoons.onnx", "ba")
    with pytest.raises(UsageError, match="one direction, ba; leave out --direction ab"):
        require_direction(card, tmp_path / "cartoons.onnx", "ab")
    with pytest.raises(ModelFileError, match="translates ba, by its card; rename it to model_ba"):
        require_direction(card, tmp_path / "model_ab.onnx")


def test_a_checkpoint_is_no_model_file(tmp_path):
    path = tmp_path / "last.pt"
    path.touch()
    with pytest.raises(ModelFileError, match="not a model file"):
        find_model(path)


def test_weights_that_cannot_be_written_leave_nothing_behind(tmp_path, state, full_card):
    with pytest.raises(OutputError, match="cannot be written"):
        write_safetensors(tmp_path / "none" / "model.safetensors", state, full_card)
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(OutputError):
        write_safetensors(tmp_path / "model.safetensors", state, full_card)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_cards_cannot_be_changed_in_place(full_card):
    with pytest.raises(ValidationError):
        full_card.step = 3
