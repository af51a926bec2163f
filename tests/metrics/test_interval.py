import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

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
def test_the_interval_equals_that_of_scipy_but_for_the_random_draws(sample):
    values = getattr(np.random.default_rng(3), sample)(size=25)
    expected = bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1))
    interval = bootstrap_interval(values, resamples=20_000)
    width = expected.confidence_interval.high - expected.confidence_interval.low
    assert interval.low == pytest.approx(expected.confidence_interval.low, abs=0.02 * width)
    assert interval.high == pytest.approx(expected.confidence_interval.high, abs=0.02 * width)


def test_the_interval_covers_the_true_mean_about_as_often_as_documented():
    rng = np.random.default_rng(0)
    intervals = [bootstrap_interval(rng.normal(size=20), resamples=400, seed=i) for i in range(300)]
    covered = np.mean([i.low <= 0 <= i.high for i in intervals])
    assert 0.89 <= covered <= 0.97


def test_equal_calls_give_equal_intervals_and_seeds_matter():
    values = np.random.default_rng(0).normal(size=12)
    assert bootstrap_interval(values, seed=4) == bootstrap_interval(values, seed=4)
    assert bootstrap_interval(values, seed=4) != bootstrap_interval(values, seed=5)


def test_one_value_has_no_interval_and_equal_values_have_one_of_no_width():
    assert bootstrap_interval([3.5]) == Interval(3.5, None, None)
    assert bootstrap_interval([0.1, 0.1, 0.1]) == Interval(pytest.approx(0.1), pytest.approx(0.1), pytest.approx(0.1))


def test_a_higher_level_gives_a_wider_interval():
    values = np.random.default_rng(0).normal(size=15)
    narrow, wide = bootstrap_interval(values, level=0.5), bootstrap_interval(values, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high
