"""Figures of samples: against plain definitions, and what they must be on sets made for it."""

from __future__ import annotations

import numpy as np
import pytest

from tintype.errors import UsageError
from tintype.metrics.sample_tables import sample_tables, sample_verdict
from tintype.metrics.samples import (
    Described,
    discriminator_figures,
    nearest_distances,
    precision_recall,
    sample_row,
)


def plain_precision_recall(real, made, k):
    """As the paper writes it, pair by pair."""

    def radius(points, i):
        return sorted(float(np.linalg.norm(points[i] - other)) for other in points)[k]  # the first is itself

    def covered(points, by):
        return np.mean([any(np.linalg.norm(p - by[j]) <= radius(by, j) for j in range(len(by))) for p in points])

    return covered(made, real), covered(real, made)


def test_precision_and_recall_are_those_of_their_definition():
    random = np.random.default_rng(0)
    real, made = random.normal(size=(40, 3)), random.normal(0.7, 0.6, size=(30, 3))
    assert precision_recall(real, made) == pytest.approx(plain_precision_recall(real, made, 3))
    assert precision_recall(real, made, neighbours=1) == pytest.approx(plain_precision_recall(real, made, 1))


def test_a_mode_that_is_left_out_costs_recall_and_one_that_is_invented_precision():
    random = np.random.default_rng(1)
    modes = [random.normal(centre, 0.1, size=(300, 2)) for centre in ((0, 0), (5, 0), (0, 5))]
    full, some = np.concatenate(modes[:2]), modes[0]
    precision, recall = precision_recall(full, some)
    assert precision > 0.9 and 0.4 < recall < 0.55
    precision, recall = precision_recall(full, np.concatenate([modes[0], modes[2]]))
    assert 0.4 < precision < 0.55 and 0.4 < recall < 0.55


@pytest.mark.parametrize(("real", "made"), [((5, 2), (5, 3)), ((3, 2), (9, 2)), ((9, 2), (3, 2)), ((9,), (9, 2))])
def test_precision_and_recall_want_enough_features_of_one_width(real, made):
    with pytest.raises(UsageError, match="more than 3 rows are needed"):
        precision_recall(np.zeros(real), np.zeros(made))


def test_the_nearest_training_picture_is_found_and_a_copy_is_at_no_distance():
    random = np.random.default_rng(2)
    training = random.random((50, 6, 6, 1)).astype(np.float32)
    pictures = np.concatenate([training[[7, 3]], random.random((3, 6, 6, 1)).astype(np.float32)])
    distances, numbers = nearest_distances(pictures, training)
    every = np.sqrt(np.square(pictures[:, None] - training[None]).mean(axis=(2, 3, 4)))
    assert numbers.tolist() == every.argmin(axis=1).tolist()
    np.testing.assert_allclose(distances, every.min(axis=1), atol=1e-6)
    assert distances[:2].tolist() == [0, 0]


def test_the_figures_of_a_discriminator_are_those_of_the_document():
    real, fake = np.arange(10_000) < 9_694, np.arange(10_000) < 9_925
    judged = discriminator_figures(real, fake, 0.1743, 1.9389)
    assert judged.loss == pytest.approx(1.0566)
    assert judged.accuracy == pytest.approx(0.48845)
    assert judged.precision == pytest.approx(9694 / (9694 + 9925))
    assert judged.recall == judged.accuracy_real == pytest.approx(0.9694)
    assert judged.accuracy_fake == pytest.approx(0.0075)
    assert judged.f1 == pytest.approx(2 * 9694 / (2 * 9694 + 306 + 9925))


def test_one_that_calls_nothing_real_has_no_precision():
    judged = discriminator_figures(np.zeros(4, bool), np.zeros(4, bool), 1.0, 0.0)
    assert (judged.precision, judged.f1, judged.accuracy) == (None, None, 0.5)


def described(random, classes, told, asked=None, far=None):
    logits = np.full((len(told), classes), -5.0)
    logits[np.arange(len(told)), told] = 5
    return Described(random.normal(size=(len(told), 4)), logits, asked, far)


def test_a_row_counts_classes_copies_and_what_was_asked_for():
    random = np.random.default_rng(3)
    test = described(random, 3, np.arange(90) % 3, far=np.linspace(1, 2, 90))
    told = np.zeros(90, int)
    told[:30] = 1
    asked = np.zeros(90, int)
    far = np.full(90, 1.5)
    far[:9] = 0.5
    row = sample_row("model", described(random, 3, told, asked, far), test)
    assert row.covered == 2
    assert row.class_distance == pytest.approx((1 / 3 + 0 + 1 / 3) / 2)
    assert row.accuracy.mean == pytest.approx(60 / 90)
    assert (row.nearest, row.copies) == (1.5, pytest.approx(0.1))
    assert abs(row.kid.mean) < 0.5
    real = sample_row("real", described(random, 3, np.arange(90) % 3, np.arange(90) % 3, np.linspace(1, 2, 90)), test)
    assert (real.covered, real.class_distance, real.accuracy.mean) == (3, 0, 1)
    verdict = sample_verdict([row, real])
    assert "66.7% are told as the class that was asked for, of real ones 100.0%" in verdict
    assert "10% of them are nearer to a training picture" in verdict
    judged = discriminator_figures(np.ones(4, bool), np.zeros(4, bool), 0.0, 0.0)
    tables = sample_tables(judged, {"real": 0.5}, [row, real], 3)
    assert all(len(line) == len(table["head"]) for table in tables for line in table["rows"])
    cells = {line[0]: line[1:] for line in tables[0]["rows"]}
    assert cells["classes covered, of 3"] == ["2", "3"]


def test_without_classes_and_distances_there_are_dashes_only_where_they_belong():
    random = np.random.default_rng(4)
    plain = Described(random.normal(size=(20, 4)), None)
    row = sample_row("model", plain, Described(random.normal(size=(20, 4)), None))
    assert (row.accuracy, row.covered, row.class_distance, row.nearest, row.copies) == (None,) * 5
