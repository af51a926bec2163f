"""The table of results: one row a trial, sorted by its validation score, as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tintype.atomic import atomic_path
from tintype.sweep.points import short_names

ResultState = Literal["complete", "pruned", "failed", "waiting"]

_ORDER = ("complete", "pruned", "failed", "waiting")
_COLUMNS = {
    "psnr": ("test PSNR, dB", 2),
    "grey_copy_psnr": ("grey copy, dB", 2),
    "identity_psnr": ("identity, dB", 2),
    "bicubic_psnr": ("bicubic, dB", 2),
    "cycle_psnr": ("there and back, dB", 2),
    "gain": ("gain, dB", 2),
    "ssim": ("SSIM", 3),
    "ciede2000": ("CIEDE2000", 2),
    "colourfulness_ratio": ("colourfulness of the truth's", 2),
    "kid": ("KID x 1000", 2),
    "real_kid": ("that of real pictures", 2),
    "sample_precision": ("precision", 3),
    "sample_recall": ("recall", 3),
    "sample_accuracy": ("of the class asked for", 3),
    "sample_covered": ("classes covered", 0),
    "sample_copies": ("nearer than 99 % of test pictures", 3),
    "discriminator_accuracy": ("discriminator: accuracy", 3),
    "discriminator_accuracy_real": ("in training: on real", 3),
    "discriminator_accuracy_fake": ("on generated", 3),
}
_THOUSANDFOLD = ("kid", "real_kid")
"""What people are shown times 1,000."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One row; `validation` is the score that trials are compared by, `scores` are those on test pictures."""

    name: str
    values: dict[str, Any]
    state: ResultState
    folder: str
    scores: dict[str, Any] = field(default_factory=dict)
    validation: float | None = None
    seconds: float | None = None
    steps: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """The whole table, and what a reader must know of it."""

    recipe: str
    title: str
    notes: str
    score: str
    minimise: bool
    fields: list[str]
    trials: list[TrialResult]

    @property
    def validation_title(self) -> str:
        """What the validation score is called beside a value of it."""
        return "validation KID x 1000" if self.score == "kid" else f"validation {self.score}"

    def ranked(self) -> list[TrialResult]:
        """The rows in the order of the table: never by test scores."""

        def rank(trial: TrialResult) -> tuple[int, bool, float]:
            value = trial.validation if trial.validation is not None else 0.0
            return _ORDER.index(trial.state), trial.validation is None, value if self.minimise else -value

        return sorted(self.trials, key=rank)


def write_results(results: Results, out: Path) -> None:
    """Write results.json, .csv and .md into the sweep folder.

    Raises:
        OutputError: That is not possible.
    """
    forms = {
        "json": json.dumps(_as_json(results), indent=1) + "\n",
        "csv": _as_csv(results),
        "md": as_markdown(results),
    }
    for suffix, text in forms.items():
        with atomic_path(out / f"results.{suffix}") as temporary:
            temporary.write_text(text, encoding="utf-8")


def _as_json(results: Results) -> dict[str, Any]:
    return {
        "recipe": results.recipe,
        "title": results.title,
        "notes": results.notes,
        "score": f"validation {results.score}",
        "fields": results.fields,
        "trials": [
            {
                "name": trial.name,
                "values": trial.values,
                "state": trial.state,
                "reason": trial.reason,
                "folder": trial.folder,
                "scores": trial.scores,
                "validation": trial.validation,
                "seconds": trial.seconds,
                "steps": trial.steps,
            }
            for trial in results.ranked()
        ],
    }


def _as_csv(results: Results) -> str:
    measured = _measured(results)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["name", *results.fields, "state", "reason", f"validation_{results.score}", *measured]
    writer.writerow([*head, "seconds", "steps", "folder"])
    for trial in results.ranked():
        values = [_cell(trial.values.get(name)) for name in results.fields]
        scores = [_cell(trial.scores.get(name)) for name in measured]
        row = [trial.name, *values, trial.state, trial.reason, _cell(trial.validation), *scores]
        writer.writerow([*row, _cell(trial.seconds), _cell(trial.steps), trial.folder])
    return text.getvalue()


def as_markdown(results: Results) -> str:
    """The table for people, and means over seeds where several were tried."""
    measured = _measured(results)
    short = short_names(results.fields)
    head = [
        *short.values(),
        results.validation_title,
        *(_COLUMNS[name][0] for name in measured),
        "steps done",
        "min",
    ]
    rows = []
    for trial in results.ranked():
        state = "" if trial.state == "complete" else f"{trial.state}{': ' if trial.reason else ''}{trial.reason}"
        cells = [_cell(trial.values.get(name)) for name in results.fields] + [shown(results.score, trial.validation)]
        cells += [shown(name, trial.scores.get(name)) for name in measured]
        minutes = None if trial.seconds is None else trial.seconds / 60
        rows.append([*cells, _cell(trial.steps), _number(minutes, 1), state])
    lines = [f"# {results.title or 'Sweep of ' + results.recipe}", ""]
    lines += [results.notes, ""] if results.notes else []
    lines += [f"Sorted by the score on validation pictures ({results.score}); test scores choose nothing.", ""]
    lines += _table([*head, ""], rows)
    lines += _over_seeds(results, measured)
    return "\n".join(lines) + "\n"


def _over_seeds(results: Results, measured: Sequence[str]) -> list[str]:
    """Means over seeds, with the range of test PSNR (or of what stands first) that says what a difference is worth."""
    seed = "training.seed"
    if seed not in results.fields:
        return []
    others = [name for name in results.fields if name != seed]
    groups: dict[str, list[TrialResult]] = {}
    for trial in results.ranked():
        if trial.state == "complete":
            key = json.dumps([trial.values.get(name) for name in others])
            groups.setdefault(key, []).append(trial)
    if not groups:
        return []
    short = short_names(results.fields)
    first = measured[0] if measured else None
    head = [*(short[name] for name in others), "seeds", results.validation_title]
    head += [f"{_COLUMNS[first][0]}: mean", "lowest", "highest"] if first else []
    rows = []
    for key, trials in groups.items():
        values = [trial.validation for trial in trials if trial.validation is not None]
        mean = statistics.fmean(values) if values else None
        row = [*map(_cell, json.loads(key)), str(len(trials)), shown(results.score, mean)]
        if first:
            scores = [trial.scores[first] for trial in trials if trial.scores.get(first) is not None]
            low, mean, high = (min(scores), statistics.fmean(scores), max(scores)) if scores else (None, None, None)
            row += [shown(first, one) for one in (mean, low, high)]
        rows.append(row)
    return ["", "Over seeds:", "", *_table(head, rows)]


def _measured(results: Results) -> list[str]:
    """The test scores that any trial has."""
    return [name for name in _COLUMNS if any(trial.scores.get(name) is not None for trial in results.trials)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + [
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows
    ]


def _cell(value: Any) -> str:  # noqa: ANN401 - any YAML value
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def shown(name: str, value: float | None) -> str:
    """A score by its name as people read it."""
    if value is not None and name in _THOUSANDFOLD:
        value *= 1000
    return _number(value, _COLUMNS[name][1] if name in _COLUMNS else 2)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:z.{digits}f}"
