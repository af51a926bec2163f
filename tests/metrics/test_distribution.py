import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

from tintype.errors import UsageError
from tintype.metrics import Interval, fid, frechet_distance, kid, paired_kid, paired_kid_difference
from tintype.metrics.distribution import kid_difference, kid_of_sets

RNG = np.random.default_rng(0)
REAL = np.maximum(RNG.normal(size=(60, 12)) @ RNG.normal(size=(12, 12)), 0)
FAKE = np.maximum(RNG.normal(size=(50, 12)) @ RNG.normal(size=(12, 12)) + 0.3, 0)
MIXING = RNG.normal(size=(4, 16)) / 2


class Given(torch.nn.Module):
    """A feature extractor for torchmetrics that takes what it is given for features."""

    num_features = 12

    def forward(self, x):
        return x


def test_fid_equals_that_of_torchmetrics():
    metric = FrechetInceptionDistance(feature=Given())
    metric.update(torch.from_numpy(REAL), real=True)
    metric.update(torch.from_numpy(FAKE), real=False)
    assert fid(REAL, FAKE) == pytest.approx(float(metric.compute()), rel=1e-4)


@pytest.mark.parametrize("pictures", [40, 8], ids=["full rank", "fewer pictures than features"])
def test_the_frechet_distance_equals_the_formula_with_a_matrix_root(pictures):
    x, y = REAL[:pictures], FAKE[:pictures]
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    # A little on the diagonal for the general root, which has none of singular matrices.
    root = np.real(sqrtm((a + 1e-12 * np.eye(12)) @ (b + 1e-12 * np.eye(12))))
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(a + b - 2 * root)
    assert fid(x, y) == pytest.approx(expected, rel=1e-4)
    assert frechet_distance(x.mean(0), a, y.mean(0), b) == pytest.approx(fid(x, y), rel=1e-6)


def test_the_frechet_distance_of_known_gaussians_is_the_known_one():
    mean_1, mean_2 = np.zeros(3), np.array([1.0, 2, 2])
    distance = frechet_distance(mean_1, np.diag([1.0, 4, 9]), mean_2, np.diag([4.0, 4, 1]))
    assert distance == pytest.approx(9 + 1 + 0 + 4)


def test_equal_sets_have_no_frechet_distance_and_order_does_not_matter():
    assert fid(REAL, REAL[::-1]) == pytest.approx(0, abs=1e-9)
    assert fid(REAL, FAKE) == pytest.approx(fid(FAKE, REAL))


def test_kid_equals_that_of_torchmetrics_on_the_same_subsets():
    estimate = kid(FAKE, REAL, subsets=7, subset_size=20, seed=3)
    rng = np.random.default_rng(3)
    expected = []
    for _ in range(7):
        x, y = FAKE[rng.choice(50, 20, replace=False)], REAL[rng.choice(60, 20, replace=False)]
        expected.append(float(poly_mmd(torch.from_numpy(x), torch.from_numpy(y))))
    assert estimate.mean == pytest.approx(np.mean(expected), rel=1e-6)
    assert estimate.deviation == pytest.approx(np.std(expected), rel=1e-6)
    assert (estimate.subsets, estimate.subset_size) == (7, 20)


def test_subsets_are_no_larger_than_the_smaller_set():
    estimate = kid(FAKE, REAL[:50], subsets=3)
    assert estimate.subset_size == 50
    assert estimate.deviation == pytest.approx(0, abs=1e-9)
    assert estimate.mean == pytest.approx(float(poly_mmd(torch.from_numpy(FAKE), torch.from_numpy(REAL[:50]))))


def test_the_interval_of_kid_is_that_of_leaving_out_one_picture_after_the_other():
    x, y = FAKE[:9], REAL[:7]

    def mmd(x, y):
        a, b, c = kernel(x, x), kernel(y, y), kernel(x, y)
        n, m = len(x), len(y)
        return (a.sum() - np.trace(a)) / (n * (n - 1)) + (b.sum() - np.trace(b)) / (m * (m - 1)) - 2 * c.mean()

    without_x = [mmd(np.delete(x, i, 0), y) for i in range(9)]
    without_y = [mmd(x, np.delete(y, i, 0)) for i in range(7)]
    half = 1.959964 * np.sqrt(8 * np.var(without_x) + 6 * np.var(without_y))
    estimate = kid(x, y, subsets=2)
    assert estimate.high - estimate.mean == pytest.approx(half, rel=1e-6)
    assert estimate.mean - estimate.low == pytest.approx(half, rel=1e-6)


def test_the_interval_of_kid_holds_the_true_value_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    estimates = [kid(made(rng, 200, 0.6), made(rng, 250, 1), subsets=1) for _ in range(200)]
    truth = np.mean([paired_kid(made(rng, 600, 0.6), made(rng, 600, 1)).mean for _ in range(10)])
    assert 0.91 <= np.mean([e.low <= truth <= e.high for e in estimates]) <= 0.99


def test_paired_kid_is_the_mean_over_pairs_of_different_pictures():
    x, y = FAKE[:6], REAL[:6]
    terms = [
        one_kernel(x[i], x[j]) + one_kernel(y[i], y[j]) - one_kernel(x[i], y[j]) - one_kernel(x[j], y[i])
        for i in range(6)
        for j in range(6)
        if i != j
    ]
    assert paired_kid(x, y).mean == pytest.approx(np.mean(terms))


def test_paired_kid_gives_no_credit_for_being_near_to_the_own_truth():
    copies = REAL + 1e-9
    assert paired_kid(copies, REAL).mean == pytest.approx(0, abs=1e-6)
    assert float(poly_mmd(torch.from_numpy(copies), torch.from_numpy(REAL))) < -1e-2, "the usual one does"


@pytest.mark.parametrize("count", [20, 60])
def test_the_interval_of_paired_kid_holds_the_true_value_as_often_as_it_says(count):
    rng = np.random.default_rng(count)
    truth = np.mean([paired_kid(*pair(rng, 600)).mean for _ in range(12)])
    intervals = [paired_kid(*pair(rng, count)) for _ in range(300)]
    assert 0.91 <= np.mean([i.low <= truth <= i.high for i in intervals]) <= 0.99


def test_where_sets_do_not_differ_the_interval_of_paired_kid_seldom_misses_0():
    rng = np.random.default_rng(1)
    intervals = [paired_kid(made(rng, 30, 1), made(rng, 30, 1)) for _ in range(200)]
    assert np.mean([i.low <= 0 <= i.high for i in intervals]) >= 0.95
    assert abs(np.mean([i.mean for i in intervals])) < 3 * np.std([i.mean for i in intervals]) / np.sqrt(200)


def test_the_difference_is_that_of_the_two_and_sharper_than_they_are():
    rng = np.random.default_rng(2)
    x, y = pair(rng, 80)
    other = x + 0.01 * rng.normal(size=x.shape)
    difference, one, two = paired_kid_difference(x, other, y), paired_kid(x, y), paired_kid(other, y)
    assert difference.mean == pytest.approx(one.mean - two.mean)
    assert difference.high - difference.low < 0.2 * (one.high - one.low)
    assert paired_kid_difference(y[::-1], x, y).high < 0, "the truths themselves look more real"


def test_two_pictures_have_no_interval():
    assert paired_kid(FAKE[:2], REAL[:2]) == Interval(paired_kid(FAKE[:2], REAL[:2]).mean, None, None)
    assert kid(FAKE[:2], REAL).low is None


@pytest.mark.parametrize("measure", [fid, kid, paired_kid])
@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (FAKE[:1], REAL[:1], "at least 2"),
        (FAKE[:5], REAL[:5, :4], "shapes"),
        (np.full((5, 12), np.nan), REAL[:5], "not finite"),
        (FAKE[0], REAL[0], "shapes"),
    ],
)
def test_features_that_cannot_be_compared_are_refused_in_one_line(measure, x, y, message):
    with pytest.raises(UsageError, match=message) as caught:
        measure(x, y)
    assert "\n" not in str(caught.value)


def test_other_mistakes_are_named_too():
    with pytest.raises(UsageError, match="one row for each pair"):
        paired_kid(FAKE[:5], REAL[:6])
    with pytest.raises(UsageError, match="0 subsets"):
        kid(FAKE, REAL, subsets=0)
    with pytest.raises(UsageError, match="shapes"):
        frechet_distance(np.zeros(3), np.eye(3), np.zeros(3), np.eye(2))


def made(rng, count, width):
    """Features as networks make them: not negative, few causes."""
    return np.maximum(width * np.abs(rng.normal(size=(count, 4))) @ MIXING + 0.4 * rng.normal(size=(count, 16)), 0)


def pair(rng, count):
    """Generated pictures that are duller than their truths, and these."""
    causes = np.abs(rng.normal(size=(count, 4))) @ MIXING
    x, y = (np.maximum(width * causes + 0.4 * rng.normal(size=(count, 16)), 0) for width in (0.6, 1))
    return x, y


def kernel(x, y):
    return np.array([[one_kernel(a, b) for b in y] for a in x])


def one_kernel(a, b):
    return (np.dot(a, b) / len(a) + 1) ** 3


def test_kid_of_whole_sets_is_kid_with_one_subset_of_all():
    estimate, whole = kid(REAL[:50], FAKE, subsets=1, subset_size=1000), kid_of_sets(REAL[:50], FAKE)
    for name in ("mean", "low", "high"):
        assert getattr(whole, name) == pytest.approx(getattr(estimate, name), rel=1e-9)


def test_the_difference_of_two_contenders_is_that_of_their_kids_and_its_interval_that_of_leaving_out_one_at_a_time():
    one, other = FAKE[:20], FAKE[:20] + RNG.normal(size=(20, 12)) / 5
    real = REAL[:25]

    def difference(rows, columns):
        return kid_of_sets(one[rows], real[columns]).mean - kid_of_sets(other[rows], real[columns]).mean

    rows, columns = np.arange(20), np.arange(25)
    without = [
        [difference(np.delete(rows, i), columns) for i in rows],
        [difference(rows, np.delete(columns, j)) for j in columns],
    ]
    deviation = sum((len(part) - 1) * np.var(part) for part in without) ** 0.5
    found = kid_difference(one, other, real)
    assert found.mean == pytest.approx(difference(rows, columns), rel=1e-9)
    assert found.high - found.mean == pytest.approx(1.959964 * deviation, rel=1e-5)
    assert found.mean - found.low == pytest.approx(found.high - found.mean)


def test_a_contender_that_moved_towards_the_real_pictures_has_the_lower_kid():
    far = FAKE + 1
    assert kid_difference((far + FAKE) / 2, far, REAL).high < 0
    assert kid_difference(far, far, REAL) == Interval(0, 0, 0)


def test_sets_too_small_for_an_interval_and_contenders_of_other_lengths_are_refused():
    with pytest.raises(UsageError, match="at least 3 of each"):
        kid_of_sets(REAL[:2], FAKE)
    with pytest.raises(UsageError, match="one row for each"):
        kid_difference(FAKE[:5], FAKE[:6], REAL)
