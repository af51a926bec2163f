"""Damaged sources: how much is lost, and that it is the same every time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tintype.data.damage import damage_generator, damaged
from tintype.data.dataset import open_data
from tintype.recipe import load_recipe
from tintype.recipe.data import DamageSpec

CPU = torch.device("cpu")


def generators(count: int, start: int = 0) -> list[np.random.Generator]:
    return [damage_generator(0, 0, start + number) for number in range(count)]


def test_as_large_a_share_as_asked_is_replaced_in_squares() -> None:
    whole = torch.full((64, 1, 60, 44), 0.25)
    holes = damaged(whole, DamageSpec(mask=0.4, patch=7), generators(64)) == 0.5
    assert holes.float().mean().item() == pytest.approx(0.4, abs=0.02)
    along = (holes[..., 1:] != holes[..., :-1]).any(dim=2)[:, 0]  # columns in which squares begin or end
    assert all(len({int(column) % 7 for column in one.nonzero().flatten()}) <= 1 for one in along)
    assert len({one.numpy().tobytes() for one in holes}) == 64, "each picture has holes of its own"


def test_noise_has_the_deviation_that_was_asked_and_stays_in_range() -> None:
    noisy = damaged(torch.full((8, 3, 64, 64), 0.5), DamageSpec(noise=0.1), generators(8))
    assert noisy.std().item() == pytest.approx(0.1, rel=0.02)
    bright = damaged(torch.ones(2, 1, 32, 32), DamageSpec(noise=0.5), generators(2))
    assert bright.min() >= 0
    assert bright.max() <= 1


RECIPE = ["codec={kind: gray}", "data.damage={mask: 0.5, patch: 4, noise: 0.1}", "generator.levels=3"]


def test_a_batch_follows_from_its_step_in_shares_too(picture_set) -> None:
    data = open_data(load_recipe("tiny", [f"data.path={picture_set}", *RECIPE, "training.batch_size=4"]))
    source, target = data.batch(3, CPU)
    again, _ = data.batch(3, CPU)
    assert torch.equal(source, again)
    assert not torch.equal(source, target)
    parts = [data.batch(3, CPU, (part, 2))[0] for part in range(2)]
    assert torch.equal(torch.cat(parts), source)
    later, _ = data.batch(3 + len(data.split.train), CPU)
    assert not torch.equal(later, source), "another epoch loses other places"


def test_pictures_that_are_judged_lose_the_same_every_time(picture_set) -> None:
    recipe = load_recipe("tiny", [f"data.path={picture_set}", *RECIPE])
    one, two = (next(open_data(recipe).pictures("validation", 32)) for _ in range(2))
    assert np.array_equal(one.source, two.source)
    assert (one.source == 0.5).mean() == pytest.approx(0.5, abs=0.2)
    assert one.source.shape == (32, 32, 1)
