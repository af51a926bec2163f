"""Training a classifier from end to end: stopped and gone on, scored, exported, and refused where it has no place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import make_picture

import tintype
from tintype.command_inspect import inspect_file
from tintype.console import Reporter
from tintype.data.dataset import open_data
from tintype.errors import DataError, ModelFileError, UsageError
from tintype.image.file import write_image
from tintype.inference.classifier import Classifier
from tintype.inference.modelfile import read_card
from tintype.inference.onnx import export_onnx
from tintype.inference.runtime import OnnxRuntime
from tintype.inference.torch_runtime import load_network, load_torch_runtime
from tintype.recipe import Recipe, load_recipe
from tintype.training.checkpoint import load_checkpoint
from tintype.training.trainer import Trainer

QUIET = Reporter(quiet=True)
SMALL: dict[str, Any] = {
    "name": "small",
    "data": {"kind": "labelled", "label": "name", "size": 16, "load_size": 20, "augment": {"zoom": 1.2}},
    "codec": {"kind": "rgb"},
    "generator": {"kind": "classifier", "classes": 3, "filters": 4, "stages": 2, "dropout": 0.3},
    "method": {"kind": "classifier", "label_smoothing": 0.1, "foreign_chroma": 0.2},
    "optimiser": {"lr": 0.02},
    "training": {
        "steps": 20,
        "batch_size": 6,
        "ema": 0.8,
        "log_every": 3,
        "checkpoint_every": 6,
        "validate_every": 5,
    },
}


def recipe(path: Path, *overrides: str) -> Recipe:
    return load_recipe(Recipe.model_validate(SMALL), [f"data.path={path}", *overrides])


@pytest.fixture(scope="module")
def run(labelled_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "run"
    assert tintype.train(recipe(labelled_set), out, reporter=QUIET)
    return out


def test_classes_that_differ_in_colour_are_told_apart(run: Path) -> None:
    scores = json.loads((run / "scores.json").read_text())
    assert scores["pictures"] == 6
    assert scores["accuracy"]["mean"] > 0.6 > scores["most_frequent"]["mean"]
    assert [(row["name"], row["pictures"]) for row in scores["classes"]] == [("blue", 2), ("green", 2), ("red", 2)]
    assert scores["protocol"]["split"] == "test"
    card = read_card(run / "model.onnx")
    assert card.classes == ("blue", "green", "red")
    assert card.scores["verdict"] == scores["verdict"]


def test_the_report_says_what_the_scores_say(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert json.loads((run / "scores.json").read_text())["verdict"] in page
    assert "Validation accuracy" in page
    assert "unknown layout" not in page


def test_the_checkpoint_of_the_best_accuracy_is_shipped(run: Path) -> None:
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    validations = [event for event in events if event["event"] == "validation"]
    assert [event["step"] for event in validations] == [5, 10, 15, 20]
    assert set(validations[0]["scores"]) == {"accuracy", "cross_entropy", "most_frequent_class"}
    accuracies = [event["scores"]["accuracy"] for event in validations]
    assert read_card(run / "model.onnx").step == validations[accuracies.index(max(accuracies))]["step"]


def test_a_killed_run_goes_on_to_the_same_weights(
    run: Path, labelled_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    honest = Trainer.train_step

    def killed(self: Trainer) -> None:
        if self.step == 8:
            raise Killed
        honest(self)

    monkeypatch.setattr(Trainer, "train_step", killed)
    with pytest.raises(Killed):
        tintype.train(recipe(labelled_set), tmp_path / "run", reporter=QUIET)
    monkeypatch.undo()
    torch.manual_seed(12345)
    assert tintype.train(recipe(labelled_set), tmp_path / "run", reporter=QUIET)
    ours, theirs = (load_checkpoint(folder / "checkpoints" / "last.pt") for folder in (tmp_path / "run", run))
    for part in ("networks", "ema"):
        for name, value in ours[part]["classifier"].items():
            assert torch.equal(value, theirs[part]["classifier"][name]), (part, name)
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


def test_both_model_files_give_the_same_features_and_logits(run: Path) -> None:
    pictures = [np.float32(make_picture(number, 16, 16) / 255) for number in range(70)]  # more than go in at once
    answers = []
    for runtime in (OnnxRuntime(run / "model.onnx"), load_torch_runtime(run / "model.safetensors")[0]):
        answers.append(Classifier(runtime, read_card(run / "model.onnx"))(pictures))
    assert [part.shape for part in answers[0]] == [(70, 8), (70, 3)]
    for ours, theirs in zip(*answers, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_no_pictures_have_no_features(run: Path) -> None:
    features, logits = Classifier(OnnxRuntime(run / "model.onnx"), read_card(run / "model.onnx"))([])
    assert (features.shape, logits.shape) == ((0, 8), (0, 3))


def test_it_is_exported_again_by_the_command(run: Path, tmp_path: Path) -> None:
    network, card = load_network(run / "model.safetensors")
    assert export_onnx(network, card, tmp_path / "again.onnx").max_difference < 1e-4
    assert read_card(tmp_path / "again.onnx") == card


def test_inspect_shows_classes_and_accuracy_and_nothing_of_translations(
    run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    inspect_file(run, None, as_json=False)
    said = dict(line.split(":", 1) for line in capfd.readouterr().out.splitlines())
    scores = json.loads((run / "scores.json").read_text())
    assert said["classes"].strip() == "3"
    assert said["accuracy"].strip().startswith(f"{scores['accuracy']['mean']:.1%} [")
    assert not {"direction", "calibrated strength"} & said.keys()


@pytest.mark.parametrize("model", ["", "model.onnx", "model.safetensors"])
def test_what_translates_refuses_it_in_one_line(run: Path, model: str) -> None:
    with pytest.raises(UsageError, match=r"run.*: tells classes of pictures apart and translates none; give a model"):
        tintype.Translator(run / model)


def test_evaluate_refuses_it_in_one_line(run: Path, picture_set: Path) -> None:
    with pytest.raises(UsageError, match="tells classes of pictures apart"):
        tintype.evaluate(run, picture_set)


def test_a_card_of_a_classifier_on_another_network_is_refused(run: Path, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(run / "model.onnx")
    del model.graph.output[1]
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelFileError, match="must have one float32 input `n c h w` and two outputs"):
        read_card(tmp_path / "model.onnx")


def test_another_number_of_classes_than_the_recipe_says_is_said(labelled_set: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"pictures of 3 classes, the recipe is for 4: set generator\.classes=3"):
        tintype.train(recipe(labelled_set, "generator.classes=4"), tmp_path / "run", reporter=QUIET)
    assert not (tmp_path / "run").exists()


def test_every_class_has_its_share_of_each_part(tmp_path: Path) -> None:
    for label, count in (("many", 20), ("few", 5)):
        (tmp_path / label).mkdir()
        for number in range(count):
            write_image(tmp_path / label / f"{number}.png", make_picture(1000 * (label == "few") + number, 20, 20))
    data = open_data(recipe(tmp_path, "data.label=folder", "generator.classes=2"))
    assert data.classes == ("few", "many")
    assert {part: data.class_counts(part).tolist() for part in ("train", "validation", "test")} == {
        "train": [3, 13],
        "validation": [1, 3],
        "test": [1, 4],
    }


def test_a_batch_pairs_each_picture_with_its_class(labelled_set: Path) -> None:
    data = open_data(recipe(labelled_set))
    pictures, numbers = data.batch(0, torch.device("cpu"))
    assert numbers.dtype == torch.int64
    brightest = pictures.mean(dim=(2, 3)).argmax(dim=1)  # channels in the order red, green, blue
    assert [data.classes[number] for number in numbers] == [("red", "green", "blue")[channel] for channel in brightest]
