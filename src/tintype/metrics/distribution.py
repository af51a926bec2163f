"""How far the distribution of generated pictures is from that of real ones, by their features: KID, FID.

Features are arrays `n k`, a row for each picture, from a network of `tintype.metrics.features`. Figures from different
networks, resize kernels or (FID) numbers of pictures must not be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from tintype.errors import UsageError
from tintype.metrics.interval import Interval, bootstrap_interval

_ROWS_AT_A_TIME = 1024  # of a kernel matrix: 40 MB beside 5,000 pictures


@dataclass(frozen=True, slots=True)
class KidEstimate:
    """KID as it is usually given: mean and standard deviation over subsets, with the interval of the mean.

    `deviation` says how subsets of `subset_size` pictures scatter, `low` and `high` how far chance in the choice of all
    pictures may have moved the mean; None where a set has fewer than 3.
    """

    mean: float
    deviation: float
    low: float | None
    high: float | None
    subsets: int
    subset_size: int


def kid(x: np.ndarray, y: np.ndarray, *, subsets: int = 100, subset_size: int = 1000, seed: int = 0) -> KidEstimate:
    """Kernel inception distance of two independent sets (Binkowski, Sutherland, Arbel & Gretton 2018).

    The unbiased estimate of the squared maximum mean discrepancy under the kernel (a.b / k + 1)^3, so it may be
    negative; averaged over random subsets. The 95 % interval is normal, with the delete-one jackknife variance of the
    estimate over all pictures; it takes some 200 of them to hold what it says.

    Args:
        x: Features `n k`.
        y: Features `m k` of the other set.
        subsets: Number of subsets.
        subset_size: Pictures of each set in a subset, drawn without replacement; all of a set that has fewer.
        seed: Seed of the draws: for each subset first the rows of `x`, then those of `y`.

    Raises:
        UsageError: A set has fewer than 2 rows, the widths differ, something is not finite, or there are no subsets.
    """
    x, y = _features("kid", x, y)
    if subsets < 1 or subset_size < 2:
        raise UsageError(f"kid: {subsets} subsets of {subset_size} pictures, at least 1 of 2 are needed")
    rng = np.random.default_rng(seed)
    size = min(subset_size, len(x), len(y))
    estimates = []
    for _ in range(subsets):
        a, b = x[rng.choice(len(x), size, replace=False)], y[rng.choice(len(y), size, replace=False)]
        within = [(_kernel(s, s).sum() - _own(s).sum()) / (size * (size - 1)) for s in (a, b)]
        estimates.append(sum(within) - 2 * _kernel(a, b).mean())
    mean, deviation = float(np.mean(estimates)), float(np.std(estimates))
    if min(len(x), len(y)) < 3:
        return KidEstimate(mean, deviation, None, None, subsets, size)
    half = NormalDist().inv_cdf(0.975) * float(np.sqrt(_jackknife_variance(x, y) + _jackknife_variance(y, x)))
    return KidEstimate(mean, deviation, mean - half, mean + half, subsets, size)


def kid_of_sets(x: np.ndarray, y: np.ndarray) -> Interval:
    """`kid` of all pictures of two independent sets at once, without subsets, with the same 95 % interval.

    Args:
        x: Features `n k`.
        y: Features `m k` of the other set.

    Raises:
        UsageError: A set has fewer than 3 rows, the widths differ, or something is not finite.
    """
    x, y = _features("kid_of_sets", x, y)
    return _two_sample(_terms_within(x), _kernel(x, y), _terms_within(y))


def kid_difference(x1: np.ndarray, x2: np.ndarray, y: np.ndarray) -> Interval:
    """`kid_of_sets` of one contender minus that of another, from the same pictures; below 0: the first is nearer.

    Args:
        x1: Features `n k` of what the first contender made of n pictures.
        x2: Those of the second, of the same pictures in the same order.
        y: Features `m k` of real pictures, which are partners of none of these.

    Raises:
        UsageError: As for `kid_of_sets`, or the contenders have different numbers of rows.
    """
    if np.shape(x1) != np.shape(x2):
        raise UsageError(f"kid_difference: features of shapes {np.shape(x1)} and {np.shape(x2)}: one row for each")
    x1, y = _features("kid_difference", x1, y)
    x2, _ = _features("kid_difference", x2, y)
    within = _terms_within(x1) - _terms_within(x2)
    return _two_sample(within, _kernel(x1, y) - _kernel(x2, y), np.zeros((len(y), len(y))))


def paired_kid(x: np.ndarray, y: np.ndarray) -> Interval:
    """KID of generated pictures and the true pictures that each of them stands for, with its 95 % interval.

    The unbiased statistic of Gretton et al. (2012), equation 4: the mean over pairs of *different* pictures i and j of
    k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i). A picture is never compared with its own truth, so
    being near to it is no merit here, and 0 is expected of any set that looks like real pictures. All pictures are
    used at once, which makes this the measure for small sets. The interval is `bootstrap_interval` of the
    jackknife's pseudo-values, one for each picture; where the sets hardly differ it is wider than need be.

    Args:
        x: Features `n k` of generated pictures.
        y: Features `n k` of the truths, in the same order.

    Raises:
        UsageError: The shapes differ, there are fewer than 2 rows, or something is not finite.
    """
    return _u_statistic(_pair_terms("paired_kid", x, y))


def paired_kid_difference(x1: np.ndarray, x2: np.ndarray, y: np.ndarray) -> Interval:
    """`paired_kid` of one contender minus that of another over the same pictures; below 0: the first looks more real.

    Args:
        x1: Features `n k` of the first contender's pictures.
        x2: Those of the second, in the same order.
        y: Those of the truths.

    Raises:
        UsageError: As for `paired_kid`.
    """
    name = "paired_kid_difference"
    return _u_statistic(_pair_terms(name, x1, y) - _pair_terms(name, x2, y))


def fid(x: np.ndarray, y: np.ndarray) -> float:
    """Frechet distance of Gaussians fitted to two sets of features (Heusel et al. 2017): FID, if they are Inception's.

    Biased upwards, the more the fewer pictures there are: sets of other sizes than those of a published figure cannot
    be compared with it, and below some thousand pictures KID is the better measure.

    Args:
        x: Features `n k`.
        y: Features `m k` of the other set.

    Raises:
        UsageError: A set has fewer than 2 rows, the widths differ, or something is not finite.
    """
    x, y = _features("fid", x, y)
    # Triangular factors of the covariances: never more than k rows, and no squaring of what may be ill-conditioned.
    a, b = (np.linalg.qr((s - s.mean(axis=0)) / np.sqrt(len(s) - 1), mode="r") for s in (x, y))
    return _frechet(x.mean(axis=0) - y.mean(axis=0), np.asarray(a), np.asarray(b))


def frechet_distance(
    mean_1: np.ndarray, covariance_1: np.ndarray, mean_2: np.ndarray, covariance_2: np.ndarray
) -> float:
    """Squared Frechet (2-Wasserstein) distance of two Gaussians (Dowson & Landau 1982), for statistics from elsewhere.

    Args:
        mean_1: Mean `k`.
        covariance_1: Covariance `k k`, symmetric; eigenvalues below 0, as rounding leaves them, count as 0.
        mean_2: Mean of the other.
        covariance_2: Covariance of the other.

    Raises:
        UsageError: The shapes do not fit together.
    """
    k = np.shape(mean_1)
    if len(k) != 1 or np.shape(mean_2) != k or not np.shape(covariance_1) == np.shape(covariance_2) == k * 2:
        shapes = ", ".join(str(np.shape(s)) for s in (mean_1, covariance_1, mean_2, covariance_2))
        raise UsageError(f"frechet_distance: shapes {shapes} were given, (k,), (k, k), (k,), (k, k) are needed")
    factors = []
    for covariance in (covariance_1, covariance_2):
        values, vectors = np.linalg.eigh(np.asarray(covariance, dtype=np.float64))
        factors.append(np.sqrt(np.maximum(values, 0))[:, None] * vectors.T)
    return _frechet(np.subtract(mean_1, mean_2, dtype=np.float64), *factors)


def _frechet(shift: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """The distance, from factors with a^T a and b^T b the covariances.

    The trace of the root of their product is then the sum of the singular values of a b^T: the squares of these are the
    eigenvalues of the product.
    """
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(max(shift @ shift + np.square(a).sum() + np.square(b).sum() - 2 * cross, 0))


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(a_i.b_j / k + 1)^3 for all i and j; products, because the general power is many times slower."""
    base = a @ b.T / a.shape[1] + 1
    return base * base * base


def _own(a: np.ndarray) -> np.ndarray:
    """The kernel of each row with itself."""
    return (np.square(a).sum(axis=1) / a.shape[1] + 1) ** 3


def _jackknife_variance(x: np.ndarray, y: np.ndarray) -> float:
    """What leaving out one row of `x` after the other says about the variance of the two-sample estimate."""
    n = len(x)
    blocks = [x[start : start + _ROWS_AT_A_TIME] for start in range(0, n, _ROWS_AT_A_TIME)]
    within = np.concatenate([_kernel(block, x).sum(axis=1) for block in blocks]) - _own(x)
    across = np.concatenate([_kernel(block, y).sum(axis=1) for block in blocks])
    without = (within.sum() - 2 * within) / ((n - 1) * (n - 2)) - 2 * (across.sum() - across) / ((n - 1) * len(y))
    return float((n - 1) * np.var(without))


def _terms_within(x: np.ndarray) -> np.ndarray:
    """The kernel of all pairs of different rows; the diagonal is 0."""
    terms = _kernel(x, x)
    np.fill_diagonal(terms, 0)
    return terms


def _two_sample(within_x: np.ndarray, across: np.ndarray, within_y: np.ndarray) -> Interval:
    """Mean of the terms within either set, less twice those across `n m`, and its interval by the jackknife."""
    n, m = across.shape
    if min(n, m) < 3:
        raise UsageError(f"kid: features of {n} and {m} pictures, at least 3 of each are needed for an interval")
    mean = within_x.sum() / (n * (n - 1)) + within_y.sum() / (m * (m - 1)) - 2 * across.mean()
    variance = 0.0
    for within, cross in ((within_x, across), (within_y, across.T)):
        own, others = cross.shape
        rows, crossing = within.sum(axis=1), cross.sum(axis=1)
        without = (rows.sum() - 2 * rows) / ((own - 1) * (own - 2))
        without = without - 2 * (crossing.sum() - crossing) / ((own - 1) * others)
        variance += float((own - 1) * np.var(without))
    half = NormalDist().inv_cdf(0.975) * variance**0.5
    return Interval(float(mean), float(mean - half), float(mean + half))


def _pair_terms(name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Symmetric `n n`: what each pair of different pictures adds to the statistic; the diagonal is 0."""
    if np.shape(x) != np.shape(y):
        raise UsageError(f"{name}: features of shapes {np.shape(x)} and {np.shape(y)}: one row for each pair is needed")
    x, y = _features(name, x, y)
    cross = _kernel(x, y)
    terms = _kernel(x, x) + _kernel(y, y) - cross - cross.T
    np.fill_diagonal(terms, 0)
    return terms


def _u_statistic(terms: np.ndarray) -> Interval:
    """Mean of the terms off the diagonal, and its interval."""
    n = len(terms)
    sums = terms.sum(axis=1)
    mean = float(sums.sum() / (n * (n - 1)))
    if n == 2:
        return Interval(mean, None, None)
    without = (sums.sum() - 2 * sums) / ((n - 1) * (n - 2))
    interval = bootstrap_interval(n * mean - (n - 1) * without)
    return Interval(mean, interval.low, interval.high)


def _features(name: str, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sets as float64, checked."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or x.shape[1] == 0:
        raise UsageError(f"{name}: features of shapes {x.shape} and {y.shape}: arrays `n k` of one width are needed")
    if min(len(x), len(y)) < 2:
        raise UsageError(f"{name}: features of {len(x)} and {len(y)} pictures, at least 2 of each are needed")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise UsageError(f"{name}: features that are not finite cannot be compared: the network or its input is broken")
    return x, y
