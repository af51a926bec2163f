"""Training a generator of clips end to end: stopped and gone on, scored, exported, drawn from, refused elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
import torch
from typer.testing import CliRunner

import tintype
from tintype.cli import app
from tintype.console import Reporter
from tintype.errors import RecipeError
from tintype.image.file import read_image
from tintype.inference.modelfile import read_card
from tintype.inference.sampling import Sampler
from tintype.methods.summary import summarise
from tintype.networks.video import VideoDiscriminator, VideoGenerator
from tintype.recipe import Recipe, load_recipe
from tintype.training.checkpoint import load_checkpoint
from tintype.training.trainer import Trainer

QUIET = Reporter(quiet=True)
SMALL = [
    *("data.size=16", "data.class_names=[top, middle, bottom]", "data.motion={frames: 4, side: 10, speed: 1}"),
    "generator={kind: video, filters: 2, latent: 5, classes: 3, init: {kind: kaiming}}",
    *("discriminator={kind: video, filters: 2}", "method.gradient_penalty=1", "method.penalty_every=4"),
    *("training.steps=8", "training.batch_size=8", "training.ema=0.8", "training.log_every=4"),
    *("training.checkpoint_every=3", "training.validate_every=4", "training.sample_steps=[4]"),
]


def recipe(path: Path, *overrides: str) -> Recipe:
    return load_recipe("fashion-video", [f"data.path={path}", *SMALL, *overrides])


@pytest.fixture(scope="module")
def run(idx_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "run"
    assert tintype.train(recipe(idx_set), out, reporter=QUIET)
    return out


def test_motion_is_scored_beside_real_clips_and_a_still_picture(run: Path) -> None:
    scores = json.loads((run / "scores.json").read_text())
    assert [row["name"] for row in scores["motion"]] == ["model", "real", "still"]
    _, real, still = scores["motion"]
    assert 0.5 < real["speed"] <= 1.1
    assert (still["change"], still["speed"]) == (0, 0)
    assert scores["samples"][0]["kid"]["mean"] > scores["samples"][1]["kid"]["mean"]  # hardly trained
    assert scores["discriminator"]["recall"] == scores["discriminator"]["accuracy_real"]
    assert "px a frame" in scores["verdict"]
    page = (run / "report.html").read_text()
    assert "a still picture" in page
    assert "unknown layout" not in page
    logged = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    health = {name for line in logged if line["event"] == "log" for name in line["health"]}
    assert {"d/accuracy_real", "d/accuracy_fake"} <= health


def test_clips_are_judged_from_the_model_file_too(run: Path, idx_set: Path) -> None:
    expected = json.loads((run / "scores.json").read_text())
    found = tintype.evaluate_samples(run / "model.onnx", idx_set, baselines=[run]).to_dict()
    assert found["samples"][:2] == expected["samples"]
    assert found["motion"][:3] == expected["motion"]
    assert [row["name"] for row in found["motion"]] == ["model", "real", "still", "run run"]


def test_a_killed_run_goes_on_to_the_same_weights(
    run: Path, idx_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    honest = Trainer.train_step

    def killed(self: Trainer) -> None:
        if self.step == 5:
            raise Killed
        honest(self)

    monkeypatch.setattr(Trainer, "train_step", killed)
    with pytest.raises(Killed):
        tintype.train(recipe(idx_set), tmp_path / "run", reporter=QUIET)
    monkeypatch.setattr(Trainer, "train_step", honest)
    torch.manual_seed(12345)
    assert tintype.train(recipe(idx_set), tmp_path / "run", reporter=QUIET)
    ours, theirs = (load_checkpoint(folder / "checkpoints" / "last.pt") for folder in (tmp_path / "run", run))
    for part in ("networks", "ema"):
        for network, state in ours[part].items():
            for name, value in state.items():
                assert torch.equal(value, theirs[part][network][name]), (part, network, name)
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


def test_both_model_files_make_the_same_clips(run: Path) -> None:
    graph, weights = Sampler(run / "model.onnx"), Sampler(run / "model.safetensors")
    clips = graph(5, seed=3)
    assert clips.shape == (5, 16, 16, 4)
    np.testing.assert_allclose(weights(5, seed=3), clips, atol=1e-5)
    assert read_card(run / "model.onnx").recipe.frames == 4


def sample(*words: object) -> Any:
    return CliRunner().invoke(app, ["sample", *map(str, words)], catch_exceptions=False)


def test_the_command_draws_strips_and_files_that_play(run: Path, tmp_path: Path) -> None:
    result = sample("--model", run, "-n", 6, "--out", tmp_path / "grid.png")
    assert "6 clips, seed 0" in result.output
    assert "rows: top, middle, bottom" in result.output
    wide = read_image(tmp_path / "grid.png")
    sample("--model", run, "-n", 6, "--out", tmp_path / "grid.gif")
    playing = pyvips.Image.new_from_file(str(tmp_path / "grid.gif"), n=-1)
    assert playing.get("n-pages") == 4
    assert playing.width < wide.width
    pages = playing.numpy().reshape(4, playing.get("page-height"), playing.width, -1)
    assert (pages[0] != pages[3]).any()


def test_inspect_says_what_it_makes(run: Path) -> None:
    assert "clips of 4 frames of 16 px from noise and label" in CliRunner().invoke(app, ["inspect", str(run)]).output


@pytest.mark.parametrize("label", [None, torch.tensor([0, 2])])
def test_every_frame_is_judged_and_their_order_too(label: torch.Tensor | None) -> None:
    torch.manual_seed(0)
    kind, classes = ("none", 0) if label is None else ("projection", 3)
    generator = VideoGenerator(6, 16, latent=4, classes=classes, levels=2, filters=2)
    judge = VideoDiscriminator(levels=2, judged=2, filters=2, labels=kind, classes=classes)
    clips = generator(torch.randn(2, 4), label)
    assert clips.shape == (2, 6, 16, 16)
    assert (clips[:, 1:] != clips[:, :-1]).any()
    clips = clips.detach().requires_grad_()
    judged = judge(clips, label)
    assert judged.shape == (2, 2, 1, 1)
    (of_frames,) = torch.autograd.grad(judged[:, 0].sum(), clips, retain_graph=True)
    assert [one.abs().sum(dim=(1, 2)).nonzero().flatten().tolist() for one in of_frames] == [[0, 3], [1, 4]]
    (of_motion,) = torch.autograd.grad(judged[:, 1].sum(), clips)
    assert (of_motion.abs().sum(dim=(2, 3)) > 0).all()
    backwards = judge(clips.flip(1), label)
    assert not torch.allclose(backwards[:, 1], judged[:, 1], atol=1e-7)


def test_no_frame_goes_unseen_where_their_number_does_not_divide_those_of_a_clip() -> None:
    torch.manual_seed(0)
    clips = torch.rand(5, 5, 16, 16, requires_grad=True)
    judged = VideoDiscriminator(levels=2, judged=3, filters=2)(clips)
    (gradient,) = torch.autograd.grad(judged[:, 0].sum(), clips)
    seen = gradient.abs().sum(dim=(2, 3)) > 0
    assert seen.sum(dim=1).tolist() == [3] * 5
    assert seen.any(dim=0).all()


def test_the_summary_counts_every_frame_and_all_three_dimensions(tmp_path: Path) -> None:
    generator, discriminator = summarise(recipe(tmp_path))
    unit = (3 + 4 * 3) * 9 * 2 * 2 * 16  # of 2 channels, on 4 x 4 places: once inward, and 3 maps in each of 4 frames
    doublings = 4 * (16 * 2 * 2 * 16 + 64 * 2 * 1 * 16)
    assert generator.macs == 8 * 32 + unit + doublings
    assert [row.name for row in generator.rows].count("over_time.gates") == 1
    spatial = 2 * (64 * 2 * 16 + 16 * 2 * 4 * 16 + 4)
    temporal = 4 * 16 * 2 * 48 + 2 * 4 * 2 * 4 * 48 + 4
    assert discriminator.macs == spatial + temporal + 3 * (3 * 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["data.motion=null"], r"generator\.kind=video needs data\.motion beside it"),
        (["generator={kind: mlp, classes: 3}"], r"data\.motion needs generator\.kind=video beside it"),
        (["discriminator={kind: dcgan}"], r"data\.motion needs discriminator\.kind=video beside it"),
        (["codec={kind: rgb}"], "clips are grey, use gray"),
        (["method.labels=auxiliary"], "use projection, or none"),
        (["data.size=17"], r"data\.size \(17\) must be even"),
        (["data.size=18", "generator.levels=2"], r"must be a multiple of 4 for generator\.levels=2"),
        (["discriminator.frames=5"], r"discriminator\.frames \(5\) must be at most data\.motion\.frames \(4\)"),
    ],
)
def test_clips_without_what_they_need_are_refused(tmp_path: Path, changes: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe(tmp_path, *changes)


def test_motion_is_refused_where_nothing_makes_clips() -> None:
    with pytest.raises(RecipeError, match=r"clips, which are for method\.kind=gan, not classifier"):
        load_recipe("fashion-classifier", ["data.motion={side: 20}"])
