"""Training from end to end on made pictures, and going on exactly where a run was stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.conftest import make_picture

from tintype.console import Reporter
from tintype.errors import (
    CheckpointError,
    DataError,
    NonFiniteLossError,
    OutOfMemoryError,
    OutputError,
    RecipeMismatchError,
    RunError,
)
from tintype.image.file import write_image
from tintype.training import train
from tintype.training.checkpoint import load_checkpoint, save_checkpoint
from tintype.training.trainer import Trainer

QUIET = Reporter(quiet=True)
VOLATILE = {"time", "images_per_second"}


def events(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in VOLATILE} for line in lines]


def same(a: Any, b: Any) -> bool:
    """Equality of nested checkpoints, tensors bit for bit."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def settings(pictures: Path, steps: int, *more: str) -> list[str]:
    cadence = [
        "training.log_every=2",
        "training.checkpoint_every=3",
        "training.validate_every=4",
        "training.sample_every=4",
    ]
    return [
        f"data.path={pictures}",
        f"training.steps={steps}",
        "optimiser.decay={start: 4, end: 9, final: 0.1}",
        *cadence,
        *more,
    ]


def assert_same_state(one: Path, other: Path) -> None:
    a, b = (load_checkpoint(run / "checkpoints" / "last.pt") for run in (one, other))
    for key in a:
        if key != "journal_length":  # times are written with more or fewer digits
            assert same(a[key], b[key]), key


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, picture_set: Path) -> Path:
    """An undisturbed run of ten steps; an epoch ends inside a batch, and within the run."""
    run = tmp_path_factory.mktemp("straight") / "run"
    assert train("tiny", run, settings(picture_set, 10), reporter=QUIET)
    return run


def test_a_run_leaves_everything_that_is_promised(straight: Path) -> None:
    expected = {"recipe.yaml", "environment.json", "split.json", "events.jsonl", "scores.json"}
    expected |= {"model.onnx", "model.safetensors", "checkpoints/last.pt", "checkpoints/best.pt"}
    expected |= {"samples/step-000004.png", "samples/step-000008.png"}
    files = {path.relative_to(straight).as_posix() for path in straight.rglob("*") if path.is_file()}
    assert expected <= files
    assert not [file for file in files if Path(file).name.startswith(".") and file != ".lock"]


def test_the_journal_has_every_line_once_and_in_order(straight: Path) -> None:
    lines = events(straight)
    assert [line["step"] for line in lines if line["event"] == "log"] == [2, 4, 6, 8, 10]
    assert [line["step"] for line in lines if line["event"] == "validation"] == [4, 8, 10]
    assert [line["step"] for line in lines if line["event"] == "checkpoint"] == [3, 6, 9, 10]
    log = next(line for line in lines if line["event"] == "log")
    assert set(log["terms"]) == {"d/real", "d/fake", "g/adversarial", "g/l1"}
    assert log["images_seen"] == 8
    assert set(log["health"]) == {"d/accuracy_real", "d/accuracy_fake", "d/gradient", "g/gradient"}
    assert all(0 <= log["health"][f"d/accuracy_{kind}"] <= 1 for kind in ("real", "fake"))
    assert all(log["health"][f"{phase}/gradient"] > 0 for phase in "dg")
    assert all(line["scores"]["train_psnr"] > 0 for line in lines if line["event"] == "validation")


@pytest.mark.usefixtures("nothing_shipped")
def test_how_often_a_run_is_watched_changes_no_weight(straight: Path, tmp_path: Path, picture_set: Path) -> None:
    others = [setting for setting in settings(picture_set, 10) if "log_every" not in setting]
    assert train("tiny", tmp_path / "run", [*others, "training.log_every=1"], reporter=QUIET)
    a, b = (load_checkpoint(run / "checkpoints" / "last.pt") for run in (tmp_path / "run", straight))
    assert all(same(a[key], b[key]) for key in ("networks", "optimisers", "ema", "random"))


@pytest.mark.usefixtures("nothing_shipped")
def test_a_checkpoint_without_health_still_goes_on(tmp_path: Path, picture_set: Path) -> None:
    run = tmp_path / "run"
    assert train("tiny", run, settings(picture_set, 3), reporter=QUIET)
    content = load_checkpoint(run / "checkpoints" / "last.pt")
    del content["health"]
    save_checkpoint(run / "checkpoints" / "last.pt", content)
    assert train("tiny", run, settings(picture_set, 4), reporter=QUIET)


def test_the_same_command_on_a_finished_run_changes_no_weight(straight: Path, picture_set: Path) -> None:
    before = load_checkpoint(straight / "checkpoints" / "last.pt")
    assert train("tiny", straight, settings(picture_set, 10), reporter=QUIET)
    assert same(before["networks"], load_checkpoint(straight / "checkpoints" / "last.pt")["networks"])


@pytest.mark.usefixtures("nothing_shipped")
@pytest.mark.parametrize("stop", [5, 6])  # between checkpoints, and on one
def test_five_steps_and_a_kill_and_five_steps_equal_ten_steps(
    stop: int, tmp_path: Path, straight: Path, picture_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    honest = Trainer.train_step

    def killed(self: Trainer) -> None:
        if self.step == stop:
            raise Killed
        honest(self)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trainer, "train_step", killed)
        train("tiny", tmp_path / "run", settings(picture_set, 10), reporter=QUIET)
    torch.manual_seed(12345)  # whatever happened in between must not matter
    assert train("tiny", tmp_path / "run", settings(picture_set, 10), reporter=QUIET)
    assert_same_state(tmp_path / "run", straight)
    assert events(tmp_path / "run") == events(straight)


@pytest.mark.usefixtures("nothing_shipped")
def test_a_run_that_enlarges_goes_on_into_its_second_stage_as_if_undisturbed(tmp_path: Path, picture_set: Path) -> None:
    enlarging = [
        "codec={kind: enlarge, scale: 2}",
        "generator={kind: srresnet, filters: 2, blocks: 1, norm: batch}",
        "method={kind: pix2pix, conditional: false, lambda_l2: 1, lambda_perceptual: 0.1, l1_steps: 3}",
    ]
    for name, lengths in (("straight", (6,)), ("run", (2, 6))):
        for length in lengths:
            overrides = settings(picture_set, length, *enlarging)
            assert train("tiny", tmp_path / name, overrides, reporter=QUIET)
    a, b = (load_checkpoint(tmp_path / name / "checkpoints" / "last.pt") for name in ("straight", "run"))
    assert all(same(a[key], b[key]) for key in ("networks", "optimisers", "ema", "random", "step"))
    terms = {name for line in events(tmp_path / "run") if line["event"] == "log" for name in line["terms"]}
    assert terms == {"d/real", "d/fake", "g/adversarial", "g/l1", "g/l2", "g/perceptual"}


@pytest.mark.usefixtures("nothing_shipped")
def test_a_longer_run_equals_one_that_was_long_from_the_start(
    tmp_path: Path, straight: Path, picture_set: Path
) -> None:
    short = [setting for setting in settings(picture_set, 10) if not setting.startswith("training.steps")]
    assert train("tiny", tmp_path / "run", [*short, "training.steps=5"], reporter=QUIET)
    assert train("tiny", tmp_path / "run", settings(picture_set, 10), reporter=QUIET)
    a, b = (load_checkpoint(run / "checkpoints" / "last.pt") for run in (tmp_path / "run", straight))
    assert all(same(a[key], b[key]) for key in ("networks", "optimisers", "ema", "random", "step"))


@pytest.mark.usefixtures("nothing_shipped")
def test_a_run_stopped_in_its_stage_of_l1_goes_on_into_the_next_as_if_undisturbed(
    tmp_path: Path, picture_set: Path
) -> None:
    stage = "method.l1_steps=6"
    assert train("tiny", tmp_path / "whole", settings(picture_set, 10, stage), reporter=QUIET)
    assert train("tiny", tmp_path / "parts", settings(picture_set, 5, stage), reporter=QUIET)
    assert train("tiny", tmp_path / "parts", settings(picture_set, 10, stage), reporter=QUIET)
    a, b = (load_checkpoint(tmp_path / run / "checkpoints" / "last.pt") for run in ("whole", "parts"))
    assert all(same(a[key], b[key]) for key in ("networks", "optimisers", "ema", "random", "step"))
    terms = {line["step"]: set(line["terms"]) for line in events(tmp_path / "whole") if line["event"] == "log"}
    assert terms[6] == {"g/l1"} and terms[8] == {"d/real", "d/fake", "g/adversarial", "g/l1"}


COMMAND = "import sys; from tintype.cli import main; sys.argv = ['tintype', *sys.argv[1:]]; main()"


def start(run: Path, overrides: list[str]) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", COMMAND, "train", "tiny", *overrides, "--out", str(run)]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ.copy())


def wait_for_step(process: subprocess.Popen[str], run: Path, step: int) -> None:
    deadline = time.monotonic() + 300
    while reached(run) < step:
        assert time.monotonic() < deadline and process.poll() is None, f"no step {step}: {process.communicate()}"
        time.sleep(0.01)


def reached(run: Path) -> int:
    """Step of the last whole line of a run's log."""
    lines = (run / "events.jsonl").read_text().split("\n")[:-1] if (run / "events.jsonl").is_file() else []
    return max((json.loads(line)["step"] for line in lines), default=0)


@pytest.mark.usefixtures("nothing_shipped")
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_killed_by_the_system_and_interrupted_by_hand_a_run_still_ends_as_if_undisturbed(
    tmp_path: Path, picture_set: Path
) -> None:
    run = tmp_path / "run"
    length = 100_000  # neither process can come to the end, however late the signals are
    seldom = ["training.log_every=1", "training.validate_every=100_000", "training.sample_every=100_000"]
    long = settings(picture_set, length, *seldom)
    process = start(run, long)
    wait_for_step(process, run, 20)
    process.kill()
    process.communicate()

    before = reached(run)  # on a busy machine much more than 20
    process = start(run, long)
    wait_for_step(process, run, before + 20)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "saved; the same command goes on from here" in said
    assert "Traceback" not in said
    stopped = load_checkpoint(run / "checkpoints" / "last.pt")["step"]
    assert before + 20 <= stopped < length

    shorter = [setting for setting in long if not setting.startswith("training.steps")]
    straight = tmp_path / "straight"
    assert train("tiny", straight, [*shorter, f"training.steps={stopped}"], reporter=QUIET)
    a, b = (load_checkpoint(folder / "checkpoints" / "last.pt") for folder in (run, straight))
    assert all(same(a[key], b[key]) for key in ("networks", "optimisers", "ema", "random", "step", "meter"))
    logs = [[line for line in events(folder) if line["event"] == "log"] for folder in (run, straight)]
    assert logs[0] == logs[1]


@pytest.mark.parametrize(
    "more", ["training.checkpoint_every=1", "training.sample_steps=[1]", "training.validate_every=1"]
)
def test_a_loss_that_is_not_finite_stops_the_run_and_leaves_the_last_good_checkpoint(
    tmp_path: Path, picture_set: Path, more: str
) -> None:
    run = tmp_path / "run"
    with pytest.raises(NonFiniteLossError, match=r"step \d+: "):
        train("tiny", run, settings(picture_set, 200, "optimiser.lr=1e30", more), reporter=QUIET)
    last = run / "checkpoints" / "last.pt"
    if last.exists():
        networks = load_checkpoint(last)["networks"]
        assert all(torch.isfinite(value).all() for state in networks.values() for value in state.values())
    steps = [line["step"] for line in events(run)]
    assert max(steps) < 20
    assert events(run)[-1]["event"] == "diverged" and "diverged" in events(run)[-1]["text"]


def test_another_recipe_and_a_shorter_length_are_refused(straight: Path, picture_set: Path) -> None:
    with pytest.raises(RecipeMismatchError, match=r"optimiser\.lr: 0\.001 in the run, 0\.1 asked"):
        train("tiny", straight, settings(picture_set, 10, "optimiser.lr=0.1"), reporter=QUIET)
    with pytest.raises(RecipeMismatchError, match="a run can be made longer, not shorter"):
        train("tiny", straight, settings(picture_set, 9), reporter=QUIET)


@pytest.mark.usefixtures("nothing_shipped")
def test_pictures_that_changed_under_a_run_are_noticed(tmp_path: Path, pictures: Path) -> None:
    assert train("tiny", tmp_path / "run", settings(pictures, 2), reporter=QUIET)
    next(pictures.iterdir()).unlink()
    with pytest.raises(DataError, match="the pictures changed since"):
        train("tiny", tmp_path / "run", settings(pictures, 4), reporter=QUIET)


@pytest.mark.usefixtures("nothing_shipped")
def test_a_damaged_checkpoint_is_named_and_left_where_it_is(tmp_path: Path, picture_set: Path) -> None:
    run = tmp_path / "run"
    assert train("tiny", run, settings(picture_set, 2), reporter=QUIET)
    last = run / "checkpoints" / "last.pt"
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"last\.pt: damaged"):
        train("tiny", run, settings(picture_set, 4), reporter=QUIET)
    assert last.stat().st_size == 1000


def test_a_broken_picture_among_good_ones_is_left_out_and_named_in_the_scores(tmp_path: Path, pictures: Path) -> None:
    broken = pictures / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 this is no jpeg")
    assert train("tiny", tmp_path / "run", settings(pictures, 2), reporter=QUIET)
    notes = json.loads((tmp_path / "run" / "scores.json").read_text())["notes"]
    assert any("broken.jpg" in note and "left out" in note for note in notes)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_run_folder_that_cannot_be_written_is_named(tmp_path: Path, picture_set: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be used as a run folder"):
        train("tiny", tmp_path / "run", settings(picture_set, 2), reporter=QUIET)


@pytest.mark.parametrize(
    "override",
    [
        "training.precision=bf16",
        "training.channels_last=false",
        "training.ema=0",
        "evaluation.best_by=last",
        "method.kind=regression",
        "data.split.folds=3",
    ],
)
def test_other_ways_of_training_reach_the_end_too(tmp_path: Path, picture_set: Path, override: str) -> None:
    assert train("tiny", tmp_path / "run", settings(picture_set, 2, override), reporter=QUIET)
    assert (tmp_path / "run" / "model.onnx").is_file()


@pytest.mark.usefixtures("nothing_shipped")
def test_tensorboard_files_are_written_where_the_recipe_asks(tmp_path: Path, picture_set: Path) -> None:
    assert train("tiny", tmp_path / "run", settings(picture_set, 2, "training.tensorboard=true"), reporter=QUIET)
    assert list((tmp_path / "run" / "tensorboard").iterdir())


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Pairs of pictures and their negatives."""
    for domain in "AB":
        (tmp_path / "pairs" / domain).mkdir(parents=True)
    for number in range(8):
        picture = make_picture(number)
        write_image(tmp_path / "pairs" / "A" / f"{number}.png", picture)
        write_image(tmp_path / "pairs" / "B" / f"{number}.png", 255 - picture)
    return tmp_path / "pairs"


@pytest.mark.parametrize(
    ("codec", "reference"),
    [("{kind: rgb}", "identity"), ("{kind: gray}", "identity"), ("{kind: rgb, source: grey}", "grey_copy")],
)
def test_pairs_train_score_and_ship_with_every_codec(pairs: Path, tmp_path: Path, codec: str, reference: str) -> None:
    overrides = [*settings(pairs, 4), "data.kind=folders", f"codec={codec}"]
    assert train("tiny", tmp_path / "run", overrides, reporter=QUIET)
    validation = next(line for line in events(tmp_path / "run") if line["event"] == "validation")
    assert f"{reference}_psnr" in validation["scores"]
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert {row["name"] for row in scores["rows"]} >= {"model", reference.replace("_", " ")}
    assert (tmp_path / "run" / "samples" / "step-000004.png").is_file()


@pytest.mark.usefixtures("nothing_shipped")
def test_what_the_files_are_called_changes_nothing(tmp_path: Path, pictures: Path) -> None:
    assert train("tiny", tmp_path / "one", settings(pictures, 3), reporter=QUIET)
    for number, file in enumerate(sorted(pictures.iterdir())):
        file.rename(pictures / f"{99 - number}-renamed.png")
    assert train("tiny", tmp_path / "two", settings(pictures, 3), reporter=QUIET)
    assert_same_state(tmp_path / "one", tmp_path / "two")


@pytest.mark.usefixtures("nothing_shipped")
def test_a_run_that_was_killed_before_its_recipe_was_written_begins_anew(tmp_path: Path, picture_set: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "split.json").write_text("{}")
    assert train("tiny", tmp_path / "run", settings(picture_set, 2), reporter=QUIET)


@pytest.mark.usefixtures("nothing_shipped")
def test_a_damaged_split_is_named(tmp_path: Path, picture_set: Path) -> None:
    assert train("tiny", tmp_path / "run", settings(picture_set, 2), reporter=QUIET)
    (tmp_path / "run" / "split.json").write_text('{"train": ')
    with pytest.raises(RunError, match=r"split\.json: damaged"):
        train("tiny", tmp_path / "run", settings(picture_set, 4), reporter=QUIET)


@pytest.mark.usefixtures("nothing_shipped")
def test_a_lost_journal_is_begun_anew_without_rubbish(tmp_path: Path, picture_set: Path) -> None:
    assert train("tiny", tmp_path / "run", settings(picture_set, 3), reporter=QUIET)
    (tmp_path / "run" / "events.jsonl").unlink()
    assert train("tiny", tmp_path / "run", settings(picture_set, 6), reporter=QUIET)
    assert [line["step"] for line in events(tmp_path / "run") if line["event"] == "log"] == [4, 6]


def test_a_lost_best_checkpoint_is_said_and_the_last_one_taken(
    tmp_path: Path, picture_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("tintype.training.conclude", lambda *_: None)
        assert train("tiny", tmp_path / "run", settings(picture_set, 3), reporter=QUIET)
    (tmp_path / "run" / "checkpoints" / "best.pt").unlink()
    assert train("tiny", tmp_path / "run", settings(picture_set, 3), reporter=QUIET)
    notes = json.loads((tmp_path / "run" / "scores.json").read_text())["notes"]
    assert any("the network of the last step was taken" in note for note in notes)


def test_a_single_picture_trains_and_says_that_nothing_could_be_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pictures").mkdir()
    write_image(tmp_path / "pictures" / "only.png", make_picture(0))
    assert train("tiny", tmp_path / "run", settings(tmp_path / "pictures", 2))
    assert "not scored: the set is too small" in capsys.readouterr().err
    assert (tmp_path / "run" / "model.onnx").is_file()
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_too_little_memory_is_said_in_words(tmp_path: Path, picture_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(self: Trainer) -> None:
        torch.empty(2**62, dtype=torch.uint8)

    monkeypatch.setattr(Trainer, "train_step", hungry)
    with pytest.raises(OutOfMemoryError, match=r"step 1: out of memory on cpu; lower training\.batch_size"):
        train("tiny", tmp_path / "run", settings(picture_set, 2), reporter=QUIET)


@pytest.mark.gpu
def test_a_gpu_trains_to_the_end(tmp_path: Path, picture_set: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    assert train("tiny", tmp_path / "run", settings(picture_set, 4, "training.device=cuda"), reporter=QUIET)
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["device"].startswith("cuda")
