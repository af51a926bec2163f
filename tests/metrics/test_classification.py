"""Accuracy, its interval, cross-entropy and the verdict, against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax
from scipy.stats import binomtest

from tintype.metrics.classification import classifier_scores, judge_logits, wilson_interval


@given(st.integers(1, 500).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_the_interval_is_that_of_wilson(case: tuple[int, int]) -> None:
    ours, theirs = wilson_interval(*case), binomtest(*case).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert ours.mean == case[0] / case[1]


def test_logits_are_judged_as_scipy_has_it() -> None:
    random = np.random.default_rng(0)
    logits, numbers = random.normal(0, 30, (40, 5)), random.integers(0, 5, 40)
    judged = judge_logits(logits, numbers, np.array([1, 2, 9, 2, 1]))
    assert judged.cross_entropy == pytest.approx(-log_softmax(logits, axis=1)[np.arange(40), numbers].mean())
    assert judged.accuracy.mean == (logits.argmax(axis=1) == numbers).mean()
    assert judged.most_frequent.mean == (numbers == 2).mean()  # the most frequent class of the training pictures


def test_huge_logits_do_not_overflow() -> None:
    judged = judge_logits(np.array([[1e4, -1e4], [1e4, -1e4]]), np.array([0, 1]), np.array([1, 1]))
    assert judged.cross_entropy == 1e4


@pytest.mark.parametrize(
    ("right", "verdict"),
    [
        (60, "The model is better than always saying cat: it tells 100.0% [94.0%, 100.0%] of 60 pictures of 3 classes"),
        (24, "The model is not shown to be better than always saying cat: it tells 40.0% "),
    ],
)
def test_the_verdict_names_what_always_saying_one_class_scores(right: int, verdict: str) -> None:
    numbers = np.repeat([0, 1], 30)
    logits = np.eye(3)[np.where(np.arange(60) < right, numbers, 2)]
    scores = classifier_scores(logits, numbers, np.array([5, 9, 0]), ("ant", "cat", "dog"), protocol={"size": 8})
    assert scores.verdict.startswith(verdict)
    assert scores.verdict.endswith("right, the other 50.0% [37.7%, 62.3%].")
    assert [(row.name, row.pictures) for row in scores.classes] == [("ant", 30), ("cat", 30), ("dog", 0)]
    assert scores.classes[2].accuracy is None
    assert scores.to_dict()["accuracy"]["mean"] == right / 60
