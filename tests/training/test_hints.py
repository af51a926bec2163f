"""A run with hints goes on as if undisturbed, and what it leaves is judged and used without any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.training.test_trainer import QUIET, same, settings

from tintype.inference.onnx import export_onnx
from tintype.inference.runtime import open_runtime
from tintype.inference.translator import Translator
from tintype.methods.summary import summarise
from tintype.networks import build_generator
from tintype.recipe import load_recipe
from tintype.training import train
from tintype.training.cards import make_card
from tintype.training.checkpoint import load_checkpoint

HINTS = ["data.hints={mean: 3, largest: 4}", "training.validate_every=100", "training.sample_every=100"]


@pytest.mark.usefixtures("nothing_shipped")
def test_a_run_with_hints_goes_on_as_if_undisturbed(tmp_path: Path, picture_set: Path) -> None:
    assert train("tiny", tmp_path / "whole", settings(picture_set, 6, *HINTS), reporter=QUIET)
    assert train("tiny", tmp_path / "parts", settings(picture_set, 3, *HINTS), reporter=QUIET)
    torch.rand(5)
    assert train("tiny", tmp_path / "parts", settings(picture_set, 6, *HINTS), reporter=QUIET)
    a, b = (load_checkpoint(tmp_path / run / "checkpoints" / "last.pt") for run in ("whole", "parts"))
    assert a["networks"]["generator"]["hints.weight"].abs().max() > 0
    for key in ("networks", "optimisers", "ema", "random", "step"):
        assert same(a[key], b[key]), key


def test_a_finished_run_is_used_with_hints_and_without(tmp_path: Path, picture_set: Path) -> None:
    run = tmp_path / "run"
    assert train("tiny", run, settings(picture_set, 2, "data.hints.mean=3", "method.kind=regression"), reporter=QUIET)
    model, other = Translator(run / "model.onnx"), Translator(run / "model.safetensors")
    assert model.card.inputs == ("source", "hints")
    source = np.random.default_rng(0).random((21, 27, 1), np.float32)
    hints = np.zeros((21, 27, 3), np.float32)
    without = model.network(source)
    assert np.array_equal(model.network(source, hints=hints), without)
    hints[4:6, 7:9] = (0.5, -0.2, 1)
    told = model.network(source, hints=hints)
    assert not np.array_equal(told, without)
    assert np.abs(other.network(source, hints=hints) - told).max() < 1e-4
    source, hints = source[:16, :16], hints[:16, :16]
    mirrored = model.network(source[:, ::-1], 8, hints[:, ::-1])[:, ::-1]
    assert np.abs(model.network(source, 8, hints) - mirrored).max() < 1e-5, "hints are mirrored with the picture"


@pytest.mark.parametrize("noise", ["none", "input"])
def test_the_graph_takes_hints_at_any_size(tmp_path: Path, noise: str) -> None:
    settings = [f"generator={{noise: {noise}, latent: 2, norm: instance}}", "data.hints.mean=3"]
    recipe = load_recipe("tiny", [*settings, *(["method.candidates=2"] if noise == "input" else [])])
    network = build_generator(recipe)
    torch.nn.init.normal_(network.hints.weight)
    path = tmp_path / "model.onnx"
    check = export_onnx(network, make_card(recipe, network, 1), path)
    assert check.max_difference < 1e-4
    runtime, card = open_runtime(path)
    assert card.inputs[-1] == "hints"
    given = {"source": np.zeros((2, 1, 48, 32), np.float32), "noise": np.zeros((2, 2), np.float32)}
    given["hints"] = np.ones((2, 3, 48, 32), np.float32)
    assert runtime.run({name: given[name] for name in card.inputs})[0].shape[0] == 2


def test_a_summary_counts_what_hints_cost() -> None:
    plain, hinted = (summarise(load_recipe("tiny", one))[0] for one in ([], ["data.hints.mean=3"]))
    assert len(hinted.rows) == len(plain.rows) + 1
    assert hinted.parameters - plain.parameters == 4 * 3 * 4 * 4
