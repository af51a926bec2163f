"""What people are told while a sweep runs: how a trial ended, and how long the rest will take."""

from __future__ import annotations

from collections.abc import Sequence

from tintype.console import duration
from tintype.sweep.points import Point
from tintype.sweep.results import Results, shown


def progress_line(results: Results, name: str, total: int, *, failure: str = "", left: float | None = None) -> str:
    """How a trial ended.

    Args:
        results: The table with it.
        name: Of the trial.
        total: Number of trials at the end.
        failure: What its process said when it failed.
        left: Seconds that the others will take, where that is known.
    """
    finished = sum(row.state != "waiting" for row in results.trials)
    row = next(row for row in results.trials if row.name == name)
    parts = [f"[{finished}/{total}] {row.name}: {row.state}"]
    if row.state == "failed":
        parts.append(f"{row.reason} ({failure})" if failure and failure != row.reason else row.reason)
    if row.validation is not None:
        parts.append(f"{results.validation_title} {shown(results.score, row.validation)}")
    if row.scores.get("psnr") is not None:
        known = (row.scores.get(f"{name}_psnr") for name in ("grey_copy", "identity", "bicubic"))
        copy = next((value for value in known if value is not None), None)
        beside = "" if copy is None else f" (doing nothing: {copy:.2f})"
        parts.append(f"test PSNR {row.scores['psnr']:.2f}{beside}")
    if row.scores.get("kid") is not None:
        kids = [shown(name, row.scores.get(name)) for name in ("kid", "real_kid")]
        parts.append(f"test KID x 1000 {kids[0]} (real pictures: {kids[1]})")
    if row.seconds is not None:
        parts.append(f"took {duration(row.seconds)}")
    return ", ".join([*parts, *([f"about {duration(left)} left"] if left else [])])


def seconds_left(results: Results, points: Sequence[Point], total: int, jobs: int) -> float | None:
    """Seconds that the rest will take by what the finished trials took; None where nobody can know.

    Args:
        results: The table.
        points: All trials of a grid, which count by the pictures that they see; none where trials are proposed, each
            of which counts the same.
        total: Number of trials at the end.
        jobs: Trainings at a time.
    """
    complete = [row for row in results.trials if row.state == "complete"]
    spent = sum(row.seconds or 0.0 for row in complete)
    if not spent:
        return None
    if not points:
        return spent / len(complete) * (total - len(results.trials)) / jobs
    work = {point.name: _work_of(point, points) for point in points}
    done = sum(work[row.name] for row in complete)
    left = sum(work[row.name] for row in results.trials if row.state == "waiting")
    return spent * left / done / jobs if done else None


def _work_of(point: Point, points: Sequence[Point]) -> float:
    """Pictures that a trial sees, if its recipe says so, else 1."""
    training = point.recipe.training
    length = float(training.steps or (training.epochs or 1) * (training.epoch_steps or 1))
    work = length * training.batch_size
    if point.parent is not None:
        work -= next(_work_of(one, points) for one in points if one.name == point.parent)
    return work
