"""Revealed chroma: how often and where, what is shown there, and that it is the same every time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tintype.data.dataset import open_data
from tintype.data.hints import draw_revealed, hint_generator, hints_from
from tintype.image.codec import LabSpace
from tintype.image.color import rgb_to_lab
from tintype.recipe import load_recipe
from tintype.recipe.data import HintsSpec

CPU = torch.device("cpu")
CODEC = LabSpace(grey="lab", stride=4)
RECIPE = ["data.hints={mean: 4, none: 0.25, whole: 0.1}", "training.batch_size=4"]


def generators(count: int) -> list[np.random.Generator]:
    return [hint_generator(0, 0, number) for number in range(count)]


def pictures(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 24, 32, generator=torch.Generator().manual_seed(0))


def test_kinds_of_samples_numbers_and_sides_are_as_often_as_asked() -> None:
    spec = HintsSpec(mean=6, none=0.3, whole=0.1, largest=5)
    drawn = [draw_revealed(spec, 40, 60, random) for random in generators(4000)]
    shares = {kind: sum(one.kind == kind for one in drawn) / len(drawn) for kind in ("nothing", "all", "squares")}
    assert shares == pytest.approx({"nothing": 0.3, "all": 0.1, "squares": 0.6}, abs=0.03)
    counts = [len(one.squares) for one in drawn if one.kind == "squares"]
    assert min(counts) == 1
    assert np.mean(counts) == pytest.approx(6, rel=0.05)
    assert np.mean(np.array(counts) > 6) == pytest.approx((5 / 6) ** 6, abs=0.03), "numbers are geometric"
    top, left, side = np.concatenate([one.squares for one in drawn]).T
    assert np.bincount(side)[1:] / len(side) == pytest.approx(np.full(5, 0.2), abs=0.02)
    assert (top >= 0).all() and (top + side <= 40).all() and (left >= 0).all() and (left + side <= 60).all()
    assert np.mean(top / (40 - side)) == pytest.approx(0.5, abs=0.02)
    assert top.min() == left.min() == 0 and (top + side).max() == 40 and (left + side).max() == 60


def test_squares_show_the_mean_chroma_of_their_pixels_and_the_rest_nothing() -> None:
    shown, spec = pictures(40), HintsSpec(mean=3, none=0, whole=0, largest=6)
    hints = hints_from(shown, CODEC, spec, generators(40))
    assert hints.shape == (40, 3, 24, 32)
    assert set(hints[:, 2].unique().tolist()) == {0, 1}
    assert hints[:, :2][(hints[:, 2:] == 0).expand(-1, 2, -1, -1)].abs().max() == 0
    chroma = rgb_to_lab(shown)[:, 1:] / 110
    for picture, random in enumerate(generators(40)):
        top, left, side = draw_revealed(spec, 24, 32, random).squares[-1]  # the last one lies on top
        window = np.s_[picture, :2, top : top + side, left : left + side]
        mean = chroma[window].mean((1, 2), keepdim=True)
        torch.testing.assert_close(hints[window], mean.expand(-1, side, side))


def test_now_and_then_nothing_or_all_is_shown() -> None:
    shown = pictures(2)
    assert hints_from(shown, CODEC, HintsSpec(mean=1, none=1, whole=0), generators(2)).abs().max() == 0
    hints = hints_from(shown, CODEC, HintsSpec(mean=1, none=0, whole=1), generators(2))
    torch.testing.assert_close(hints[:, :2], rgb_to_lab(shown)[:, 1:] / 110)
    assert hints[:, 2].min() == 1


def test_a_batch_follows_from_its_step_in_shares_too(picture_set) -> None:
    data = open_data(load_recipe("tiny", [f"data.path={picture_set}", *RECIPE]))
    source, target, hints = data.batch(3, CPU)
    assert hints.shape == (*source.shape[:1], 3, *source.shape[2:])
    assert torch.equal(hints, data.batch(3, CPU)[2])
    parts = [data.batch(3, CPU, (part, 2))[2] for part in range(2)]
    assert torch.equal(torch.cat(parts), hints)
    assert not torch.equal(data.batch(3 + len(data.split.train), CPU)[2], hints), "another epoch reveals other places"
    plain = open_data(load_recipe("tiny", [f"data.path={picture_set}", RECIPE[1]])).batch(3, CPU)
    assert len(plain) == 2
    assert torch.equal(plain[0], source) and torch.equal(plain[1], target), "hints change nothing else"
