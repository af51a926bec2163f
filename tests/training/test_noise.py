"""A run with noise goes on as if undisturbed, and what it leaves makes many results and knows their spread."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.training.test_trainer import QUIET, same, settings

from tintype.command_sample import sample
from tintype.image.file import read_image, write_image
from tintype.inference.modelfile import read_card
from tintype.inference.translator import Translator
from tintype.training import train
from tintype.training.checkpoint import load_checkpoint

PAIRED = [
    "generator={filters: 4, levels: 3, norm: instance, noise: input, latent: 2}",
    "method={lambda_adversarial: 0.1, candidates: 3, lambda_latent: 1}",
]
UNPAIRED = [
    "generator={filters: 4, levels: 3, norm: instance, dropout: 0, noise: input, latent: 2}",
    "codec={kind: rgb, source: grey3}",
    "discriminator.norm=instance",
    "method={kind: cyclegan, lambda_identity: 0, lambda_latent: 1, pool: 3}",
]


@pytest.mark.usefixtures("nothing_shipped")
@pytest.mark.parametrize("recipe", [PAIRED, UNPAIRED], ids=["pix2pix", "cyclegan"])
def test_a_run_with_noise_goes_on_as_if_undisturbed(recipe: list[str], tmp_path: Path, picture_set: Path) -> None:
    recipe = [*recipe, "training.validate_every=100", "training.sample_every=100"]
    assert train("tiny", tmp_path / "whole", settings(picture_set, 6, *recipe), reporter=QUIET)
    assert train("tiny", tmp_path / "parts", settings(picture_set, 3, *recipe), reporter=QUIET)
    torch.rand(5)
    assert train("tiny", tmp_path / "parts", settings(picture_set, 6, *recipe), reporter=QUIET)
    a, b = (load_checkpoint(tmp_path / run / "checkpoints" / "last.pt") for run in ("whole", "parts"))
    assert "encoder" in a["networks"]
    for key in ("networks", "optimisers", "ema", "random", "step", "method"):
        assert same(a[key], b[key]), key


def test_a_finished_run_knows_its_spread(tmp_path: Path, picture_set: Path) -> None:
    run = tmp_path / "run"
    assert train("tiny", run, settings(picture_set, 4, *PAIRED), reporter=QUIET)
    scores = json.loads((run / "scores.json").read_text())
    card = read_card(run / "model.onnx")
    assert card.spread is not None
    assert scores["spread"]["factor"] == card.spread.factor
    assert 0 < scores["spread"]["coverage"]["mean"] <= 1
    assert scores["spread"]["best"]["mean"] > scores["spread"]["single"]["mean"]
    assert card.scores["spread"]["diversity"] == scores["spread"]["diversity"]
    assert Translator(run).card.makes_many
    wide, grid = tmp_path / "wide.png", tmp_path / "grid.png"
    write_image(wide, np.full((200, 700, 3), 90, np.uint8))
    sample(run, wide, 3, grid, 0, None)
    assert read_image(grid).pixels.shape[1] < 2 * 700  # two columns, in cells of 512
