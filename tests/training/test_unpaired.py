"""Unpaired training from end to end: both directions, with and without true partners, stopped and gone on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.conftest import make_picture

import tintype
from tintype.api import evaluate
from tintype.console import Reporter
from tintype.errors import RecipeError
from tintype.image.file import write_image
from tintype.inference.modelfile import read_card
from tintype.recipe import Recipe, load_recipe
from tintype.training.checkpoint import load_checkpoint

QUIET = Reporter(quiet=True)
SMALL: dict[str, Any] = {
    "name": "small",
    "data": {"kind": "unpaired", "size": 16, "split": {"near_duplicates": 0}},
    "codec": {"kind": "rgb"},
    "generator": {"kind": "resnet", "filters": 2, "blocks": 1, "dropout": 0.5},
    "discriminator": {"kind": "patchgan", "filters": [2, 4], "norm": "instance"},
    "method": {"kind": "cyclegan", "pool": 3},
    "training": {
        "steps": 10,
        "ema": 0.9,
        "log_every": 3,
        "checkpoint_every": 4,
        "validate_every": 5,
        "sample_every": 10,
        "sample_count": 2,
    },
}


@pytest.fixture(scope="module")
def domains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    for name, count, first in (
        ("trainA", 5, 0),
        ("trainB", 8, 20),
        ("valA", 2, 40),
        ("testA", 2, 50),
        ("testB", 3, 60),
    ):
        (folder / name).mkdir()
        for number in range(count):
            write_image(folder / name / f"{number}.png", make_picture(first + number, 20, 24))
    return folder


def recipe(path: Path, *overrides: str) -> Recipe:
    return load_recipe(Recipe.model_validate(SMALL), [f"data.path={path}", *overrides])


@pytest.fixture(scope="module")
def run(domains: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "run"
    assert tintype.train(recipe(domains), out, reporter=QUIET)
    return out


def scores(run: Path, direction: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / f"scores_{direction}.json").read_text())
    return content


def test_both_directions_are_saved_under_names_that_say_so(run: Path) -> None:
    for direction in ("ab", "ba"):
        for suffix in ("onnx", "safetensors"):
            card = read_card(run / f"model_{direction}.{suffix}")
            assert (card.direction, card.step) == (direction, 10)
    assert not (run / "model.onnx").exists()
    assert not (run / "checkpoints/best.pt").exists()


def test_the_two_directions_are_different_models(run: Path) -> None:
    picture = make_picture(99, 21, 33)
    there, back = (tintype.Translator(run, direction)(picture) for direction in ("ab", "ba"))
    assert there.shape == back.shape == (21, 33, 3)
    assert not np.array_equal(there, back)


def test_without_partners_there_are_scores_of_cycle_identity_and_change(run: Path) -> None:
    there, back = scores(run, "ab"), scores(run, "ba")
    assert (there["pictures"], back["pictures"]) == (2, 3)
    assert there["consistency"]["cycle"]["pictures"] == 2
    assert there["consistency"]["identity"]["pictures"] == 3
    assert there["rows"] == []
    assert "no partners" in there["verdict"]
    assert all((run / panel["file"]).is_file() for panel in [*there["panels"], *back["panels"]])


def test_panels_of_both_directions_are_drawn(run: Path) -> None:
    assert sorted(path.name for path in (run / "samples").iterdir()) == ["step-000010_ab.png", "step-000010_ba.png"]


def test_evaluate_repeats_the_scores_of_the_run(run: Path) -> None:
    for direction in ("ab", "ba"):
        again = evaluate(run, direction=direction).to_dict()
        assert again["consistency"] == scores(run, direction)["consistency"]


def test_a_model_file_alone_has_no_way_back_and_says_so(run: Path, domains: Path) -> None:
    result = evaluate(run / "model_ab.onnx", domains)
    assert result.consistency is not None
    assert result.consistency.cycle is None
    assert result.consistency.identity is not None
    assert any("cycle not judged" in note for note in result.notes)


@pytest.mark.usefixtures("nothing_shipped")
def test_a_stopped_run_goes_on_with_the_same_pools_to_the_same_end(domains: Path, tmp_path: Path, run: Path) -> None:
    half = recipe(domains, "training.steps=5")
    assert tintype.train(half, tmp_path / "run", reporter=QUIET)
    assert tintype.train(recipe(domains), tmp_path / "run", reporter=QUIET)
    ours, theirs = (load_checkpoint(folder / "checkpoints/last.pt") for folder in (tmp_path / "run", run))
    assert len(ours["method"]["a"]) == 3
    assert all(map(torch.equal, ours["method"]["a"], theirs["method"]["a"]))
    for name, network in ours["networks"].items():
        assert all(torch.equal(value, theirs["networks"][name][key]) for key, value in network.items())


ENCODER = (
    "{kind: encoder_unet, weights: none, architecture: {model_type: resnet, depths: [1, 1], hidden_sizes: [8, 16]}}"
)
METHODS = {"cut": "{kind: cut, places: 8, projection: 4}", "unit": "{kind: unit}"}


@pytest.mark.usefixtures("nothing_shipped")
@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_run_of_another_method_goes_on_bit_for_bit(method: str, domains: Path, tmp_path: Path) -> None:
    changes = [f"method={METHODS[method]}", "generator.blocks=2", "training.sample_every=null"]
    assert tintype.train(recipe(domains, *changes), tmp_path / "whole", reporter=QUIET)
    assert tintype.train(recipe(domains, *changes, "training.steps=5"), tmp_path / "parts", reporter=QUIET)
    torch.manual_seed(12345)  # whatever happened in between must not matter
    assert tintype.train(recipe(domains, *changes), tmp_path / "parts", reporter=QUIET)
    ours, theirs = (load_checkpoint(tmp_path / run / "checkpoints/last.pt") for run in ("whole", "parts"))
    for part in ("networks", "ema"):
        for name, network in ours[part].items():
            assert all(torch.equal(value, theirs[part][name][key]) for key, value in network.items())
    if method == "unit":  # blocks in common stay in common, and are trained once a step
        shared = [key for key in ours["networks"]["g_ab"] if key.startswith("blocks.")]
        assert all(torch.equal(ours["networks"]["g_ab"][key], ours["networks"]["g_ba"][key]) for key in shared)
        assert len(ours["optimisers"]["generators"]["state"]) == 2 * 12 + len(shared)


def test_a_run_of_one_direction_without_pairs_has_one_model_with_panels_and_scores(
    domains: Path, tmp_path: Path
) -> None:
    changes = [f"method={METHODS['cut']}", "training.steps=2", "training.sample_every=2", "training.validate_every=2"]
    assert tintype.train(recipe(domains, *changes), tmp_path / "run", reporter=QUIET)
    assert read_card(tmp_path / "run/model.onnx").direction == "ab"
    assert [path.name for path in (tmp_path / "run/samples").iterdir()] == ["step-000002.png"]
    content = json.loads((tmp_path / "run/scores.json").read_text())
    assert content["consistency"]["cycle"] is None
    assert (content["consistency"]["change"]["pictures"], content["consistency"]["identity"]["pictures"]) == (2, 3)
    assert content["protocol"].get("direction") is None
    assert all((tmp_path / "run" / panel["file"]).is_file() for panel in content["panels"])
    assert evaluate(tmp_path / "run").to_dict()["consistency"] == content["consistency"]
    assert tintype.Translator(tmp_path / "run")(make_picture(99, 21, 33)).shape == (21, 33, 3)


def test_one_folder_of_colour_pictures_is_both_domains_and_has_paired_scores(picture_set: Path, tmp_path: Path) -> None:
    overrides = ["data.kind=colour", "codec.source=grey3", "training.steps=2"]
    assert tintype.train(recipe(picture_set, *overrides), tmp_path / "run", reporter=QUIET)
    there, back = scores(tmp_path / "run", "ab"), scores(tmp_path / "run", "ba")
    assert [row["name"] for row in there["rows"]][:2] == ["model", "grey copy"]
    assert {row["name"] for row in back["rows"]} == {
        "model",
        "identity",
        "mean colour",
        "nearest training picture",
        "grey copy",
    }
    assert "grey copy beats it" in back["verdict"] or "fewer than" in back["verdict"]  # which a formula does exactly
    assert next(row for row in back["rows"] if row["name"] == "grey copy")["psnr"]["mean"] == pytest.approx(100)
    assert there["consistency"]["cycle"]["pictures"] == there["pictures"]
    grey = tintype.Translator(tmp_path / "run", "ab")(make_picture(3)[..., :1])
    assert grey.shape == (40, 48, 3)


def test_pairs_can_be_learnt_without_their_pairing(tmp_path: Path) -> None:
    for number in range(8):
        for domain in ("A", "B"):
            (tmp_path / "set" / domain).mkdir(parents=True, exist_ok=True)
            write_image(
                tmp_path / "set" / domain / f"{number}.png", make_picture(number + 100 * (domain == "B"), 20, 24)
            )
    overrides = ["data.kind=folders", "training.steps=2"]
    assert tintype.train(recipe(tmp_path / "set", *overrides), tmp_path / "run", reporter=QUIET)
    assert scores(tmp_path / "run", "ab")["reference"] == "identity"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["method.kind=pix2pix"], "method.kind=pix2pix needs pairs, data.kind=unpaired has none"),
        (["data.kind=colour", "codec.kind=lab"], "codec.kind=lab makes chroma alone"),
        (["data.kind=colour", "codec.source=grey"], "method.lambda_identity needs generators with as many channels"),
        (["data.kind=folders", "data.direction=ba"], "data.direction=ba only turns the names round"),
        (["method.gradient_penalty=1", "discriminator.norm=batch"], "judges each picture by itself"),
        (["evaluation.best_by=psnr"], "evaluation.best_by=psnr needs a method that learns from pairs"),
        (["data.kind=colour", "method={kind: cut}", "codec.source=grey"], "shows the generator what it has made"),
        (["data.kind=colour", "method={kind: unit}", "codec.kind=lab"], "codec.kind=lab makes chroma alone"),
        (["method={kind: unit}", "generator={kind: unet, levels: 2}"], "generator.kind=unet is none"),
        (["method={kind: unit}", "generator={kind: resnet, norm: batch}"], "generator.norm=batch would mix"),
        (["method={kind: unit, shared_blocks: 2}", "generator.blocks=3"], "must be at most half of generator.blocks"),
        (["method={kind: unit}", "data.kind=folders", "data.direction=ba"], "where method.kind=unit trains both"),
        (["method={kind: cut}", "evaluation.best_by=ssim"], "cut ships the last networks"),
        (["method={kind: cut}", f"generator={ENCODER}"], "generator.kind=encoder_unet is not made of two"),
        (
            ["method={kind: unit}", f"generator={ENCODER}"],
            "generator.kind=encoder_unet is none: use",
        ),
        (
            ["method={kind: unit}", "generator.architecture={model_type: resnet}"],
            "unknown field generator.architecture, which is for generator.kind=encoder_unet",
        ),
        (["method={kind: cut}", "generator.noise=input"], "method.kind=cut would learn to ignore it"),
        (["method={kind: unit}", "generator.noise=input"], "method.kind=unit would learn to ignore it"),
    ],
)
def test_parts_that_cannot_work_together_are_refused(overrides: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(tmp_path, *overrides)


@pytest.mark.usefixtures("nothing_shipped")
def test_the_gradient_penalty_works_in_mixed_precision(domains: Path, tmp_path: Path) -> None:
    overrides = ["method.gradient_penalty=1", "method.penalty_every=1", "training.precision=bf16", "training.steps=2"]
    assert tintype.train(recipe(domains, *overrides), tmp_path / "run", reporter=QUIET)


@pytest.mark.usefixtures("nothing_shipped")
@pytest.mark.parametrize("method", METHODS)
def test_other_methods_train_in_mixed_precision_and_recompute(method: str, domains: Path, tmp_path: Path) -> None:
    changes = [f"method={METHODS[method]}", "method.adversarial=margin", "generator.blocks=2", "training.steps=2"]
    changes += ["discriminator={kind: capsule, filters: 2, layers: 1}", "training.precision=bf16"]
    changes += ["training.recompute=true", "training.validate_every=9", "training.sample_every=null"]
    assert tintype.train(recipe(domains, *changes), tmp_path / "run", reporter=QUIET)


def test_what_is_made_grey_is_grey(picture_set: Path, tmp_path: Path) -> None:
    overrides = ["data.kind=colour", "codec.source=grey3", "training.steps=1"]
    assert tintype.train(recipe(picture_set, *overrides), tmp_path / "run", reporter=QUIET)
    made = tintype.Translator(tmp_path / "run", "ba")(make_picture(5))
    assert made.shape == (40, 48, 3)
    assert np.array_equal(made[..., 0], made[..., 1]) and np.array_equal(made[..., 0], made[..., 2])
