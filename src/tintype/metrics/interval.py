"""Means over pictures with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the 95 % interval around it; `low` and `high` are None where one value leaves nothing to resample."""

    mean: float
    low: float | None
    high: float | None


def bootstrap_interval(
    values: Sequence[float] | np.ndarray, *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Mean of `values` with its bias-corrected and accelerated bootstrap interval (BCa; Efron 1987).

    The values are what varies independently, one for each picture. For paired comparisons pass the differences.

    Args:
        values: At least one finite number.
        resamples: Number of bootstrap resamples.
        seed: Seed of the resampling; equal arguments give equal intervals.
        level: Coverage aimed at. With few values the true one is lower than 95 %: 90 % for 10 and 93 % for 20 normal
            values, 88 % and 91 % for exponential ones.
    """
    x = np.asarray(values, dtype=np.float64)
    mean = float(x.mean())
    if len(x) == 1:
        return Interval(mean, None, None)
    deviations = x - mean
    scale = np.square(deviations).sum()
    if scale <= (1e-12 * max(1.0, abs(mean))) ** 2:
        return Interval(mean, mean, mean)
    picks = np.random.default_rng(seed).integers(len(x), size=(resamples, len(x)))
    means = x[picks].mean(axis=1)

    normal = NormalDist()
    # Ties count half, and one end is kept open: the normal quantile of 0 or 1 would be infinite.
    below = np.mean(means < mean) + np.mean(means == mean) / 2
    bias = normal.inv_cdf(float(np.clip(below, 1 / resamples, 1 - 1 / resamples)))
    acceleration = float((deviations**3).sum() / (6 * scale**1.5))
    probabilities = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        shifted = bias + normal.inv_cdf(tail)
        probabilities.append(normal.cdf(bias + shifted / (1 - acceleration * shifted)))
    low, high = np.quantile(means, probabilities)
    return Interval(mean, float(low), float(high))
