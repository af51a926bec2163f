"""`tintype doctor` finds what works and what does not, and says so by its exit code."""

from __future__ import annotations

import json

import pytest
from tests.inference.conftest import write_bundled

from tintype import command_doctor
from tintype.command_doctor import diagnose, doctor
from tintype.errors import OutputError


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    monkeypatch.delenv("TINTYPE_PROVIDER", raising=False)
    (tmp_path / "models").mkdir()
    write_bundled(tmp_path / "models", monkeypatch)
    return tmp_path / "models"


def test_all_works_here_and_is_said(capsys):
    assert doctor(as_json=False) == 0
    said = capsys.readouterr().out
    assert "reads and writes:        png, tif, jpg, webp, avif, fits\n" in said
    assert "reads:                   gif, bmp, ppm, svg\n" in said
    assert "works on ONNX Runtime (" in said
    assert said.endswith("all that the base install promises works\n")


def test_a_machine_gets_the_same_as_json(capsys):
    assert doctor(as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["problems"] == []
    assert found["written"]["fits"] == {"works": True, "reason": ""}
    assert found["versions"]["numpy"] and found["cores"] >= found["usable_cores"] >= 1
    assert "cpu" in found["available"] and found["free_memory"] > 0
    assert set(found["extras"]) >= {"train", "serve"}


def test_a_model_that_is_missing_is_a_problem(models, capsys):
    (models / "hubble.onnx").unlink()
    assert doctor(as_json=False) == 1
    said = capsys.readouterr().out
    assert "does not work:\n  bundled:hubble: " in said and "install it again" in said


def test_a_format_that_cannot_be_written_is_a_problem(monkeypatch, capsys):
    honest = command_doctor.write_picture

    def write(path, *given, **more):
        if path.suffix == ".avif":
            raise OutputError("no encoder")
        honest(path, *given, **more)

    monkeypatch.setattr(command_doctor, "write_picture", write)
    assert doctor(as_json=False) == 1
    said = capsys.readouterr().out
    assert "webp, NOT avif, fits" in said and "writing avif: no encoder" in said


def test_a_format_that_comes_back_as_another_picture_is_a_problem(monkeypatch):
    honest = command_doctor.read_image
    monkeypatch.setattr(command_doctor, "read_image", lambda source: (made := honest(source)).pixels.fill(0) or made)
    assert "writing png: ValueError: what was read is not what was written" in diagnose().problems


def test_a_provider_that_is_not_there_is_a_problem(monkeypatch):
    monkeypatch.setenv("TINTYPE_PROVIDER", "gpu")
    assert any(problem.startswith("ONNX Runtime: TINTYPE_PROVIDER gpu") for problem in diagnose().problems)


def test_a_cache_that_cannot_be_written_is_said_but_no_promise(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TINTYPE_CACHE", str(tmp_path / "file" / "cache"))
    assert doctor(as_json=False) == 0
    assert "cache:                   cannot be written to: " in capsys.readouterr().out


def test_what_an_extra_lacks_is_named_with_its_line(monkeypatch, capsys):
    wanted = ["numpy>=2", 'no-such-package>=1; extra == "train"', 'tintype[train]; extra == "studio"']
    monkeypatch.setattr("importlib.metadata.requires", lambda _: wanted)
    assert doctor(as_json=False) == 0
    said = capsys.readouterr().out
    assert "lacks no-such-package: pip install 'tintype[train]'" in said
    assert "lacks no-such-package: pip install 'tintype[studio]'" in said
    assert "tintype[serve]:          installed" in said
