"""What the report reads from events.jsonl: sums and time."""

from __future__ import annotations

import json

import pytest

from tintype.report_events import events_of


def lines(*events):
    return [json.dumps(event).encode() for event in events]


def test_the_sum_of_a_phase_is_over_its_terms_without_penalties():
    events = events_of(
        lines(
            {"event": "log", "step": 1, "terms": {"d/real": 1.0, "d/fake": 2.0, "d/penalty": 50.0, "g/l1": 8.0}},
            {"event": "log", "step": 2, "terms": {"d/real": 1.0, "d/fake": 3.0, "g/l1": 7.0}},
        )
    )
    assert events.sum_of("d") == {1: 3.0, 2: 4.0}
    assert events.sum_of("g") == {}, "a single term is its own sum"


@pytest.mark.parametrize(
    ("key", "name"), [("grey_copy_psnr", "grey copy"), ("identity_psnr", "identity"), ("bicubic_psnr", "bicubic")]
)
def test_the_baseline_of_every_task_is_found(key, name):
    events = events_of(lines({"event": "validation", "step": 5, "scores": {"psnr": 20.0, key: 19.0}}))
    assert events.reference == (name, {5: 19.0})


def test_a_term_that_joins_later_is_counted_from_there():
    events = events_of(
        lines(
            {"event": "log", "step": 1, "terms": {"g/l1": 8.0}},
            {"event": "log", "step": 2, "terms": {"g/l1": 7.0, "g/adversarial": 1.0}},
        )
    )
    assert events.sum_of("g") == {1: 8.0, 2: 8.0}


def test_time_is_that_of_steps_alone_whatever_lay_between():
    events = events_of(
        lines(
            {"event": "log", "step": 10, "images_seen": 40, "images_per_second": 4.0, "time": 1000.0},
            {"event": "log", "step": 20, "images_seen": 80, "images_per_second": 8.0, "time": 99000.0},
        )
    )
    assert events.seconds == {10: 10.0, 20: 15.0}
    assert events.over_time({15: 30.0, 20: 31.0}) == {12.5: 30.0, 15.0: 31.0}
    assert events_of([]).over_time({5: 1.0}) == {}


@pytest.mark.parametrize("rate", [0, -1, 1e-300, "fast", None, float("inf")])
@pytest.mark.parametrize("seen", [-5, "many", 10**30, None])
def test_nonsense_about_time_is_left_out(rate, seen):
    good = {"event": "log", "step": 10, "images_seen": 40, "images_per_second": 4.0}
    events = events_of(lines(good, {"event": "log", "step": 20, "images_seen": seen, "images_per_second": rate}))
    assert events.seconds == {10: 10.0}


def test_health_is_read_and_old_runs_have_none():
    events = events_of(lines({"event": "log", "step": 1, "health": {"d/accuracy_real": 0.5, "g/gradient": "x"}}))
    assert events.health == {"d/accuracy_real": {1: 0.5}} and events.not_finite == 1
    assert events_of(lines({"event": "log", "step": 1, "terms": {"g/l1": 1.0}})).health == {}
