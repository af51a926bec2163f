"""What `tintype serve` makes of its words; `tests/server/test_run.py` lets it serve."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from tests.inference.conftest import write_model
from typer.testing import CliRunner

from tintype.cli import app
from tintype.command_serve import models_by_name
from tintype.errors import MissingExtraError, ModelFileError, TintypeError, UsageError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("named")
    (folder / "flowers").mkdir()
    write_model(folder / "flowers" / "model.onnx")
    write_model(folder / "old=photos.onnx")
    return folder


def refused(*words):
    with pytest.raises(TintypeError) as caught:
        CliRunner().invoke(app, ["serve", *map(str, words)], catch_exceptions=False)
    return caught.value


def test_models_are_called_by_what_is_given_or_by_their_run_folder_or_file(folder):
    run, file = folder / "flowers", folder / "old=photos.onnx"
    assert models_by_name([f"mine={run}", str(run), str(file)]) == {"mine": run, "flowers": run, "old=photos": file}


def test_two_models_of_one_name_are_refused(folder):
    run = folder / "flowers"
    with pytest.raises(UsageError, match="another model called flowers; give NAME=MODEL"):
        models_by_name([str(run), str(run / "model.onnx")])


def test_without_a_model_it_is_those_that_come_with_tintype(folder, monkeypatch):
    monkeypatch.setattr("tintype.inference.bundled.FOLDER", folder)
    for name in ("photos", "hubble"):
        write_model(folder / f"{name}.onnx")
    models = models_by_name([])
    assert models == {"photos": Path("bundled:photos"), "hubble": Path("bundled:hubble")}
    assert models_by_name(["space=bundled:hubble"]) == {"space": Path("bundled:hubble")}


def test_a_model_must_be_there(tmp_path):
    with pytest.raises(ModelFileError, match="no such file"):
        models_by_name([f"x={tmp_path / 'nothing'}"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--max-bytes", "many"], "--max-bytes many: give a number of bytes"),
        (["--max-pixels", "0"], "--max-pixels 0.0: give a number of pixels"),
        (["--time-limit", "nan"], "--time-limit nan: give a number of seconds"),
        (["--host", "0.0.0.0"], "--host 0.0.0.0: other machines could use the server"),
        (["--token", "abc"], "--token: needs at least 16 letters"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_one_line(folder, words, said):
    assert str(refused("--model", folder / "flowers", *words)).startswith(said)


def test_an_address_that_is_taken_is_said(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        error = refused("--model", folder / "flowers", "--port", taken.getsockname()[1])
    assert "cannot listen there (Address already in use)" in str(error)


def test_a_missing_library_is_said_with_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "tintype.server.run", raising=False)
    error = refused("--model", folder / "flowers")
    assert isinstance(error, MissingExtraError)
    assert str(error) == 'the server needs uvicorn: pip install "tintype[serve]"'
