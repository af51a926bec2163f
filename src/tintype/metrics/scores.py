"""The result of an evaluation as data, JSON, a verdict and a table; how it is reached is in `tintype.evaluation`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import TypeAdapter

from tintype.metrics.interval import Interval

MINIMUM_FOR_VERDICT = 6
"""Fewest judged pictures for a decision: five of one sign would still give 2 / 2**5 = 6 % in a sign test."""

Outcome = Literal["better", "undecided", "no better"]


@dataclass(frozen=True, slots=True)
class Figures:
    """What is measured on one output against its truth."""

    psnr: float
    ssim: float
    ciede2000: float
    colourfulness: float


@dataclass(frozen=True, slots=True)
class PictureScores:
    """One picture: mean Lab chroma and colourfulness of its truth, and the figures of each contender by name."""

    name: str
    coloured: bool
    chroma: float
    truth_colourfulness: float
    figures: dict[str, Figures]


@dataclass(frozen=True, slots=True)
class Row:
    """One contender over the judged pictures.

    `strength` is None for baselines. `colourfulness_difference` is output minus truth; `colourfulness_ratio` compares
    the means, None where the truth has no colour at all. `gain` is the mean over pictures of the gain in PSNR over
    the reference, `pooled_gain` the gain of the squared errors of all pictures pooled; both in dB.
    """

    name: str
    strength: float | None
    psnr: Interval
    ssim: Interval
    ciede2000: Interval
    colourfulness: Interval
    colourfulness_difference: Interval
    colourfulness_ratio: float | None
    gain: Interval
    pooled_gain: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A row of the model against the baseline of highest mean PSNR: paired differences in dB, model minus baseline."""

    name: str
    strength: float
    baseline: str
    difference: Interval
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class GreyPictures:
    """Pictures whose truth is grey, in a task that colours: PSNR and mean Lab chroma of what the model made of them."""

    count: int
    psnr: float
    invented_chroma: float


@dataclass(frozen=True, slots=True)
class DialPoint:
    """The model at one strength: mean gain over grey copy in dB, and colourfulness as a fraction of the truth's."""

    strength: float
    gain: float
    colourfulness_ratio: float | None


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two versions of each of a number of pictures are; PSNR in dB."""

    pictures: int
    psnr: Interval
    ssim: Interval


@dataclass(frozen=True, slots=True)
class Consistency:
    """What can be said of one direction of a two-way translator without pairs.

    `cycle`: pictures of the source domain, and what the other direction makes of their translations; None where that
    is not at hand. `identity`: pictures of the target domain, and what the model makes of them; None where numbers of
    channels differ. `change`: pictures of the source domain and their translations; the lower, the more is changed.
    """

    cycle: Likeness | None
    identity: Likeness | None
    change: Likeness | None


@dataclass(frozen=True, slots=True)
class Scores:
    """A complete evaluation; the layout of `scores.json`.

    `rows` hold the model first, then the baselines, over the judged pictures: in a task that colours those whose truth
    has colour, otherwise all; none where no picture is judged. `reference` names the baseline that gains count
    from. `panels` is left to whoever draws them. `consistency` is there for translators of two directions; pictures
    without partners have nothing else.
    """

    protocol: dict[str, Any]
    pictures: int
    coloured: int
    grey: int
    reference: str
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]
    grey_pictures: GreyPictures | None
    dial: tuple[DialPoint, ...]
    verdict: str
    notes: tuple[str, ...]
    per_picture: tuple[PictureScores, ...]
    panels: tuple[dict[str, Any], ...] = ()
    consistency: Consistency | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; in `per_picture` the figures of each contender stand beside the picture's name."""
        data = TypeAdapter(Scores).dump_python(self, mode="json")
        for picture in data["per_picture"]:
            picture.update(picture.pop("figures"))
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Scores:
        """The scores that `to_dict` was taken from, exactly.

        Raises:
            pydantic.ValidationError: A ValueError; the data are something else.
        """
        own = set(PictureScores.__dataclass_fields__)
        per_picture = []
        for entry in data["per_picture"]:
            figures = {key: value for key, value in entry.items() if key not in own}
            per_picture.append({**{key: value for key, value in entry.items() if key in own}, "figures": figures})
        return TypeAdapter(cls).validate_python({**data, "per_picture": per_picture})

    def with_notes(self, notes: Iterable[str]) -> Scores:
        """The same scores with further notes: sentences on what a reader must know to judge the figures."""
        return replace(self, notes=(*self.notes, *notes))


def outcome(difference: Interval, judged: int) -> Outcome:
    """What a paired difference over `judged` pictures shows, decided on hundredths of a decibel, as printed."""
    if judged < MINIMUM_FOR_VERDICT or difference.low is None or difference.high is None:
        return "undecided"
    low, high = round(difference.low, 2), round(difference.high, 2)
    if low > 0:
        return "better"
    return "no better" if high < 0 or low == high == 0 else "undecided"


def verdict(comparisons: Sequence[Comparison], judged: int, colourises: bool) -> str:
    """One plain sentence on all comparisons, which are over `judged` pictures."""
    if not comparisons:
        return "No verdict: none of the pictures has colour in its truth."
    on = f"on {judged} {'coloured ' * colourises}picture{'s' * (judged != 1)}"
    clauses = []
    for comparison in comparisons:
        clause = _clause(comparison, judged, on)
        if len(comparisons) > 1 or comparison.strength != 1:
            kind = "calibrated strength" if comparison.name == "model, calibrated" else "strength"
            clause = f"at {kind} {comparison.strength:g}, {clause}"
        clauses.append(clause)
    sentence = "; ".join(clauses)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _clause(comparison: Comparison, judged: int, on: str) -> str:
    difference, baseline = comparison.difference, comparison.baseline
    if comparison.outcome == "better":
        return f"the model is better than the best baseline ({baseline}) by {_decibels(difference)} {on}"
    if comparison.outcome == "no better":
        lead = Interval(-difference.mean, _negative(difference.high), _negative(difference.low))
        win = f"{baseline} beats it by" if round(lead.mean, 2) > 0 else f"its difference from {baseline} is"
        return f"the model is no better than the best baseline: {win} {_decibels(lead)} {on}"
    few = judged < MINIMUM_FOR_VERDICT
    reason = f"fewer than the {MINIMUM_FOR_VERDICT} that a decision takes" if few else "and the interval includes 0"
    size = f"the difference is {_decibels(difference)} {on}"
    return f"it is undecided whether the model beats the best baseline ({baseline}): {size}, {reason}"


def _decibels(difference: Interval) -> str:
    ends = "" if difference.low is None else f" {_ends(difference, 2)}"
    return f"{difference.mean:z.2f} dB{ends}"


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


_COLUMNS = (
    ("PSNR, dB", "psnr", 2),
    ("gain, dB", "gain", 2),
    ("SSIM", "ssim", 3),
    ("CIEDE2000", "ciede2000", 2),
    ("colourfulness", "colourfulness", 1),
    ("minus truth's", "colourfulness_difference", 1),
)


CONSISTENCY_LABELS = {
    "cycle": "there and back (cycle)",
    "identity": "already there (identity)",
    "change": "translation against source (change)",
}
"""Fields of `Consistency` and what people are told that they are."""

CONSISTENCY_CAVEAT = (
    "Cycle and identity say that content is kept, not that a translation is good: changing nothing would be perfect."
)
"""Stands wherever a consistency is shown."""


def format_scores(scores: Scores) -> str:
    """The scores as plain text: a table of means with their 95 % intervals below, and the verdict as the last line."""
    lines = [
        f"{scores.pictures} picture{'s' * (scores.pictures != 1)}; in brackets: 95 % bootstrap intervals over pictures"
    ]
    if scores.per_picture:
        lines[0] = (
            f"{scores.pictures} pictures ({scores.coloured} with colour in their truth, {scores.grey} grey); "
            f"gain: over {scores.reference}; in brackets: 95 % bootstrap intervals over pictures"
        )
    lines.append("protocol: " + ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in scores.protocol.items()))
    if scores.rows:
        lines += ["", *_table(scores.rows), ""]
    if scores.grey_pictures is not None:
        grey = scores.grey_pictures
        lines.append(
            f"grey pictures, judged apart: {grey.count}, PSNR {grey.psnr:.2f} dB, "
            f"mean Lab chroma invented {grey.invented_chroma:.2f}"
        )
    if scores.consistency is not None:
        lines += consistency_lines(scores.consistency)
    return "\n".join([*lines, *scores.notes, scores.verdict])


def consistency_lines(consistency: Consistency) -> list[str]:
    """What could be judged without pairs, a line each, and what it does not say."""
    lines = []
    for field, label in CONSISTENCY_LABELS.items():
        one: Likeness | None = getattr(consistency, field)
        if one is not None:
            lines.append(
                f"{label:<36} PSNR {one.psnr.mean:.2f} dB {_ends(one.psnr, 2)}, "
                f"SSIM {one.ssim.mean:.3f} {_ends(one.ssim, 3)}, "
                f"{one.pictures} picture{'s' * (one.pictures != 1)}"
            )
    return [*lines, CONSISTENCY_CAVEAT]


def _table(rows: tuple[Row, ...]) -> list[str]:
    cells = [["", *(title for title, _, _ in _COLUMNS)]]
    for row in rows:
        intervals: list[tuple[Interval, int]] = [(getattr(row, field), digits) for _, field, digits in _COLUMNS]
        name = row.name if row.strength is None else f"{row.name} (strength {row.strength:g})"
        cells.append([name, *(f"{interval.mean:z.{digits}f}" for interval, digits in intervals)])
        cells.append(["", *(_ends(interval, digits) for interval, digits in intervals)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]).rstrip()
        for line in cells
    ]


def _ends(interval: Interval, digits: int) -> str:
    if interval.low is None or interval.high is None:
        return "[one picture]"
    return f"[{interval.low:z.{digits}f}, {interval.high:z.{digits}f}]"
