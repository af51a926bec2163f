"""Training a generator from noise end to end: stopped and gone on, scored, exported, drawn from, refused elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import write_idx
from typer.testing import CliRunner

import tintype
from tintype.cli import app
from tintype.console import Reporter
from tintype.data.dataset import open_data
from tintype.errors import DataError, OutputError, RecipeError, UsageError
from tintype.image.file import read_image
from tintype.inference.modelfile import read_card
from tintype.inference.sampling import Sampler
from tintype.recipe import Recipe, load_recipe
from tintype.training.checkpoint import load_checkpoint
from tintype.training.trainer import Trainer

QUIET = Reporter(quiet=True)
SMALL: dict[str, Any] = {
    "name": "small",
    "data": {
        "kind": "labelled",
        "size": 16,
        "class_names": ["top", "middle", "bottom"],
        "augment": {"flip": False},
        "split": {"near_duplicates": 0},
    },
    "codec": {"kind": "gray"},
    "generator": {"kind": "dcgan", "filters": 4, "latent": 5, "classes": 3, "init": {"kind": "kaiming"}},
    "discriminator": {"kind": "dcgan", "filters": 4},
    "method": {"kind": "gan", "labels": "auxiliary", "gradient_penalty": 0.0},
    "training": {
        "steps": 12,
        "batch_size": 8,
        "ema": 0.8,
        "log_every": 3,
        "checkpoint_every": 5,
        "validate_every": 6,
        "sample_steps": [6],
    },
}
DOCUMENT = [
    *("generator={kind: mlp, hidden: [8], latent: 5}", "discriminator={kind: mlp, hidden: [8]}", "method.labels=none"),
    *("codec.unit_range=true", "method.separate_updates=true", "method.fresh_noise=true"),
    *("method.freeze_discriminator=false", "training.ema=0", "training.sample_steps=[]"),
]
PYRAMID = [
    "generator={kind: lapgan, filters: 2, hidden: 4, latent: 9, detail: 3, classes: 3}",
    "discriminator={kind: lapgan, filters: 2, hidden: 4}",
    *("method.labels=projection", "method.gradient_penalty=1"),
]


def recipe(path: Path, *overrides: str) -> Recipe:
    return load_recipe(Recipe.model_validate(SMALL), [f"data.path={path}", *overrides])


@pytest.fixture(scope="module")
def run(idx_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "run"
    assert tintype.train(recipe(idx_set), out, reporter=QUIET)
    return out


def test_the_scores_say_something_of_samples_discriminator_and_real_pictures(run: Path) -> None:
    scores = json.loads((run / "scores.json").read_text())
    assert scores["pictures"] == 24
    judged = scores["discriminator"]
    assert judged["loss"] == pytest.approx((judged["loss_real"] + judged["loss_fake"]) / 2)
    assert judged["recall"] == judged["accuracy_real"]
    model, real = scores["samples"]
    assert (model["name"], real["name"]) == ("model", "real")
    assert model["kid"]["mean"] > real["kid"]["mean"]  # hardly trained
    assert real["precision"] > model["precision"]
    assert 0 <= real["copies"] <= 0.1
    assert set(scores["discriminator_in_training"]) == {"real", "fake"}
    card = read_card(run / "model.onnx")
    assert card.classes == ("top", "middle", "bottom")
    assert card.scores["verdict"] == scores["verdict"]


def test_the_report_shows_figures_and_grids(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert json.loads((run / "scores.json").read_text())["verdict"].split(";")[0] in page
    assert "distance to the nearest training picture" in page
    assert "Validation KID" in page
    assert "unknown layout" not in page
    assert "No picture was judged" not in page
    drawn = sorted(file.name for file in (run / "samples").iterdir())
    assert drawn == ["nearest-training-pictures.png", "step-000006.png", "step-000012.png"]


def killed_and_gone_on(out: Path, whole: Recipe, at: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    class Killed(BaseException):
        pass

    honest = Trainer.train_step

    def killed(self: Trainer) -> None:
        if self.step == at:
            raise Killed
        honest(self)

    monkeypatch.setattr(Trainer, "train_step", killed)
    with pytest.raises(Killed):
        tintype.train(whole, out, reporter=QUIET)
    monkeypatch.setattr(Trainer, "train_step", honest)
    torch.manual_seed(12345)
    assert tintype.train(whole, out, reporter=QUIET)
    return load_checkpoint(out / "checkpoints" / "last.pt")


def assert_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    for part in ("networks", "ema"):
        for network, state in ours[part].items():
            for name, value in state.items():
                assert torch.equal(value, theirs[part][network][name]), (part, network, name)


def test_a_killed_run_goes_on_to_the_same_weights(
    run: Path, idx_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone_on = killed_and_gone_on(tmp_path / "run", recipe(idx_set), 8, monkeypatch)
    assert_same(gone_on, load_checkpoint(run / "checkpoints" / "last.pt"))
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


@pytest.mark.usefixtures("nothing_shipped")
def test_the_documents_form_goes_on_exactly_with_one_optimiser_for_two_steps(
    idx_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = recipe(idx_set, *DOCUMENT)
    assert tintype.train(whole, tmp_path / "whole", reporter=QUIET)
    gone_on = killed_and_gone_on(tmp_path / "run", whole, 8, monkeypatch)
    assert gone_on["optimisers"].keys() == {"discriminator", "generator"}
    assert gone_on["optimisers"]["discriminator"]["state"][0]["step"] == 24  # two of each of 12 iterations
    assert_same(gone_on, load_checkpoint(tmp_path / "whole" / "checkpoints" / "last.pt"))


@pytest.mark.usefixtures("nothing_shipped")
def test_every_level_of_a_pyramid_plays_and_goes_on_exactly(
    idx_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = recipe(idx_set, *PYRAMID)
    assert tintype.train(whole, tmp_path / "whole", reporter=QUIET)
    gone_on = killed_and_gone_on(tmp_path / "run", whole, 8, monkeypatch)
    assert_same(gone_on, load_checkpoint(tmp_path / "whole" / "checkpoints" / "last.pt"))
    logged = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    terms = {name for line in logged if line["event"] == "log" for name in line["terms"]}
    kinds = ("d/real", "d/fake", "d/penalty", "g/adversarial")
    assert terms == {f"{kind}_{side}" for kind in kinds for side in (4, 8, 16)}


def test_both_model_files_draw_the_same_pictures_and_a_seed_repeats_them(run: Path) -> None:
    graph, weights = Sampler(run / "model.onnx"), Sampler(run / "model.safetensors")
    pictures = graph(7, seed=3)
    assert pictures.shape == (7, 16, 16, 1)
    assert 0 <= pictures.min() < pictures.max() <= 1
    np.testing.assert_allclose(weights(7, seed=3), pictures, atol=1e-5)
    np.testing.assert_allclose(graph(300, seed=3)[:7], pictures, atol=1e-5)
    assert np.abs(graph(7, seed=4) - pictures).max() > 0.01
    np.testing.assert_array_equal(graph.labels(5), [0, 1, 2, 0, 1])
    same_noise = graph(7, seed=3, label=1)
    assert np.abs(same_noise[0] - pictures[0]).max() > 1e-4
    np.testing.assert_allclose(same_noise[1], pictures[1], atol=1e-5)


def sample(*words: object) -> Any:
    return CliRunner().invoke(app, ["sample", *map(str, words)], catch_exceptions=True)


def test_the_command_draws_a_row_for_each_class(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    result = sample("--model", run, "-n", 7, "--out", out)
    assert result.exit_code == 0, result.output
    assert "7 pictures, seed 0" in result.output
    assert "rows: top, middle, bottom" in result.output
    first = read_image(out).pixels
    assert sample("-m", run, "-n", 7, "--out", out).exit_code == 0
    np.testing.assert_array_equal(read_image(out).pixels, first)
    assert sample("-m", run, "-n", 7, "--out", out, "--seed", 1).exit_code == 0
    assert not np.array_equal(read_image(out).pixels, first)
    assert "of middle" in sample("-m", run, "-n", 5, "--out", out, "--label", "Middle").output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--label", "left"], "no such class; the model knows 0 to 2: top, middle, bottom"),
        (["--label", "3"], "no such class"),
        (["grey.png"], "makes pictures from noise alone; leave out grey.png"),
        (["grey.png", "--label", "1"], "has no meaning for a picture"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(run: Path, tmp_path: Path, words: list[str], message: str) -> None:
    result = sample("--model", run, "--out", tmp_path / "grid.png", *words)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)
    assert not (tmp_path / "grid.png").exists()


def test_where_there_is_no_folder_nothing_is_drawn(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sampler, "__call__", lambda *_: pytest.fail("it was drawn"))
    result = sample("--model", run, "--out", tmp_path / "none" / "grid.png")
    assert isinstance(result.exception, OutputError)
    assert "there is no folder" in str(result.exception)


def test_class_names_of_a_model_file_cannot_command_a_terminal(run: Path) -> None:
    sampler = Sampler(run)
    card = sampler.card.model_copy(update={"classes": ("top", "\x1b[2Jmiddle", "bottom")})
    assert Sampler.from_runtime(sampler._runtime, card).classes == ("top", "\\x1b[2Jmiddle", "bottom")


@pytest.mark.parametrize("model", ["", "model.onnx", "model.safetensors"])
def test_what_translates_refuses_it_in_one_line(run: Path, model: str) -> None:
    with pytest.raises(UsageError, match=r"run.*: makes pictures from noise and translates none; use it with tintype"):
        tintype.Translator(run / model)


def test_the_function_for_translations_refuses_it_in_one_line(run: Path, picture_set: Path) -> None:
    with pytest.raises(UsageError, match="makes pictures from noise"):
        tintype.evaluate(run, picture_set)


def evaluate(*words: object) -> Any:
    return CliRunner().invoke(app, ["evaluate", *map(str, words)])


def test_evaluate_gives_what_the_run_said_at_its_end(run: Path, tmp_path: Path) -> None:
    result = evaluate("-m", run, "--json", tmp_path / "scores.json")
    assert result.exit_code == 0, result.output
    expected = json.loads((run / "scores.json").read_text())
    assert json.loads((tmp_path / "scores.json").read_text()) == {**expected, "notes": []}  # of the split, in the run's
    assert result.output.rstrip().endswith(expected["verdict"])
    assert "real pictures" in result.output and "accuracy in training" in result.output


def test_a_model_file_knows_the_set_that_it_was_trained_on_and_says_what_it_lacks(run: Path, idx_set: Path) -> None:
    here = tintype.evaluate_samples(run, idx_set)
    alone = tintype.evaluate_samples(run / "model.onnx", idx_set)
    assert here.rows == alone.rows
    assert here.to_dict()["samples"] == json.loads((run / "scores.json").read_text())["samples"]
    assert (alone.discriminator, len(alone.tables)) == (None, 1)
    assert "only a run folder with its last checkpoint holds it" in alone.notes[0]


def test_other_pictures_are_halved_where_training_pictures_are_not_at_hand(
    run: Path, idx_set: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in idx_set.glob("t10k-*"):
        (other / file.name).write_bytes(file.read_bytes())
    scores = tintype.evaluate_samples(run / "model.onnx", other)
    assert (scores.pictures, scores.protocol["split"]) == (12, "all of the folder")
    assert [row.name for row in scores.rows] == ["model", "real"]
    assert all(row.nearest is None for row in scores.rows)
    assert len(scores.notes) == 3 and "every second picture is the real one" in scores.notes[-1]
    with pytest.raises(DataError, match="no readable picture is left to train on"):
        open_data(recipe(other))
    beside = tintype.evaluate_samples(run, other)
    assert (beside.pictures, beside.notes) == (24, ())
    assert beside.rows[0].nearest is not None


def test_a_model_without_classes_is_held_against_any_folder(
    run: Path, idx_set: Path, picture_set: Path, tmp_path: Path
) -> None:
    plain = recipe(idx_set, "generator.classes=0", "method.labels=none", "training.steps=2", "training.sample_steps=[]")
    assert tintype.train(plain, tmp_path / "plain", reporter=QUIET)
    assert [row.name for row in tintype.evaluate_samples(tmp_path / "plain", picture_set).rows] == ["model", "real"]
    result = evaluate("-m", run, "--baseline", tmp_path / "plain", "--json", "-")
    scores = json.loads(result.output)
    assert scores["tables"][0]["head"] == ["", "model", "real pictures", "run plain"]
    assert "that of run plain" in scores["verdict"]
    with pytest.raises(DataError, match="lie in no folder of a class"):
        tintype.evaluate_samples(run, picture_set)


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["--direction", "ab"], UsageError, "--direction: has no meaning for a model that makes pictures from noise"),
        (["--size", "32"], UsageError, "--size: has no meaning"),
        (["--lpips", "alex"], UsageError, "--lpips: has no meaning"),
        (["--no-ms-ssim"], UsageError, "--ms-ssim: has no meaning"),
        (["--features", "none"], UsageError, "--features none: choose caltech101, fashion, inception or dinov2"),
        (["--model", "RUN"], UsageError, "give all but the first as --baseline"),
        (["--data", "nowhere"], DataError, "nowhere: no such folder"),
        (["--data", "FEW"], DataError, "3 pictures are too few to judge by, 4 are needed"),
    ],
)
def test_evaluate_refuses_what_makes_no_sense_for_samples(
    run: Path, tmp_path: Path, words: list[str], error: type[Exception], message: str
) -> None:
    few = tmp_path / "FEW"
    few.mkdir()
    write_idx(few / "t10k-images-idx3-ubyte", np.random.default_rng(1).integers(0, 256, (3, 16, 16), dtype=np.uint8))
    write_idx(few / "t10k-labels-idx1-ubyte", np.arange(3, dtype=np.uint8))
    result = evaluate("-m", run, *(str({"RUN": run, "FEW": few}.get(word, word)) for word in words))
    assert isinstance(result.exception, error)
    assert message in str(result.exception)


def test_inspect_says_what_it_makes(run: Path) -> None:
    said = CliRunner().invoke(app, ["inspect", str(run)]).output
    assert "pictures of 16 px from noise and label" in said
    assert "top, middle, bottom" in said
    assert "direction" not in said


def test_a_batch_is_real_pictures_with_their_classes_and_an_epoch_goes_once_through_all(idx_set: Path) -> None:
    data = open_data(recipe(idx_set, "training.batch_size=17"))
    batches = [data.batch(step, torch.device("cpu")) for step in range(3)]
    assert data.count == 51  # of 60, 9 are kept for validation
    labels = torch.cat([labels for labels, _ in batches])
    assert labels.bincount().tolist() == [17, 17, 17]
    pictures = torch.cat([pictures for _, pictures in batches])
    assert pictures.shape == (51, 1, 16, 16)
    assert (pictures.min() >= -1) and (pictures.max() <= 1)
    rows = pictures.mean(dim=(1, 3))
    brightest = torch.stack([rows[:, 5 * k : 5 * k + 5].mean(1) for k in range(3)], 1).argmax(1)
    assert torch.equal(brightest, labels)
    assert len({picture.numpy().tobytes() for picture in pictures}) == 51


def test_pictures_shown_whole_are_those_that_are_cut_one_by_one(idx_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tintype.data.sampler import PictureStore

    fast = [open_data(recipe(idx_set)).batch(step, torch.device("cpu")) for step in (0, 6)]
    monkeypatch.setattr(PictureStore, "shown_whole", lambda *_: False)
    slow = [open_data(recipe(idx_set)).batch(step, torch.device("cpu")) for step in (0, 6)]
    for ours, theirs in zip(fast, slow, strict=True):
        assert torch.equal(ours[0], theirs[0])
        assert torch.equal(ours[1], theirs[1])


def test_pictures_without_classes_are_learnt_from_too(run: Path, pictures: Path, tmp_path: Path) -> None:
    changes = ["data.kind=colour", "codec.kind=rgb", "generator.classes=0", "method.labels=none", "training.steps=2"]
    plain = recipe(
        pictures, *changes, "training.sample_steps=[]", "discriminator={kind: patchgan, filters: 2, layers: 1}"
    )
    assert tintype.train(plain, tmp_path / "run", reporter=QUIET)
    assert Sampler(tmp_path / "run")(3).shape == (3, 16, 16, 3)
    with pytest.raises(UsageError, match="without being told a class"):
        Sampler(tmp_path / "run").class_number("1")
    with pytest.raises(UsageError, match="makes pictures of 16 x 16 x 3, the model of 16 x 16 x 1"):
        tintype.evaluate_samples(run, baselines=[tmp_path / "run"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["method.labels=none"], r"method\.labels=none with generator\.classes=3"),
        (["generator.classes=0"], r"method\.labels=auxiliary with generator\.classes=0"),
        (["generator.classes=1"], "one class is none"),
        (
            ["data.size=18", "generator.levels=2"],
            r"data\.size \(18\) must be a multiple of 4 for generator\.kind=dcgan",
        ),
        (["generator.levels=4", "generator.norm=instance"], r"generator\.levels=4 ends in one pixel of data\.size=16"),
        (
            ["discriminator={kind: dcgan, levels: 4}", "training.batch_size=1"],
            r"discriminator\.levels=4 ends in one pixel",
        ),
        (["codec={kind: lab}"], "makes whole pictures"),
        (["data.kind=unpaired"], "learns from pictures of one kind"),
        (["method.gradient_penalty=1"], "judges each picture by itself"),
        (["discriminator={kind: patchgan}"], r"needs discriminator\.kind=mlp or dcgan"),
        (["evaluation.best_by=psnr"], "ships the last networks"),
        (["inference.orientations=2"], "for translations"),
        (["generator={kind: unet}"], "belong together"),
        (["generator={kind: lapgan, classes: 3}"], "lapgan takes both"),
        ([*PYRAMID, "generator.latent=6"], r"generator\.latent \(6\) must be above 2 times generator\.detail \(3\)"),
        ([*PYRAMID, "data.size=17"], r"data\.size \(17\) must be a multiple of 8 for generator\.kind=lapgan"),
        ([*PYRAMID, "method.labels=auxiliary"], r"method\.labels=auxiliary is not for lapgan"),
        ([*PYRAMID, "method.fresh_noise=true"], r"method\.fresh_noise=true is not for lapgan"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(tmp_path: Path, changes: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(tmp_path, *changes)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("tiny", ["codec.chroma_size=null", "generator={kind: mlp}"], "belong together"),
        ("tiny", ["discriminator={kind: mlp}"], r"is for method\.kind=gan"),
        ("tiny", ["evaluation.features=fashion"], "judges pictures made from noise"),
        ("tiny", ["codec={kind: gray, unit_range: true}", "data.kind=folders"], "leave it out"),
    ],
)
def test_what_is_for_pictures_from_noise_is_refused_elsewhere(name: str, changes: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(name, changes)


def test_another_number_of_classes_or_names_than_the_set_has_is_said(idx_set: Path) -> None:
    with pytest.raises(DataError, match=r"pictures of 3 classes, the recipe is for 4: set generator\.classes=3"):
        open_data(recipe(idx_set, "generator.classes=4", "data.class_names=[]"))
    with pytest.raises(DataError, match=r"3 classes, data\.class_names has 2 names"):
        open_data(recipe(idx_set, "data.class_names=[a, b]"))
