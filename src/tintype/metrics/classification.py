"""How well classes are told apart: accuracy and cross-entropy, beside always saying the most frequent class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from tintype.metrics.interval import Interval


@dataclass(frozen=True, slots=True)
class Judged:
    """A classifier on labelled pictures.

    Attributes:
        accuracy: Part of the pictures whose class has the highest logit, with its Wilson interval.
        cross_entropy: Mean of -log of the probability of the true class, in nats.
        most_frequent: Accuracy of always saying the class that most training pictures have.
        correct: Whether each picture is told right, bool `n`.
    """

    accuracy: Interval
    cross_entropy: float
    most_frequent: Interval
    correct: np.ndarray


def judge_logits(logits: np.ndarray, numbers: np.ndarray, train_counts: np.ndarray) -> Judged:
    """Judge logits `n classes` of pictures whose classes have these numbers, `n`, at least one.

    Args:
        logits: Of any scale.
        numbers: Of the true classes, from 0.
        train_counts: How many training pictures each class has, `classes`.
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_probability = shifted[np.arange(len(numbers)), numbers] - np.log(np.exp(shifted).sum(axis=1))
    correct = logits.argmax(axis=1) == numbers
    frequent = numbers == int(np.argmax(train_counts))
    return Judged(
        wilson_interval(int(correct.sum()), len(numbers)),
        float(-log_probability.mean()),
        wilson_interval(int(frequent.sum()), len(numbers)),
        correct,
    )


@dataclass(frozen=True, slots=True)
class ClassRow:
    """How many pictures of a class were judged, and the part of them that was told right; None without any."""

    name: str
    pictures: int
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class ClassifierScores:
    """What `scores.json` of a classifier holds; fields as in `Judged`."""

    protocol: dict[str, Any]
    pictures: int
    accuracy: Interval
    cross_entropy: float
    most_frequent_class: str
    most_frequent: Interval
    classes: tuple[ClassRow, ...]
    verdict: str
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data."""
        return asdict(self)


def classifier_scores(
    logits: np.ndarray,
    numbers: np.ndarray,
    train_counts: np.ndarray,
    classes: Sequence[str],
    *,
    protocol: dict[str, Any],
    notes: Sequence[str] = (),
) -> ClassifierScores:
    """Scores of a classifier beside always saying the most frequent class; arguments as for `judge_logits`."""
    judged = judge_logits(logits, numbers, train_counts)
    rows = []
    for number, name in enumerate(classes):
        own = judged.correct[numbers == number]
        rows.append(ClassRow(name, len(own), float(own.mean()) if len(own) else None))
    frequent = classes[int(np.argmax(train_counts))]
    model, baseline = judged.accuracy, judged.most_frequent
    # Intervals that do not touch decide more carefully than a paired test would.
    better = model.low is not None and baseline.high is not None and model.low > baseline.high
    word = "better than" if better else "not shown to be better than"
    verdict = (
        f"The model is {word} always saying {frequent}: it tells {percent(model)} of {len(numbers)} pictures of "
        f"{len(classes)} classes right, the other {percent(baseline)}."
    )
    return ClassifierScores(
        protocol,
        len(numbers),
        model,
        judged.cross_entropy,
        frequent,
        baseline,
        tuple(rows),
        verdict,
        tuple(notes),
    )


def percent(part: Interval) -> str:
    """A proportion as people read it, its interval in brackets."""
    if part.low is None or part.high is None:
        return f"{part.mean:.1%}"
    return f"{part.mean:.1%} [{part.low:.1%}, {part.high:.1%}]"


def wilson_interval(successes: int, count: int, *, level: float = 0.95) -> Interval:
    """A proportion with its score interval (Wilson 1927), which stays in [0, 1] and needs no large counts."""
    z, p = NormalDist().inv_cdf((1 + level) / 2), successes / count
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return Interval(p, max(0.0, middle - half), min(1.0, middle + half))
