"""Scores of human tests against closed forms and simulated crowds."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.blind_people import KINDS, make_person, make_test
from typer.testing import CliRunner

from tintype.blind_answers import Item
from tintype.blind_score import (
    d_prime,
    difference_interval,
    format_blind,
    picture_rows,
    rate_interval,
    score_answers,
    score_files,
    wilson,
)
from tintype.cli import app
from tintype.errors import InputError, UsageError


@given(st.integers(1, 300), st.data())
def test_wilsons_interval_is_that_of_scipy(count, data):
    hits = data.draw(st.integers(0, count))
    found = wilson(np.array([1.0] * hits + [0.0] * (count - hits)))
    expected = stats.binomtest(hits, count).proportion_ci(0.95, method="wilson")
    assert (found.mean, found.low, found.high) == pytest.approx((hits / count, expected.low, expected.high), abs=1e-9)


def test_newcombes_interval_is_that_of_his_paper():
    """Newcombe 1998, table II, method 10: 56/70 - 48/80, and 9/10 - 3/10."""
    for (a, m), (b, n), (low, high) in (
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
    ):
        x, y = (np.array([[1.0] * hits + [0.0] * (count - hits)]) for hits, count in ((a, m), (b, n)))
        found = difference_interval(x, y)
        assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_d_prime_is_the_difference_of_normal_quantiles():
    real, made = np.array([1, 1, 1, 0]), np.array([0, 0, 1])
    assert d_prime(real, made) == pytest.approx(stats.norm.ppf(3.5 / 5) - stats.norm.ppf(1.5 / 4))
    assert d_prime(np.ones(4), np.ones(4)) == 0
    assert np.isfinite(d_prime(np.ones(4), np.zeros(4)))


def test_one_person_is_judged_by_counting():
    #                            real: 3 of 4             model: 1 of 3        control
    scores = score_answers([make_person([True, True, True, False, True, False, False, True])])
    assert scores.persons == 1 and "Wilson" in scores.interval
    assert scores.fooling_rate == wilson(np.array([1.0, 0, 0]))
    assert [(row.kind, row.pictures, row.called_real.mean) for row in scores.kinds] == [
        ("real", 4, 0.75),
        ("model", 3, 1 / 3),
        ("grey copy", 1, 1.0),
    ]
    assert scores.difference.mean == pytest.approx(0.75 - 1 / 3)
    assert scores.accuracy.mean == pytest.approx((0.75 + 2 / 3) / 2)
    assert scores.per_person[0].controls_called_real.mean == 1
    assert "undecided" in scores.verdict


def test_persons_are_pooled_and_each_is_shown():
    people = [
        make_person([True] * 4 + [False] * 4, number=1, nickname="Ann"),
        make_person([True, False] * 4, number=2),
        make_person([False] * 4 + [True] * 4, number=3),
    ]
    scores = score_answers(people)
    assert "bootstrap over persons and pictures" in scores.interval
    assert scores.fooling_rate.mean == pytest.approx((0 + 2 / 3 + 1) / 3)
    assert scores.fooling_rate.low < scores.fooling_rate.mean < scores.fooling_rate.high
    assert [one.nickname or one.session for one in scores.per_person] == ["Ann", "00000000", "00000000"]
    assert [one.fooling_rate.mean for one in scores.per_person] == pytest.approx([0, 2 / 3, 1])
    assert {one.id: one.called_real.mean for one in scores.per_picture}["p1"] == pytest.approx(2 / 3)
    assert score_answers(people) == scores


def test_a_crowd_that_is_never_fooled_is_said_to_tell_them_apart():
    scores = score_answers([make_person([True] * 4 + [False] * 4, number=n) for n in range(20)])
    assert scores.fooling_rate.mean == 0 and 0 < scores.fooling_rate.high < 0.2
    assert "better than by guessing" in scores.verdict
    other = score_answers([make_person([False] * 4 + [True] * 4, number=n) for n in range(20)])
    assert "more often than real ones" in other.verdict


@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_the_interval_covers_the_rate_of_other_persons_and_pictures(spread):
    random = np.random.default_rng(0)

    def rates(persons, pictures):
        person, picture = (spread * random.normal(size=n) for n in (persons, pictures))
        return 1 / (1 + np.exp(0.8 - person[:, None] - picture))

    true = rates(2000, 2000).mean()
    covered = 0
    for number in range(150):
        answers = (random.random((10, 16)) < rates(10, 16)).astype(float)
        found = rate_interval(answers, seed=number)
        covered += found.low <= true <= found.high
    assert covered / 150 >= 0.89


def test_the_text_says_how_the_intervals_were_made_and_ends_with_the_verdict():
    scores = score_answers([make_person([True] * len(KINDS), nickname="\x1b[31mred")])
    text = format_blind(scores)
    assert text.splitlines()[-1] == scores.verdict
    assert "Wilson" in text and "grey copy" in text and "shown for 1 s" in text
    assert "\x1b" not in text


def test_a_name_that_a_spreadsheet_would_run_is_made_harmless():
    items = list(make_test().items)
    items[0] = Item(id="p1", kind="real", name='=cmd|"/c calc"!A1', sha256="0" * 16)
    scores = score_answers([make_person([True] * len(items), make_test(items=tuple(items)))])
    rows = list(picture_rows(scores))
    assert rows[1][2].startswith("'=")
    assert len(rows) == 1 + len(items) and {len(row) for row in rows} == {8}


@pytest.fixture
def files(tmp_path):
    paths = []
    for number, real in enumerate(([True] * 8, [True, False] * 4), start=1):
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(make_person(real, number=number).model_dump_json())
    return paths


def test_files_of_other_tests_and_second_files_of_a_session_are_refused(files, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(make_person([True] * 8, make_test(seed=1), number=9).model_dump_json())
    with pytest.raises(InputError, match=r"other\.json: answers test .* score each test by itself"):
        score_files([*files, other])
    with pytest.raises(InputError, match=r"1\.json: is of the same session as"):
        score_files([*files, files[0]])
    with pytest.raises(UsageError, match="name the files"):
        score_files([])


def test_the_command_prints_and_writes_text_json_and_csv(files, tmp_path):
    words = ["blind", "--score", *map(str, files), "--json", str(tmp_path / "s.json"), "--csv", str(tmp_path / "s.csv")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "fooling rate" in result.output
    data = json.loads((tmp_path / "s.json").read_text())
    assert data["persons"] == 2 and data["fooling_rate"]["mean"] == pytest.approx((1 + 2 / 3) / 2)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "s.csv").read_text())))
    assert [row["kind"] for row in rows] == list(KINDS)
    printed = CliRunner().invoke(app, ["blind", "--score", *map(str, files), "--json", "-"])
    assert json.loads(printed.output) == data


def test_the_command_wants_one_model_and_says_so():
    for words in ([], ["a", "b"], ["a", "--model", "b"], ["answers.json", "more.json"]):
        result = CliRunner().invoke(app, ["blind", *words])
        assert isinstance(result.exception, UsageError)
    assert "add --score" in str(result.exception)
