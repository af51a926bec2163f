"""What `tintype export` prints and refuses, on models of every kind."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from tests.conftest import make_picture

import tintype
from tintype import command_export, command_inspect
from tintype.command_export import Asked
from tintype.console import Reporter
from tintype.errors import DataError, ModelFileError, UsageError
from tintype.image.file import write_image
from tintype.inference.modelfile import read_card, write_safetensors
from tintype.networks import build_generator
from tintype.recipe import load_recipe
from tintype.training.cards import make_card

pytestmark = pytest.mark.usefixtures("graphs_once")


def write_network(path, recipe):
    """A network of a recipe with random weights."""
    torch.manual_seed(0)
    network = build_generator(recipe)
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    write_safetensors(path, state, make_card(recipe, network, 0))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp("model") / "model.safetensors", load_recipe("tiny"))


def asked(model, out, **changes):
    known = {"direction": None, "int8": False, "fp16": False, "size": "dynamic", "calibrate": None, "limit": None}
    return Asked(model=model, out=out, **(known | changes))


def test_int8_is_calibrated_on_pictures_of_a_user_and_says_what_it_loses(model, pictures, tmp_path, capsys):
    (pictures / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "model.onnx"
    command_export.export(asked(model, out, int8=True, calibrate=pictures))
    said, notes = capsys.readouterr()
    assert f"{out}: int8, " in said and "takes pictures of any size" in said
    assert "differs from torch by at most" in said
    assert "calibrated on 9 pictures" in said
    assert "dB of PSNR (against the truth) on 3 pictures" in said
    assert "left out" in notes and "broken.png" in notes
    assert read_card(out).exported.calibrated_on == 9
    command_inspect.inspect_file(out, None, as_json=False)
    assert re.search(
        r"form: +int8, calibrated on 9 pictures, differs .* dB of PSNR on 3 pictures", capsys.readouterr().out
    )


def test_grey_pictures_tell_no_truth(model, tmp_path, capsys):
    folder = tmp_path / "grey"
    folder.mkdir()
    for number in range(2):
        write_image(folder / f"{number}.png", make_picture(number)[..., :1])
    command_export.export(asked(model, tmp_path / "model.onnx", int8=True, calibrate=folder))
    assert "(for a model of 30 dB, the truth is not known) on 2 pictures" in capsys.readouterr().out


def test_half_precision_and_one_size_are_told(model, tmp_path, capsys):
    out = tmp_path / "model.onnx"
    command_export.export(asked(model, out, fp16=True, size="64"))
    said = capsys.readouterr().out
    assert f"{out}: fp16, " in said and "takes pictures of 64 x 64 px" in said
    assert "PSNR" not in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"int8": True, "fp16": True}, "--int8 --fp16: give one of the two"),
        ({"size": "100"}, r"--size 100: must be a multiple of \d+, as \d+ is"),
        ({"size": "large"}, "--size large: give a number of pixels up to 16,384, or dynamic"),
        ({"size": "-64"}, "--size -64: give a number"),
        ({"limit": 0.1}, "--limit: has no effect without pictures"),
    ],
)
def test_options_that_do_not_fit_are_refused(model, tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        command_export.export(asked(model, tmp_path / "model.onnx", **changes))
    assert not list(tmp_path.iterdir())


def test_int8_without_pictures_is_refused(model, tmp_path):
    out, empty = tmp_path / "model.onnx", tmp_path / "empty"
    with pytest.raises(DataError, match=r"training pictures are not at hand .*; give --calibrate DIR"):
        command_export.export(asked(model, out, int8=True))
    with pytest.raises(DataError, match="no such folder; --calibrate takes a folder"):
        command_export.export(asked(model, out, int8=True, calibrate=empty))
    empty.mkdir()
    with pytest.raises(DataError, match="holds no readable picture"):
        command_export.export(asked(model, out, int8=True, calibrate=empty))
    assert not out.exists()


def test_a_file_above_the_limit_is_refused(model, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr("tintype.inference.quantised.HARM", 1.0)
    monkeypatch.setattr(command_export, "LOSS", -1.0)
    with pytest.raises(ModelFileError, match="not written: int8 loses"):
        command_export.export(asked(model, tmp_path / "model.onnx", int8=True, calibrate=pictures))
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize(
    ("recipe", "changes"),
    [
        ("fashion-dcgan", ["generator.filters=4"]),
        ("caltech101-classifier", ["generator.filters=4", "data.size=32"]),
    ],
)
def test_models_that_translate_nothing_export_in_half_precision_but_not_in_int8(recipe, changes, tmp_path, capsys):
    model = write_network(tmp_path / "model.safetensors", load_recipe(recipe, changes))
    with pytest.raises(UsageError, match="--int8: is for models that translate pictures"):
        command_export.export(asked(model, tmp_path / "model.onnx", int8=True))
    with pytest.raises(UsageError, match="--size 32: this model has one size already"):
        command_export.export(asked(model, tmp_path / "model.onnx", size="32"))
    command_export.export(asked(model, tmp_path / "model.onnx", fp16=True))
    assert "fp16" in capsys.readouterr().out


def test_int8_takes_the_training_pictures_of_the_run_by_itself(model, pictures, tmp_path, capsys):
    run = tmp_path / "run"
    tintype.train("tiny", run, [f"data.path={pictures}", "training.steps=1"], reporter=Reporter(quiet=True))
    command_export.export(asked(run, tmp_path / "model.onnx", int8=True))
    assert "(against the truth)" in capsys.readouterr().out
    result = tintype.Translator(tmp_path / "model.onnx")(np.zeros((20, 30), np.uint8))
    assert result.shape == (20, 30, 3)
