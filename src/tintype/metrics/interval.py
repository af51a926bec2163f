"""Means over pictures with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_DRAWS_AT_A_TIME = 1 << 18  # so that a block stays in the cache
_VAST = 1e9


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the 95 % interval around it; `low` and `high` are None where one value leaves nothing to resample."""

    mean: float
    low: float | None
    high: float | None


def bootstrap_interval(
    values: Sequence[float] | np.ndarray, *, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Mean of `values` with its studentised bootstrap interval (bootstrap-t; Efron 1982, Hall 1988).

    The values are what varies independently, one for each picture. For paired comparisons pass the differences.
    Of the intervals whose ends are resampled, this is the one that keeps its promise where values are few and skewed:
    see `benchmarks/interval_coverage.py`.

    Args:
        values: At least one finite number.
        resamples: Number of bootstrap resamples.
        seed: Seed of the resampling; equal arguments give equal intervals.
        level: Coverage aimed at. It is reached from about 20 values on; with 6 heavily skewed ones 95 % means 87 %.

    Returns:
        Ends are never beyond the smallest and largest value: with fewer than 6 values, where resampling says little,
        they are mostly these two.
    """
    x = np.asarray(values, dtype=np.float64)
    mean = float(x.mean())
    if len(x) == 1:
        return Interval(mean, None, None)
    scale = float(x.std())
    if scale <= 1e-12 * max(1.0, abs(mean)):
        return Interval(mean, mean, mean)
    ratios = _studentised_means((x - mean) / scale, resamples, np.random.default_rng(seed))
    # A high ratio comes from a resample whose mean is too high: it tells how far the truth may lie below.
    above, below = np.quantile(ratios, ((1 + level) / 2, (1 - level) / 2))
    return Interval(
        mean, max(mean - float(above) * scale, float(x.min())), min(mean - float(below) * scale, float(x.max()))
    )


def _studentised_means(x: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Mean over deviation of resamples of values with mean 0 and variance 1; vast where all picks are equal."""
    block = max(1, _DRAWS_AT_A_TIME // len(x))
    ratios = []
    for start in range(0, resamples, block):
        drawn = x[rng.integers(len(x), size=(min(block, resamples - start), len(x)))]
        means = drawn.mean(axis=1)
        variances = np.einsum("rn,rn->r", drawn, drawn) / len(x) - means**2
        ratios.append(np.where(variances > 1e-12, means / np.sqrt(np.maximum(variances, 1e-12)), means * _VAST))
    return np.concatenate(ratios)
