"""Many results of one picture: how far they differ, and whether the truth lies among them as often as they say.

A prediction interval of chroma is the mean of several answers plus and minus a factor times their standard deviation,
at each pixel, for a* and b* each, steadied by that of the whole picture. The factor is fitted once, on pictures that
the model did not learn from (split conformal prediction with normalised residuals; Lei et al. 2018).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tintype.errors import DataError
from tintype.metrics.colour import delta_e_2000
from tintype.metrics.interval import Interval

LEVEL = 0.9
"""Share of pixels that intervals are to hold."""

PASSES = 16
"""Answers that an interval is made of."""

NORMAL_FACTOR = NormalDist().inv_cdf((1 + LEVEL) / 2)
"""Standard deviations on either side that hold `LEVEL` of a normal distribution: the factor of no calibration."""

_SMALLEST = 0.01  # of a standard deviation, in units of a* and b*: answers that are all alike are never quite sure

Bounds = tuple[float, float]


class Calibration(BaseModel):
    """What is measured on pictures that the model did not learn from, kept in the model file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    factor: Annotated[float, Field(ge=0)] = Field(
        description="Standard deviations on either side of the mean that held 90 % of the validation pixels."
    )
    passes: int = Field(PASSES, ge=2, le=1000, description="Answers that means and standard deviations are taken over.")
    pictures: int = Field(ge=1, description="Validation pictures that the factor was fitted on.")
    marginal: tuple[Bounds, Bounds] = Field(
        description="The middle 90 % of all a* and of all b* of the training pictures, whatever the picture."
    )

    @property
    def widening(self) -> float:
        """How many times as wide as for normal answers that are drawn from the truth's own distribution."""
        return self.factor / NORMAL_FACTOR


@dataclass(frozen=True, slots=True)
class Spread:
    """Several results of each judged picture; PSNR in dB, means over pictures.

    `single` is the PSNR of one result, on average over those of a picture; `mean` that of the picture of their mean
    chroma; `best` that of the best of them, and `best_tint` that of the best of as many pictures of the mean chroma,
    each moved by one random (a*, b*) of the same variance. `diversity` is the mean CIEDE2000 between two results of a
    picture. The others are about the intervals of chroma, where the model file holds a calibration: how many pixels
    they hold with it and without, their score (Gneiting & Raftery 2007, eq. 43; in units of a* and b*, lower is
    better), and the same of the one interval for all that the training set gives.
    """

    samples: int
    seed: int
    pictures: int
    single: Interval
    mean: Interval
    best: Interval
    best_tint: Interval
    best_over_single: Interval
    best_over_tint: Interval
    diversity: Interval
    level: float = LEVEL
    factor: float | None = None
    coverage: Interval | None = None
    coverage_uncalibrated: Interval | None = None
    interval_score: Interval | None = None
    marginal_coverage: Interval | None = None
    marginal_score: Interval | None = None
    score_over_marginal: Interval | None = None


def fit_factor(answers: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]], level: float = LEVEL) -> float:
    """The factor on standard deviations with which intervals hold `level` of the pixels.

    Args:
        answers: For each picture truth, mean and standard deviation of chroma, all of one shape.
        level: Between 0 and 1.

    Raises:
        DataError: There are no pictures.
    """
    ratios = [(np.abs(truth - mean) / np.maximum(deviation, _SMALLEST)).ravel() for truth, mean, deviation in answers]
    if not ratios:
        raise DataError("calibration: no pictures to fit intervals on, at least one is needed")
    return float(np.quantile(np.concatenate(ratios), level))


def marginal_bounds(chroma: Iterable[np.ndarray], level: float = LEVEL) -> tuple[Bounds, Bounds]:
    """Quantiles of all a* and of all b* that leave out equal shares on either side; pictures are `... 2`.

    Raises:
        DataError: There are no pictures.
    """
    planes = [one.reshape(-1, 2).astype(np.float32) for one in chroma]
    if not planes:
        raise DataError("calibration: no training pictures, at least one is needed")
    low, high = np.quantile(np.concatenate(planes), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))


def steadied(deviation: np.ndarray) -> np.ndarray:
    """Standard deviations of a picture's pixels, joined with what they are over the picture.

    Sixteen answers may agree at a pixel by chance, or be wrong alike; the rest of the picture says how likely that is.
    """
    squares = np.square(deviation)
    return np.asarray(np.sqrt(squares + squares.mean()))


def bounds_of(mean: np.ndarray, deviation: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the intervals around means."""
    half = factor * np.maximum(deviation, _SMALLEST)
    return mean - half, mean + half


def coverage(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Share of values within their intervals."""
    return float(((truth >= low) & (truth <= high)).mean())


def interval_score(truth: np.ndarray, low: np.ndarray, high: np.ndarray, level: float = LEVEL) -> float:
    """Mean interval score: the width, and 2 / (1 - level) times the distance of values outside (Gneiting & Raftery)."""
    outside = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    return float((high - low + 2 / (1 - level) * outside).mean())


def diversity(pictures: Sequence[np.ndarray]) -> float:
    """Mean CIEDE2000 between two of several pictures of one size, each Lab `3 h w`; at least two."""
    pairs = [(i, j) for i in range(len(pictures)) for j in range(i)]
    return float(np.mean([delta_e_2000(pictures[i], pictures[j]).mean() for i, j in pairs]))


def tints(mean: np.ndarray, variance: np.ndarray, count: int, random: np.random.Generator) -> list[np.ndarray]:
    """Pictures Lab `3 h w` that differ from one in a random (a*, b*), the same for all pixels.

    Args:
        mean: The picture.
        variance: Of the random a* and b*, shape 2.
        count: How many.
        random: Draws them.
    """
    moves = random.standard_normal((count, 2)) * np.sqrt(variance)
    return [mean + np.array([0.0, *move])[:, None, None] for move in moves]
