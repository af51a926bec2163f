"""Progress in plain lines: how far, how fast, how long."""

from __future__ import annotations

import pytest

from tintype import console
from tintype.console import Reporter


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(console, "time", clock)
    return clock


def lines(capsys):
    return capsys.readouterr().err.splitlines()


def test_a_line_says_rate_and_time_left_every_few_seconds(clock, capsys):
    with Reporter() as say:
        say.begin("translating", 1000)
        for done in range(1, 21):
            clock.now += 0.5
            say.update(done, note="a.png")
    assert lines(capsys) == [
        "translating 10/1,000, 2.0/s, 8:15 left, a.png",
        "translating 20/1,000, 2.0/s, 8:10 left, a.png",
    ]


def test_the_rate_is_that_of_the_last_half_a_minute(clock, capsys):
    with Reporter() as say:
        say.begin("translating", 2000)
        clock.now += 1
        say.update(1000)  # quick ones
        for done in range(1001, 1101):
            clock.now += 1
            say.update(done)
    assert lines(capsys)[-1] == "translating 1,099/2,000, 1.0/s, 15:01 left"


def test_what_is_slow_is_counted_by_the_minute_and_what_was_there_before_is_no_progress(clock, capsys):
    with Reporter() as say:
        say.begin("training", 30, done=20)
        clock.now += 30
        say.update(21)
    assert lines(capsys) == ["training 21/30, 2.0/min, 4:30 left"]


def test_without_a_total_there_is_no_time_left(clock, capsys):
    with Reporter() as say:
        say.begin("looking", None)
        clock.now += 6
        say.update(12)
        say.begin("looking again", None)
        clock.now += 6
        say.update(0)
    assert lines(capsys) == ["looking 12, 2.0/s", "looking again 0"]
