"""How well classes are told apart: accuracy and cross-entropy, beside always saying the most frequent class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

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


def wilson_interval(successes: int, count: int, *, level: float = 0.95) -> Interval:
    """A proportion with its score interval (Wilson 1927), which stays in [0, 1] and needs no large counts."""
    z, p = NormalDist().inv_cdf((1 + level) / 2), successes / count
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return Interval(p, max(0.0, middle - half), min(1.0, middle + half))
