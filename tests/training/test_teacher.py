"""A student learns from a teacher beside the truth, goes on with the same one only, and is scored beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.training.test_start import save

from tintype.console import Reporter
from tintype.errors import ModelFileError, RecipeError, RunError
from tintype.methods import Batch, Pix2Pix, Regression, build_method
from tintype.recipe import load_recipe
from tintype.recipe.methods import Pix2PixSpec
from tintype.training import train
from tintype.training.checkpoint import load_checkpoint
from tintype.training.schedule import idle_settings
from tintype.training.teacher import open_teacher

TINY = load_recipe("tiny")
CPU = torch.device("cpu")


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    path = tmp_path / "teacher" / "model.safetensors"
    save(path, load_recipe("tiny", ["generator.filters=6"]), 5)
    return path


def student(pictures: Path, teacher: Path, *more: str) -> list[str]:
    return [f"data.path={pictures}", "training.steps=2", f"method.teacher={teacher}", *more]


@pytest.mark.parametrize("kind", ["pix2pix", "regression"])
def test_the_loss_has_the_error_to_what_the_teacher_makes(teacher: Path, kind: str) -> None:
    recipe = load_recipe("tiny", [f"method.kind={kind}", f"method.teacher={teacher}", "method.lambda_teacher=7"])
    method = build_method(recipe)
    assert isinstance(method, Pix2Pix | Regression)
    batch = Batch(torch.rand(2, 1, 32, 32) * 2 - 1, torch.rand(2, 2, 16, 16) - 0.5)
    out = method.forward(batch)
    without = method.loss("generator", batch, out)
    method.teacher = open_teacher(recipe, CPU)
    assert method.teacher is not None and not method.teacher.network.training
    with_teacher = method.loss("generator", batch, out)
    assert with_teacher.keys() - without.keys() == {"g/teacher"}
    made = out if isinstance(out, torch.Tensor) else out.target
    wanted = method.teacher.network(batch.source)
    assert not wanted.requires_grad
    assert with_teacher["g/teacher"].item() == pytest.approx(7 * F.l1_loss(made, wanted).item(), rel=1e-6)
    with_teacher["g/teacher"].backward()
    assert all(parameter.grad is None for parameter in method.teacher.network.parameters())


def test_a_run_folder_stands_for_its_model(teacher: Path) -> None:
    recipe = load_recipe("tiny", [f"method.teacher={teacher.parent}"])
    opened = open_teacher(recipe, CPU)
    assert opened is not None and opened.sha256 == hashlib.sha256(teacher.read_bytes()).hexdigest()
    assert open_teacher(TINY, CPU) is None


def test_what_is_no_teacher_is_refused(tmp_path: Path, teacher: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    for path in (tmp_path, tmp_path / "model.onnx", tmp_path / "none"):
        with pytest.raises(ModelFileError, match=r"is no teacher; method\.teacher takes a finished run"):
            open_teacher(load_recipe("tiny", [f"method.teacher={path}"]), CPU)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["codec.chroma_size=32"], "codec: .* there and .* here; give a teacher of the same"),
        (["data.size=64", "codec.chroma_size=16"], "data.size: 32 there and 64 here"),
        (["data.hints={mean: 4, largest: 3}"], "its inputs: source there and source, hints here"),
    ],
)
def test_a_teacher_of_another_task_is_refused(teacher: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        open_teacher(load_recipe("tiny", [f"method.teacher={teacher}", *overrides]), CPU)


def test_settings_of_a_teacher_without_effect_are_said(teacher: Path) -> None:
    given = [f"method.teacher={teacher}", "method.lambda_teacher=0"]
    assert "method.teacher has no effect: method.lambda_teacher is 0" in idle_settings(load_recipe("tiny", given))
    assert "method.lambda_teacher has no effect: method.teacher names none" in idle_settings(
        load_recipe("tiny", ["method.lambda_teacher=3"])
    )
    assert not any("teacher" in note for note in idle_settings(TINY))
    assert Pix2PixSpec().teacher == ""


@pytest.mark.usefixtures("nothing_shipped")
def test_a_run_goes_on_with_the_same_teacher_wherever_it_lies_and_with_no_other(
    pictures: Path, teacher: Path, tmp_path: Path
) -> None:
    run, quiet = tmp_path / "run", Reporter(quiet=True)
    assert train("tiny", run, student(pictures, teacher), reporter=quiet)
    content = load_checkpoint(run / "checkpoints" / "last.pt")
    assert content["method"] == {"teacher": hashlib.sha256(teacher.read_bytes()).hexdigest()}
    assert set(content["networks"]) == set(build_method(TINY).networks)
    moved = tmp_path / "elsewhere.safetensors"
    moved.write_bytes(teacher.read_bytes())
    assert train("tiny", run, student(pictures, moved, "training.steps=3"), reporter=quiet)
    save(moved, load_recipe("tiny", ["generator.filters=6"]), 6)
    for other in (student(pictures, moved), [f"data.path={pictures}"]):
        with pytest.raises(RunError, match=r"method\.teacher: the run was trained with another teacher \(sha256"):
            train("tiny", run, [*other, "training.steps=4"], reporter=quiet)


def test_the_teacher_is_scored_beside_the_student(
    pictures: Path, teacher: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train("tiny", tmp_path / "run", student(pictures, teacher))
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert {row["name"] for row in scores["rows"]} >= {"model", "teacher"}
    record = scores["teacher"]
    assert record["ratio"] == pytest.approx(record["macs_of_student"] / record["macs"])
    assert record["sha256"] == hashlib.sha256(teacher.read_bytes()).hexdigest()
    said = capfd.readouterr().err
    assert f"The student takes {record['ratio']:.0%} of its teacher's multiply-adds" in said
    assert "The teacher does not list its training pictures" in said
    assert any(line.lstrip().startswith("teacher") for line in said.splitlines())
