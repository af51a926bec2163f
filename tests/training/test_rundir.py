from __future__ import annotations

from pathlib import Path

import pytest

from tintype.errors import OutputError, RecipeMismatchError, RunError
from tintype.recipe import load_recipe
from tintype.training.rundir import RunDir


def begun(folder: Path) -> RunDir:
    run = RunDir(folder)
    assert run.check(load_recipe("tiny")) is None
    run.make()
    run.write_recipe(load_recipe("tiny"))
    return run


@pytest.mark.parametrize(
    "override",
    ["training.steps=99", "training.epochs=9", "training.log_every=1", "training.validate_every=3",
    "training.tensorboard=true",
     "training.sample_steps=[2]", "training.checkpoint_every=2", "training.sample_count=1", "data.path=elsewhere"],
)  # fmt: skip
def test_length_cadences_and_logging_may_change(tmp_path: Path, override: str) -> None:
    run = begun(tmp_path / "run")
    assert run.check(load_recipe("tiny", [override])) == load_recipe("tiny")


@pytest.mark.parametrize(
    "override",
    ["optimiser.lr=0.5", "training.seed=3", "training.batch_size=2", "generator.filters=5", "training.ema=0.5"],
)
def test_anything_else_is_refused_with_both_values(tmp_path: Path, override: str) -> None:
    run = begun(tmp_path / "run")
    field, _, value = override.partition("=")
    with pytest.raises(RecipeMismatchError) as caught:
        run.check(load_recipe("tiny", [override]))
    assert f"  {field}: " in str(caught.value)
    assert f" in the run, {value} asked" in str(caught.value)
    assert "choose another --out" in str(caught.value)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(RunError, match=r"holds holiday\.jpg but no run"):
        RunDir(tmp_path).check(load_recipe("tiny"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_path_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be used as a run folder"):
        RunDir(tmp_path / "file").check(load_recipe("tiny"))


def test_two_processes_cannot_train_in_one_folder(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    run = begun(tmp_path)
    with run.locked(), pytest.raises(RunError, match="another process is training here"), run.locked():
        pass
    with run.locked():
        pass


@pytest.mark.parametrize("name", [".split-0123abcd.json", ".recipe-0123abcd.yaml"])
def test_a_run_that_was_killed_while_its_first_files_were_written_begins_anew(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert RunDir(tmp_path).check(load_recipe("tiny")) is None
    (tmp_path / ".recipe-notes.yaml").touch()
    with pytest.raises(RunError, match=r"holds \.recipe-notes\.yaml but no run"):
        RunDir(tmp_path).check(load_recipe("tiny"))


def test_what_a_killed_process_was_writing_is_removed_and_nothing_else(tmp_path: Path) -> None:
    run = begun(tmp_path)
    run.panels.mkdir(parents=True)
    unfinished = [".recipe-0123abcd.yaml", ".model_ab-0123abcd.onnx", "checkpoints/.last-00000000.pt"]
    unfinished += ["samples/.step-000100_ab-ffffffff.png", "evaluation/panels/.ab-01-moon-89abcdef.png"]
    kept = [".lock", ".notes-2024.txt", ".report-0123abcd.html", "samples/moon-0123abcd.png", "mine/.a-0123abcd.png"]
    (tmp_path / "mine").mkdir()
    for name in unfinished + kept:
        (tmp_path / name).touch()
    run.remove_unfinished()
    assert not [name for name in unfinished if (tmp_path / name).exists()]
    assert all((tmp_path / name).exists() for name in [*kept, "recipe.yaml"])
