"""What is said of a trial that ended, and of the time that the others will take."""

from __future__ import annotations

import pytest

from tintype.sweep.definition import read_definition
from tintype.sweep.points import grid_points
from tintype.sweep.progress import progress_line, seconds_left
from tintype.sweep.results import Results, TrialResult


def table(*rows: TrialResult) -> Results:
    return Results("tiny", "", "", "psnr", False, [], list(rows))


def row(name, state="waiting", **more):
    return TrialResult(name, {}, state, f"trials/{name}", **more)


@pytest.mark.parametrize("nothing", ["grey_copy", "identity", "bicubic"])
def test_a_finished_trial_is_said_beside_doing_nothing_with_the_time_that_is_left(nothing):
    done = row("a", "complete", validation=20.5, scores={"psnr": 19.0, f"{nothing}_psnr": 27.0}, seconds=61.0)
    assert progress_line(table(done, row("b")), "a", 2, left=125.0) == (
        "[1/2] a: complete, validation psnr 20.50, test PSNR 19.00 (doing nothing: 27.00), took 1:01, about 2:05 left"
    )


@pytest.mark.parametrize(
    ("failure", "said"), [("", "diverged"), ("diverged", "diverged"), ("step 3: nan", "diverged (step 3: nan)")]
)
def test_why_a_trial_failed_is_said_once(failure, said):
    assert progress_line(table(row("a", "failed", reason="diverged")), "a", 3, failure=failure) == (
        f"[1/3] a: failed, {said}"
    )


def test_the_time_left_of_a_grid_goes_by_the_pictures_that_each_trial_sees():
    points = grid_points(read_definition("tiny", ["training.batch_size=1,2,4", "training.steps=10"]))
    rows = [row(points[0].name, "complete", seconds=5.0), *(row(point.name) for point in points[1:])]
    assert seconds_left(table(*rows), points, 3, jobs=1) == pytest.approx(5 * 6)
    assert seconds_left(table(*rows), points, 3, jobs=2) == pytest.approx(5 * 3)


def test_a_trial_that_goes_on_from_another_counts_only_what_it_adds(tmp_path):
    file = tmp_path / "experiment.yaml"
    file.write_text(
        "recipe: tiny\noverrides: {training.steps: 10}\ngrid: {optimiser.lr: [1.0e-3]}\n"
        "then: {where: {optimiser.lr: 1.0e-3}, steps: 15}\n"
    )
    first, longer = grid_points(read_definition(str(file)))
    rows = table(row(first.name, "complete", seconds=8.0), row(longer.name))
    assert seconds_left(rows, [first, longer], 2, jobs=1) == pytest.approx(4)


def test_of_proposed_trials_each_counts_the_same_and_without_one_nobody_knows():
    assert seconds_left(table(row("a", "complete", seconds=8.0)), [], 5, jobs=2) == pytest.approx(16)
    assert seconds_left(table(row("a")), [], 5, jobs=2) is None
    assert seconds_left(table(row("a", "failed", seconds=8.0)), [], 5, jobs=2) is None
