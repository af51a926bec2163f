"""Figures of pictures that were made from noise: of the discriminator that judged them, and of the pictures themselves.

What a discriminator says depends on it as much as on the pictures, and nothing follows from it about them; so the
figures on features of a classifier stand beside it, each with that of real pictures against other real pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tintype.errors import UsageError
from tintype.metrics.classification import wilson_interval
from tintype.metrics.distribution import kid
from tintype.metrics.interval import Interval

_ROWS = 512
"""Rows of a matrix of distances at a time: 40 MB beside 10,000 pictures."""

_COVERED = 0.1
"""Part of its share of real pictures from which a class counts as covered."""


@dataclass(frozen=True, slots=True)
class DiscriminatorFigures:
    """A discriminator on as many real as generated pictures; "positive" is real, and 0.5 what a coin gets.

    Attributes:
        pictures: Of each kind.
        loss: Mean of that on real and that on generated pictures, the kind of loss that it was trained with.
        accuracy: Part of all that it tells right.
        precision: Part of those called real that are; None where it calls none real.
        recall: Part of the real ones that it calls real.
        f1: Harmonic mean of precision and recall; None where there is no precision.
        loss_real: On real pictures.
        loss_fake: On generated ones.
        accuracy_real: On real pictures, the same as recall.
        accuracy_fake: On generated ones.
    """

    pictures: int
    loss: float
    accuracy: float
    precision: float | None
    recall: float
    f1: float | None
    loss_real: float
    loss_fake: float
    accuracy_real: float
    accuracy_fake: float


def discriminator_figures(
    called_real: np.ndarray, called_fake: np.ndarray, loss_real: float, loss_fake: float
) -> DiscriminatorFigures:
    """Figures from which of the real pictures, and of as many generated ones, were called real, bool `n` each."""
    true, false = int(called_real.sum()), int(called_fake.sum())
    recall, share = true / len(called_real), false / len(called_fake)
    precision = true / (true + false) if true + false else None
    f1 = 2 * precision * recall / (precision + recall) if precision and recall else None
    return DiscriminatorFigures(
        pictures=len(called_real),
        loss=(loss_real + loss_fake) / 2,
        accuracy=(recall + 1 - share) / 2,
        precision=precision,
        recall=recall,
        f1=f1,
        loss_real=loss_real,
        loss_fake=loss_fake,
        accuracy_real=recall,
        accuracy_fake=1 - share,
    )


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A set of pictures beside real test pictures.

    Attributes:
        name: Whose: "model", or "real" for training pictures, the trivial reference.
        pictures: How many.
        kid: Kernel distance of the features to those of test pictures, with its interval; smaller is better.
        precision: Part of the pictures that lie among test pictures (Kynkaanniemi et al. 2019).
        recall: Part of the test pictures that lie among these.
        accuracy: Part that the classifier gives the class that was asked for; None without classes.
        covered: Classes that come up at least a tenth as often as among test pictures, by the classifier; None if it
            knows other classes.
        class_distance: Half the sum over classes of how far their parts are from those of test pictures; 0 is best.
        nearest: Median over pictures of the distance to the nearest training picture, root mean square over pixels.
        copies: Part of the pictures nearer to a training picture than 99 % of test pictures are.
    """

    name: str
    pictures: int
    kid: Interval
    precision: float
    recall: float
    accuracy: Interval | None
    covered: int | None
    class_distance: float | None
    nearest: float | None
    copies: float | None


@dataclass(frozen=True, slots=True)
class Described:
    """Pictures by what a classifier says of them: features `n k`, and logits `n classes` if its classes are theirs."""

    features: np.ndarray
    logits: np.ndarray | None
    asked: np.ndarray | None = None  # classes `n` that were asked for, or that they are of
    distances: np.ndarray | None = None  # to the nearest training picture, `n`


def sample_row(name: str, made: Described, test: Described) -> SampleRow:
    """A row of figures of pictures beside test pictures."""
    estimate = kid(made.features, test.features, subsets=20)
    precision, recall = precision_recall(test.features, made.features)
    accuracy, covered, class_distance = None, None, None
    if made.logits is not None and test.logits is not None:
        told = made.logits.argmax(axis=1)
        classes = made.logits.shape[1]
        ours, theirs = (np.bincount(one, minlength=classes) / len(one) for one in (told, test.logits.argmax(axis=1)))
        covered = int((ours >= _COVERED * theirs)[theirs > 0].sum())
        class_distance = float(np.abs(ours - theirs).sum() / 2)
        if made.asked is not None:
            accuracy = wilson_interval(int((told == made.asked).sum()), len(told))
    nearest = copies = None
    if made.distances is not None and test.distances is not None:
        nearest = float(np.median(made.distances))
        copies = float((made.distances < np.quantile(test.distances, 0.01)).mean())
    return SampleRow(
        name,
        len(made.features),
        Interval(estimate.mean, estimate.low, estimate.high),
        precision,
        recall,
        accuracy,
        covered,
        class_distance,
        nearest,
        copies,
    )


def precision_recall(real: np.ndarray, made: np.ndarray, neighbours: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi, Karras, Laine, Lehtinen & Aila 2019).

    Around each picture of a set lies a ball that reaches to its k-th nearest neighbour in the set; the balls together
    stand for where such pictures are. Precision is the part of the made pictures in that of the real ones, recall the
    part of the real ones in that of the made ones. Both depend on the number of pictures: compare equal numbers only.

    Args:
        real: Features `n k`.
        made: Features `m k`.
        neighbours: k.

    Raises:
        UsageError: The widths differ, or a set has no more rows than neighbours are asked for.
    """
    if real.ndim != 2 or made.ndim != 2 or real.shape[1] != made.shape[1] or min(len(real), len(made)) <= neighbours:
        raise UsageError(
            f"precision_recall: features of shapes {real.shape} and {made.shape}: arrays `n k` of one width and more "
            f"than {neighbours} rows are needed"
        )
    real, made = (np.ascontiguousarray(one, dtype=np.float32) for one in (real, made))
    return _within(made, real, _radii(real, neighbours)), _within(real, made, _radii(made, neighbours))


def nearest_distances(pictures: np.ndarray, training: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest training picture, root mean square over pixels, and its number, `n` each.

    Args:
        pictures: Display `n h w c`.
        training: Display `m h w c`.
    """
    x, y = (one.reshape(len(one), -1) for one in (pictures, training))
    parts = [(block.min(axis=1), block.argmin(axis=1)) for block in _squared_distances(x, y)]
    squared, numbers = (np.concatenate(part) for part in zip(*parts, strict=True))
    # Where nothing but rounding is left of the sum, the difference itself is taken.
    exact = np.square(x - y[numbers]).mean(axis=1)
    return np.sqrt(np.where(squared < 1e-3 * x.shape[1], exact, squared / x.shape[1])), numbers


def _radii(features: np.ndarray, neighbours: int) -> np.ndarray:
    """Squared distance of each row to its k-th nearest other one."""
    blocks = _squared_distances(features, features)
    return np.concatenate([np.partition(block, neighbours, axis=1)[:, neighbours] for block in blocks])


def _within(features: np.ndarray, centres: np.ndarray, radii: np.ndarray) -> float:
    inside = [(block <= radii).any(axis=1) for block in _squared_distances(features, centres)]
    return float(np.concatenate(inside).mean())


def _squared_distances(x: np.ndarray, y: np.ndarray) -> Iterator[np.ndarray]:
    """Blocks of rows of the matrix of squared distances; never below 0."""
    lengths = np.square(y).sum(axis=1)
    for start in range(0, len(x), _ROWS):
        some = x[start : start + _ROWS]
        block = some @ y.T
        block *= -2
        block += lengths
        block += np.square(some).sum(axis=1, keepdims=True)
        yield np.maximum(block, 0, out=block)
