"""The models that come with Tintype, from outside: `tintype colorize`, and their names where a model is asked for."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.conftest import make_picture
from tests.inference.conftest import write_bundled, write_model
from tests.test_command_translate import grey, run

from tintype.image.file import read_image, write_image
from tintype.image.provenance import read_provenance


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    return write_bundled(tmp_path / "models", monkeypatch)


@pytest.fixture
def old(tmp_path):
    """A folder with a small grey picture."""
    (tmp_path / "old").mkdir()
    write_image(tmp_path / "old" / "street.png", grey(0))
    return tmp_path / "old"


@pytest.mark.parametrize("command", ["colorize", "colourise", "colourize", "colorise"])
def test_one_command_colours_a_folder(command, old, tmp_path, capfd):
    code, _, said = run(capfd, command, old, "--out", tmp_path / "new")
    assert (code, said.splitlines()[-1]) == (0, f"1 picture translated into {tmp_path / 'new'}")
    made = read_image(tmp_path / "new" / "street.png").pixels
    assert made.shape == (9, 11, 3) and np.ptp(made, axis=2).max() > 0.01
    assert read_provenance(tmp_path / "new" / "street.png").model == "bundled:photos"


@pytest.mark.parametrize(("model", "named"), [("hubble", "bundled:hubble"), ("bundled:photos", "bundled:photos")])
def test_another_model_is_asked_for_by_its_name(model, named, old, tmp_path, capfd):
    assert run(capfd, "colorize", old, "--model", model, "--out", tmp_path / "new", "--strength", "0.5")[0] == 0
    mark = read_provenance(tmp_path / "new" / "street.png")
    assert (mark.model, dict(mark.settings)["strength"]) == (named, "0.5")


def test_a_model_of_ones_own_is_taken_too(old, tmp_path, capfd):
    model = write_model(tmp_path / "mine.onnx", step=77)
    assert run(capfd, "colorize", old, "--model", model, "--out", tmp_path / "new")[0] == 0
    mark = read_provenance(tmp_path / "new" / "street.png")
    assert (mark.model, mark.step) == ("mine.onnx", 77)


def test_translate_gives_the_same_by_the_whole_name(old, tmp_path, capfd):
    run(capfd, "colorize", old, "--model", "hubble", "--out", tmp_path / "one")
    run(capfd, "translate", old, "--model", "bundled:hubble", "--out", tmp_path / "two")
    one, two = ((tmp_path / name / "street.png").read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_name_that_there_is_not_is_one_line(old, tmp_path, capfd):
    code, out, said = run(capfd, "translate", old, "--model", "bundled:cats", "--out", tmp_path / "new")
    assert (code, out) == (2, "")
    assert said == (
        "tintype: bundled:cats: no such model comes with Tintype; give bundled:photos or bundled:hubble, or the path "
        "of a model\n"
    )


def test_inspect_shows_a_bundled_model(models, capfd):
    code, out, _ = run(capfd, "inspect", "bundled")
    assert code == 0
    assert str(models / "photos.onnx") in out
    assert out.endswith("\n\n# photos\n\nLearnt from é.\n")
    assert json.loads(run(capfd, "inspect", "bundled:hubble", "--json")[1])["step"] == 1


def test_a_card_is_laid_out_on_a_terminal(monkeypatch, capfd):
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = run(capfd, "inspect", "bundled")[1]
    assert "photos" in out and "# photos" not in out and "\x1b[" in out


def test_a_bundled_model_is_exported_from_its_weights(models, tmp_path, capfd):
    code, _, said = run(capfd, "export", "bundled", "--out", tmp_path / "model.onnx")
    assert (code, said.count("\n")) == (1, 1)
    assert f"{models / 'photos.safetensors'}: is missing from this installation" in said


def test_a_bundled_model_is_scored_on_pictures_that_are_given(tmp_path, capfd):
    (tmp_path / "truth").mkdir()
    for seed in range(3):
        write_image(tmp_path / "truth" / f"{seed}.png", make_picture(seed))
    words = ["--data", tmp_path / "truth", "--baseline", "bundled:hubble", "--features", "none"]
    code, out, _ = run(capfd, "evaluate", "-m", "bundled", *words)
    assert code == 0
    assert "run hubble" in out and "does not list its training pictures" in out
    code, _, said = run(capfd, "evaluate", "-m", "bundled")
    assert (code, said.count("\n")) == (2, 1)
