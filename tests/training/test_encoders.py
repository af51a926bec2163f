"""Encoders while the rest trains: frozen, frozen at first, or with a rate of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tintype.console import Reporter
from tintype.methods import Method, build_method
from tintype.recipe import Recipe, load_recipe
from tintype.training import train
from tintype.training.checkpoint import load_checkpoint
from tintype.training.encoders import Encoders, encoder_of

BASE = ["training.steps=4", "training.ema=0", "training.checkpoint_every=2", "training.validate_every=100"]


def states(run: Path, recipe: Recipe) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The generator's weights before the first step and in the last checkpoint."""
    torch.manual_seed(recipe.training.seed)
    before = build_method(recipe).networks["generator"].state_dict()
    return before, load_checkpoint(run / "checkpoints/last.pt")["networks"]["generator"]


def trained(tmp_path: Path, pictures: Path, *more: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    recipe = load_recipe("tiny", [f"data.path={pictures}", *BASE, *more])
    assert train(recipe, tmp_path / "run", reporter=Reporter(quiet=True))
    return states(tmp_path / "run", recipe)


@pytest.mark.usefixtures("nothing_shipped")
def test_a_frozen_encoder_keeps_weights_and_statistics_while_the_decoder_learns(
    tmp_path: Path, picture_set: Path
) -> None:
    before, after = trained(tmp_path, picture_set, "optimiser.encoder_lr=0")
    inside = [name for name in before if name.startswith("down.")]
    assert any("running_mean" in name for name in inside)
    assert all(torch.equal(before[name], after[name]) for name in inside)
    others = [name for name in before if name.startswith("up.") and name.endswith("weight")]
    assert others
    assert not any(torch.equal(before[name], after[name]) for name in others)


@pytest.mark.usefixtures("nothing_shipped")
def test_an_encoder_that_is_frozen_at_first_learns_afterwards(tmp_path: Path, picture_set: Path) -> None:
    recipe = load_recipe("tiny", [f"data.path={picture_set}", *BASE, "optimiser.encoder_frozen_steps=2"])
    for steps in (2, 4):
        longer = load_recipe(recipe, [f"training.steps={steps}"])
        assert train(longer, tmp_path / "run", reporter=Reporter(quiet=True))
        before, after = states(tmp_path / "run", recipe)
        inside = [name for name in before if name.startswith("down.") and before[name].is_floating_point()]
        assert all(torch.equal(before[name], after[name]) == (steps == 2) for name in inside)


@pytest.mark.usefixtures("nothing_shipped")
def test_freezing_holds_across_an_interruption_bit_for_bit(tmp_path: Path, picture_set: Path) -> None:
    settings = [f"data.path={picture_set}", *BASE, "optimiser.encoder_frozen_steps=3", "training.validate_every=2"]
    assert train("tiny", tmp_path / "whole", settings, reporter=Reporter(quiet=True))
    for steps in (2, 4):
        assert train("tiny", tmp_path / "parts", [*settings, f"training.steps={steps}"], reporter=Reporter(quiet=True))
    whole, parts = (
        load_checkpoint(tmp_path / name / "checkpoints/last.pt")["networks"]["generator"] for name in ("whole", "parts")
    )
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def generators_of(overrides: list[str]) -> tuple[Method, Encoders]:
    recipe = load_recipe("tiny", overrides)
    method = build_method(recipe)
    return method, Encoders(method, recipe.optimiser)


def test_a_rate_of_its_own_makes_a_group_of_the_encoder_alone() -> None:
    method, encoders = generators_of(["optimiser.encoder_lr=1e-5", "optimiser.lr=1e-3"])
    generator = method.networks["generator"]
    (others, rate), (apart, own) = encoders.groups([generator], 1e-3)
    assert (rate, own) == (1e-3, 1e-5)
    assert {id(one) for one in apart} == {id(one) for part in encoder_of(generator) for one in part.parameters()}
    assert len(others) + len(apart) == len(list(generator.parameters()))


def test_without_one_all_parameters_are_one_group_as_ever() -> None:
    method, encoders = generators_of([])
    groups = encoders.groups([method.networks["generator"]], 1e-3)
    assert [(len(group), rate) for group, rate in groups] == [
        (len(list(method.networks["generator"].parameters())), 1e-3)
    ]


@pytest.mark.parametrize(
    "generator",
    ["{kind: unet, levels: 3}", "{kind: resnet, blocks: 1}", "{kind: unet, levels: 3, bottleneck_blocks: 1}"],
)
def test_every_generator_says_what_its_encoder_is(generator: str) -> None:
    method, encoders = generators_of([f"generator={generator}", "codec.chroma_size=null", "optimiser.encoder_lr=0"])
    network = method.networks["generator"]
    inside = sum(one.numel() for part in encoders.frozen(10) for one in part.parameters())
    assert 0 < inside < sum(one.numel() for one in network.parameters())
