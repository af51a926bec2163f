from __future__ import annotations

import pytest
from torch import nn

from tintype.networks.unet import UNet
from tintype.recipe import load_recipe
from tintype.training.schedule import idle_settings, rate_factor, sample_steps, schedule_notes, total_steps


def test_a_length_in_epochs_counts_every_picture_as_often() -> None:
    assert total_steps(load_recipe("tiny", ["training.epochs=3", "training.batch_size=4"]), 10) == 8  # 30 samples
    assert total_steps(load_recipe("tiny", ["training.epochs=0.5", "training.batch_size=1"]), 10) == 5


def test_epoch_steps_says_what_an_epoch_is() -> None:
    recipe = load_recipe("tiny", ["training.epochs=40", "training.epoch_steps=1000"])
    assert total_steps(recipe, 71) == 40_000


@pytest.mark.parametrize(("step", "factor"), [(0, 1), (10, 1), (15, 0.55), (20, 0.1), (500, 0.1)])
def test_the_rate_is_constant_then_falls_linearly_then_stays(step: int, factor: float) -> None:
    recipe = load_recipe("tiny", ["optimiser.decay={start: 10, end: 20, final: 0.1}"])
    assert rate_factor(recipe, step, 100) == pytest.approx(factor)


def test_a_longer_run_has_the_same_rate_at_every_step() -> None:
    decay = "optimiser.decay={start: 10, end: 20}"
    short, long = (load_recipe("tiny", [decay, f"training.steps={steps}"]) for steps in (15, 300))
    assert all(rate_factor(short, step, 100) == rate_factor(long, step, 100) for step in range(40))


def test_a_decay_in_epochs_follows_the_number_of_pictures() -> None:
    recipe = load_recipe("tiny", ["optimiser.decay={start: 1, end: 3, unit: epochs}", "training.batch_size=10"])
    assert [rate_factor(recipe, step, 100) for step in (10, 20, 30)] == [1.0, 0.5, 0.0]


def test_a_decay_without_effect_is_said() -> None:
    decay = "optimiser.decay={start: 100, end: 200}"
    assert "the rate stays constant" in schedule_notes(load_recipe("tiny", [decay]), 50)[0]
    assert "the rate is 0 x lr from there" in schedule_notes(load_recipe("tiny", [decay, "training.steps=300"]), 50)[0]
    assert schedule_notes(load_recipe("tiny", [decay, "training.steps=200"]), 50) == []


def test_panels_can_be_asked_for_by_step_and_by_epoch() -> None:
    recipe = load_recipe(
        "tiny", ["training.sample_steps=[1, 7]", "training.sample_epochs=[2]", "training.batch_size=5"]
    )
    assert sample_steps(recipe, 12) == {1, 7, 5}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["method.lambda_adversarial=0"], "there is no discriminator"),
        (["method.kind=regression"], "method.kind=regression has no discriminator"),
        (["generator.levels=2"], "generator.dropout has no effect"),
        (["inference.batch_statistics=true", "generator.norm=instance"], "inference.batch_statistics has no effect"),
        (["method.perceptual=vgg19.pth"], "method.perceptual has no effect: method.lambda_perceptual is 0"),
    ],
)
def test_a_setting_of_the_networks_without_effect_is_said(overrides: list[str], said: str) -> None:
    (note,) = idle_settings(load_recipe("tiny", overrides))
    assert said in note
    assert idle_settings(load_recipe("tiny")) == []


def test_the_note_on_middle_blocks_is_true() -> None:
    assert not any(isinstance(module, nn.Dropout) for module in UNet(1, 2, filters=2, levels=2).modules())
    assert any(isinstance(module, nn.Dropout) for module in UNet(1, 2, filters=2, levels=3).modules())


def test_a_stage_of_l1_that_has_no_effect_or_takes_all_of_the_run_is_said() -> None:
    recipe = load_recipe("tiny", ["method.l1_epochs=2", "training.batch_size=10", "training.steps=20"])
    assert "lasts 20 steps, to this run's end at 20" in schedule_notes(recipe, 100)[0]
    assert schedule_notes(recipe, 50) == []
    assert any("all of the run is L1" in n for n in idle_settings(load_recipe(recipe, ["method.lambda_adversarial=0"])))
