"""Several runs beside each other: which may be compared, by how much they differ, and what they have in common.

Holds figures and choices only; `report_charts.py` draws and the template says it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tintype.metrics.interval import Interval, bootstrap_interval
from tintype.metrics.scores import NETWORKS, first_difference
from tintype.metrics.verdict import outcome
from tintype.report_run import Part, Picture, Run
from tintype.report_scores import Scores

OVERLAID = 6
"""Runs that are drawn in a colour of their own; the others stay pale behind them."""

MAX_SHARED_PICTURES = 6
MAX_SHARED_RUNS = 8
MAX_RESAMPLED = 5_000
"""Pictures that a difference is resampled over at most: beyond that the interval is narrow enough, and slow."""

MAX_DIFFERING = 5
_NO_SETTINGS = ("name", "description", "data.path", "data.path_b", "data.more")
_FIGURES = {"features": "KID", "lpips": "LPIPS"}
_WORDS = {"better": "ahead", "no better": "behind", "undecided": "undecided"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One direction of a run that has scores; `number` counts runs from 1."""

    number: int
    run: Run
    part: Part
    scores: Scores

    @property
    def name(self) -> str:
        """The run, with its direction where it has two."""
        return f"{self.run.name}, {self.part.title}" if self.part.title else self.run.name

    @property
    def psnr(self) -> float:
        """Of the model's better row; minus infinity without one."""
        row = self.scores.best_model
        return row.psnr.mean if row and row.psnr else float("-inf")


@dataclass(frozen=True, slots=True)
class Difference:
    """PSNR of a run minus that of the best one, over the pictures that both judged."""

    entry: Entry
    pictures: int
    interval: Interval | None

    @property
    def word(self) -> str:
        """What that decides."""
        return _WORDS[outcome(self.interval, self.pictures)] if self.interval else "no picture in common"


@dataclass(frozen=True, slots=True)
class Contest:
    """The rows of one name, such as "model, calibrated", of runs that may be compared."""

    row: str
    best: Entry
    differences: list[Difference]


def entries_of(runs: Sequence[Run]) -> list[Entry]:
    """All directions of all runs that have scores."""
    return [Entry(number, run, part, scores) for number, run in enumerate(runs, 1) for part, scores in run.scored]


def groups_of(entries: Iterable[Entry]) -> list[list[Entry]]:
    """Entries that were scored alike, together; the direction of a run with a single one is A to B."""
    groups: list[list[Entry]] = []
    for entry in entries:
        for group in groups:
            same_way = _direction(group[0]) == _direction(entry)
            if same_way and not first_difference(group[0].scores.protocol, entry.scores.protocol):
                group.append(entry)
                break
        else:
            groups.append([entry])
    return groups


def refusals(groups: Sequence[Sequence[Entry]]) -> list[str]:
    """A sentence for each group that must not be compared with the first one of its direction, and what differs."""
    first: dict[str, Sequence[Entry]] = {}
    sentences = []
    for group in groups:
        other = first.setdefault(_direction(group[0]), group)
        if found := first_difference(other[0].scores.protocol, group[0].scores.protocol):
            key, one, two = found
            sentences.append(
                f"{_named(other)} and {_named(group)} were scored under different protocols or on different pictures "
                f"({key.replace('_', ' ')}: {str(one)[:60]} and {str(two)[:60]}): their figures must not be compared."
            )
    return sentences


def network_refusals(entries: Iterable[Entry]) -> list[str]:
    """A sentence for each figure that not all entries have from the same network."""
    having: dict[str, dict[str, Entry]] = {key: {} for key in NETWORKS}
    for entry in entries:
        realism = entry.scores.realism
        protocol = entry.scores.protocol | ({"features": realism.protocol} if realism else {})
        for key in NETWORKS:
            if key in protocol:
                having[key].setdefault(str(protocol[key])[:80], entry)
    sentences = []
    for key, found in having.items():
        if len(found) > 1:
            (one, entry), (two, other), *_ = found.items()
            sentences.append(
                f"{_FIGURES[key]} of {entry.name} and {other.name} is by different networks ({one}; {two}): it must "
                "not be compared."
            )
    return sentences


def contests(group: Sequence[Entry]) -> list[Contest]:
    """Paired differences to the best run of a group, for each of the model's rows that two runs at least have."""
    found = []
    for name in ("model", "model, calibrated"):
        having = [(entry, values) for entry in group if (values := _judged(entry, name))]
        if len(having) < 2:
            continue
        having.sort(key=lambda pair: sum(pair[1].values()) / len(pair[1]), reverse=True)
        (best, top), *others = having
        found.append(Contest(name, best, [_difference(entry, values, top) for entry, values in others]))
    return found


def differing(runs: Sequence[Run]) -> list[list[tuple[str, str]]]:
    """For each run the settings in which the runs differ, a few of them; those of sections that matter most first."""
    names = dict.fromkeys(name for run in runs for name in run.settings if name not in _NO_SETTINGS)
    varied = [name for name in names if len({run.settings.get(name) for run in runs}) > 1]
    order = ("method.", "optimiser.", "training.", "generator.", "discriminator.", "codec.", "data.")
    varied.sort(key=lambda name: next((i for i, start in enumerate(order) if name.startswith(start)), len(order)))
    return [
        [(name.removeprefix("training.")[:60], run.settings[name][:40]) for name in varied if name in run.settings][
            :MAX_DIFFERING
        ]
        for run in runs
    ]


def ranked(runs: Sequence[Run]) -> list[int]:
    """Numbers of the runs from 1, those with the best scores first, the others as they were given."""
    best = {entry.number: entry.psnr for entry in reversed(entries_of(runs))}
    return sorted(range(1, len(runs) + 1), key=lambda number: -best.get(number, float("-inf")))


def same_pictures(runs: Sequence[Run]) -> list[tuple[str, str, list[tuple[int, Picture]]]]:
    """Direction, name and panels of pictures that several runs show, with the numbers of the runs.

    Those of most runs come first. Of many runs the best ones are taken.
    """
    numbers = sorted(ranked(runs)[:MAX_SHARED_RUNS])
    found: dict[tuple[str, str, str], list[tuple[int, Picture]]] = {}
    for number in numbers:
        run = runs[number - 1]
        for part in run.parts:
            for picture in part.panels:
                if picture.uri and picture.entry:
                    key = (part.title, picture.entry.name, str(run.split.get("digest", "")))
                    found.setdefault(key, []).append((number, picture))
    several = [(title, name, panels) for (title, name, _), panels in found.items() if len(panels) > 1]
    several.sort(key=lambda one: -len(one[2]))
    return several[:MAX_SHARED_PICTURES]


def folds_of(runs: Sequence[Run]) -> list[int] | None:
    """The folds, from 0, that runs of one recipe are, if that is all that they differ in."""
    if len(runs) < 2 or any(not run.settings.get("data.split.folds", "1").isdecimal() for run in runs):
        return None
    free = (*_NO_SETTINGS, "data.split.fold")
    recipes = [{key: value for key, value in run.settings.items() if key not in free} for run in runs]
    folds = [run.settings.get("data.split.fold", "0") for run in runs]
    alike = all(recipe == recipes[0] for recipe in recipes) and len(set(folds)) == len(runs)
    several = runs[0].settings.get("data.split.folds", "1") != "1"
    return [int(fold) for fold in folds] if alike and several and all(map(str.isdecimal, folds)) else None


def _direction(entry: Entry) -> str:
    return entry.part.direction or "ab"


def _named(group: Sequence[Entry]) -> str:
    more = f" (and {len(group) - 1} like it)" if len(group) > 1 else ""
    return f"{group[0].name}{more}"


def _judged(entry: Entry, row: str) -> dict[str, float]:
    pictures = entry.scores.per_picture
    return {
        one.name: one.psnr[row] for one in pictures if row in one.psnr and (one.coloured or not entry.scores.colourises)
    }


def _difference(entry: Entry, values: dict[str, float], top: dict[str, float]) -> Difference:
    shared = sorted(values.keys() & top.keys())
    differences = [values[name] - top[name] for name in shared[:MAX_RESAMPLED]]
    return Difference(entry, len(shared), bootstrap_interval(differences) if differences else None)
