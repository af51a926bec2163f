import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.metrics import Interval, bootstrap_interval


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.floats(-100, 100), min_size=2, max_size=30), seed=st.integers(0, 100))
def test_the_interval_contains_the_mean_and_stays_within_the_values(values, seed):
    interval = bootstrap_interval(values, seed=seed, resamples=500)
    assert interval.mean == pytest.approx(np.mean(values))
    assert interval.low <= interval.mean + 1e-9
    assert interval.high >= interval.mean - 1e-9
    assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9


@pytest.mark.parametrize("sample", ["normal", "exponential"])
def test_the_interval_equals_the_textbook_one_but_for_the_random_draws(sample):
    values = getattr(np.random.default_rng(3), sample)(size=25)
    interval = bootstrap_interval(values, resamples=20_000)
    low, high = studentised(values, resamples=20_000)
    assert interval.low == pytest.approx(low, abs=0.03 * (high - low))
    assert interval.high == pytest.approx(high, abs=0.03 * (high - low))


@pytest.mark.parametrize(("sample", "truth"), [("normal", 0), ("exponential", 1)])
@pytest.mark.parametrize("count", [20, 50])
def test_the_true_mean_is_covered_as_often_as_promised(sample, truth, count):
    draws = getattr(np.random.default_rng(count), sample)(size=(500, count))
    intervals = [bootstrap_interval(values, resamples=600, seed=i) for i, values in enumerate(draws)]
    covered = np.mean([i.low <= truth <= i.high for i in intervals])
    assert 0.92 <= covered <= 0.98


def test_the_interval_of_skewed_values_reaches_further_to_their_long_side():
    interval = bootstrap_interval(np.random.default_rng(0).exponential(size=30))
    assert interval.high - interval.mean > 1.2 * (interval.mean - interval.low)


def test_many_values_are_resampled_in_blocks_and_none_is_lost():
    values = np.random.default_rng(1).normal(size=3000)
    interval = bootstrap_interval(values)
    half = 1.96 * values.std(ddof=1) / np.sqrt(3000)
    assert interval.low == pytest.approx(interval.mean - half, abs=0.1 * half)
    assert interval.high == pytest.approx(interval.mean + half, abs=0.1 * half)


def test_equal_calls_give_equal_intervals_and_seeds_matter():
    values = np.random.default_rng(0).normal(size=12)
    assert bootstrap_interval(values, seed=4) == bootstrap_interval(values, seed=4)
    assert bootstrap_interval(values, seed=4) != bootstrap_interval(values, seed=5)


def test_one_value_has_no_interval_and_equal_values_have_one_of_no_width():
    assert bootstrap_interval([3.5]) == Interval(3.5, None, None)
    assert bootstrap_interval([0.1, 0.1, 0.1]) == Interval(pytest.approx(0.1), pytest.approx(0.1), pytest.approx(0.1))


def test_two_values_are_the_ends_of_their_interval():
    assert bootstrap_interval([1.0, 3.0]) == Interval(2.0, 1.0, 3.0)


def test_a_higher_level_gives_a_wider_interval():
    values = np.random.default_rng(0).normal(size=15)
    narrow, wide = bootstrap_interval(values, level=0.5), bootstrap_interval(values, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def studentised(values, resamples):
    """Bootstrap-t as the textbooks say it, one resample at a time."""
    rng = np.random.default_rng(1)
    error = values.std(ddof=1) / np.sqrt(len(values))
    ratios = []
    for _ in range(resamples):
        drawn = rng.choice(values, size=len(values))
        ratios.append((drawn.mean() - values.mean()) / (drawn.std(ddof=1) / np.sqrt(len(values))))
    low, high = np.quantile(ratios, [0.025, 0.975])
    return values.mean() - high * error, values.mean() - low * error
