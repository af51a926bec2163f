"""Intervals that hold what they say, scores that reward it, and what several results of a picture are measured by."""

from __future__ import annotations

import numpy as np
import pytest

from tintype.errors import DataError
from tintype.metrics.colour import ciede2000, lab_of
from tintype.metrics.spread import (
    NORMAL_FACTOR,
    Calibration,
    bounds_of,
    coverage,
    diversity,
    fit_factor,
    interval_score,
    marginal_bounds,
    steadied,
    tints,
)


def pictures(count, scale, seed=0):
    """Truth, mean and deviation of pictures whose truth lies `scale` times as far from the mean as they say."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        mean, deviation = random.normal(0, 20, (16, 16, 2)), random.uniform(1, 9, (16, 16, 2))
        yield mean + scale * deviation * random.standard_normal(mean.shape), mean, deviation


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_factor_makes_intervals_hold_nine_tenths_of_other_pictures(scale):
    factor = fit_factor(pictures(20, scale))
    assert factor == pytest.approx(scale * NORMAL_FACTOR, rel=0.05)
    assert Calibration(factor=factor, pictures=20, marginal=((-1, 1), (-1, 1))).widening == pytest.approx(
        scale, rel=0.05
    )
    held = [coverage(truth, *bounds_of(mean, sd, factor)) for truth, mean, sd in pictures(20, scale, seed=1)]
    assert np.mean(held) == pytest.approx(0.9, abs=0.02)


def test_answers_that_are_all_alike_still_have_intervals():
    truth, mean = np.full((2, 2, 2), 3.0), np.zeros((2, 2, 2))
    factor = fit_factor([(truth, mean, np.zeros_like(mean))])
    assert coverage(truth, *bounds_of(mean, np.zeros_like(mean), factor * 1.001)) == 1


def test_the_interval_score_is_width_and_twenty_times_what_lies_outside():
    truth, low, high = np.array([0.0, 5.0, -3.0]), np.full(3, -1.0), np.full(3, 2.0)
    assert interval_score(truth, low, high) == pytest.approx(3 + 20 * (0 + 3 + 2) / 3)


def test_no_other_interval_has_a_lower_score_than_the_true_quantiles():
    truth = np.random.default_rng(0).normal(0, 5, 200_000)
    best = interval_score(truth, *(np.full_like(truth, end) for end in (-5 * NORMAL_FACTOR, 5 * NORMAL_FACTOR)))
    for low, high in ((-7.0, 7.0), (-10.0, 10.0), (-8.2, 10.2)):
        assert interval_score(truth, np.full_like(truth, low), np.full_like(truth, high)) > best


def test_the_marginal_interval_leaves_out_a_twentieth_on_either_side_of_each_channel():
    ramp = np.linspace(0, 1, 1001)
    (a_low, a_high), (b_low, b_high) = marginal_bounds([np.stack([ramp * 100, ramp * -40], axis=-1)])
    assert (a_low, a_high) == pytest.approx((5, 95))
    assert (b_low, b_high) == pytest.approx((-38, -2))


def test_without_pictures_there_is_nothing_to_fit():
    with pytest.raises(DataError, match="no pictures"):
        fit_factor([])
    with pytest.raises(DataError, match="no training pictures"):
        marginal_bounds([])


def test_diversity_is_the_mean_difference_of_all_pairs():
    random = np.random.default_rng(0)
    shown = [random.uniform(0, 1, (4, 5, 3)) for _ in range(3)]
    expected = np.mean([ciede2000(shown[i], shown[j]) for i, j in ((0, 1), (0, 2), (1, 2))])
    assert diversity([lab_of(one) for one in shown]) == pytest.approx(expected)
    assert diversity([lab_of(shown[0])] * 3) == 0


def test_tints_move_all_pixels_alike_and_as_far_as_they_are_told():
    mean = np.random.default_rng(0).normal(0, 10, (3, 4, 5))
    made = tints(mean, np.array([4.0, 25.0]), 4000, np.random.default_rng(1))
    moves = np.array(made) - mean
    assert np.ptp(moves, axis=(2, 3)).max() < 1e-9
    assert np.abs(moves[:, 0]).max() == 0
    assert moves[:, 1:, 0, 0].std(axis=0) == pytest.approx([2, 5], rel=0.05)


def test_a_deviation_is_steadied_by_that_of_its_picture():
    deviation = np.array([[[3.0, 4.0]], [[0.0, 0.0]]])
    np.testing.assert_allclose(steadied(deviation) ** 2, deviation**2 + 25 / 4)
