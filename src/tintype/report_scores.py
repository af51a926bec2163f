"""What the HTML report shows of scores.json, scores_ab.json and scores_ba.json: layouts that are checked and bounded.

Holds no reading of files and no page; `report_run.py` reads. These are not the `Scores` that an evaluation makes: the
files may come from anyone and from other versions, so all that the page can do without may be absent.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from tintype.metrics.scores import CONSISTENCY_LABELS, FACTOR_ON_REDRAWN

FURTHER = "further: "
"""Begins the keys of figures that are no fields of a row."""


class Interval(BaseModel):
    """A mean and, where it is known, its confidence interval."""

    mean: float
    low: float | None = None
    high: float | None = None


def _interval_from_number(value: object) -> object:
    return {"mean": value} if isinstance(value, int | float) else value


Drawable = Annotated[float, Field(gt=-1e30, lt=1e30)]
Estimate = Annotated[Interval, BeforeValidator(_interval_from_number)] | None


class Row(BaseModel):
    """A contender, the model or a baseline, over the judged pictures."""

    name: str
    strength: Drawable | None = None
    psnr: Estimate = None
    ssim: Estimate = None
    ciede2000: Estimate = None
    colourfulness: Estimate = None
    colourfulness_ratio: Estimate = None
    gain: Estimate = None
    more: dict[str, Estimate] = Field({}, max_length=20)

    @property
    def is_model(self) -> bool:
        """Whether this is the model, at whatever strength."""
        return self.name.split(",")[0] == "model"

    @property
    def is_run(self) -> bool:
        """Whether this is another run, which is no trivial baseline."""
        return self.name.startswith("run ")

    @property
    def is_baseline(self) -> bool:
        """Whether this is a trivial baseline."""
        return not self.is_model and not self.is_run

    @property
    def label(self) -> str:
        """Name for reading, with the strength where the name does not hold it."""
        if self.strength is None or self.is_run or "strength" in self.name:
            return self.name
        return f"{self.name}, strength {self.strength:g}"


class DialPoint(BaseModel):
    """The model at one strength of colour."""

    strength: Drawable
    gain: Drawable | None = None
    colourfulness_ratio: Drawable | None = None


class PanelEntry(BaseModel):
    """A strip of source, generated, where there is a way back its result, and truth; `file` is relative to the run."""

    kind: str = ""
    name: str = ""
    file: str
    psnr: float | None = None
    grey_copy_psnr: float | None = None


class GreyPictures(BaseModel):
    """What the model did on pictures whose truth is grey."""

    count: int
    psnr: float | None = None
    invented_chroma: float | None = None


class Likeness(BaseModel):
    """How alike two versions of pictures are."""

    pictures: int | None = None
    psnr: Estimate = None
    ssim: Estimate = None


class Consistency(BaseModel):
    """Whether pictures survive the way there and back, whether those already there stay, and how much is changed."""

    cycle: Likeness | None = None
    identity: Likeness | None = None
    change: Likeness | None = None

    @property
    def rows(self) -> list[tuple[str, Likeness]]:
        """All three with their names, the change always among them; those that were not judged are empty."""
        return [(label, getattr(self, name) or Likeness()) for name, label in CONSISTENCY_LABELS.items()]


class Comparison(BaseModel):
    """The model against another run: paired differences of a figure, and what they show."""

    name: str
    baseline: str
    difference: Estimate = None
    outcome: str = ""


class RealismRow(BaseModel):
    """How far a contender's pictures are from real ones as a set; the smaller, the nearer."""

    name: str
    strength: Drawable | None = None
    kid: Estimate = None
    frechet: Estimate = None


class Realism(BaseModel):
    """Kernel distances of all contenders, and what they were measured with."""

    protocol: str = ""
    pictures: int | None = None
    rows: list[RealismRow] = Field([], max_length=100)
    against_runs: list[Comparison] = Field([], max_length=100)


Cell = Annotated[str, Field(max_length=200)]


class Table(BaseModel):
    """Figures that are shown as they are written: one row of `head` and rows of as many cells."""

    title: Cell = ""
    caption: str = Field("", max_length=1000)
    head: list[Cell] = Field([], max_length=12)
    rows: list[Annotated[list[Cell], Field(max_length=12)]] = Field([], max_length=100)


def _primary_psnr(entry: object) -> object:
    """A picture of `per_picture` with the PSNR of each contender gathered under `psnr`."""
    if not isinstance(entry, dict):
        return entry
    psnr = {name: figures["psnr"] for name, figures in entry.items() if isinstance(figures, dict) and "psnr" in figures}
    return {"name": entry.get("name"), "coloured": entry.get("coloured", True), "psnr": psnr}


class Judged(BaseModel):
    """A single picture: whether its truth has colour, and the PSNR of each contender in dB."""

    name: str
    coloured: bool = True
    psnr: dict[str, Drawable] = {}


class Scores(BaseModel):
    """The part of a file of scores that the page shows."""

    protocol: dict[str, Any] = {}
    pictures: int | None = None
    coloured: int | None = None
    reference: str = "grey copy"
    rows: list[Row] = Field([], max_length=100)
    grey_pictures: GreyPictures | None = None
    verdict: str = ""
    notes: list[str] = Field([], max_length=1_000)
    dial: list[DialPoint] | None = Field(None, max_length=2_000)
    panels: list[PanelEntry] = Field([], max_length=24)
    consistency: Consistency | None = None
    realism: Realism | None = None
    tables: list[Table] = Field([], max_length=20)
    against_runs: list[Comparison] = Field([], max_length=100)
    per_picture: list[Annotated[Judged, BeforeValidator(_primary_psnr)]] = Field([], max_length=200_000)

    @property
    def colourises(self) -> bool:
        """Whether only pictures whose truth has colour are judged."""
        return self.reference == "grey copy"

    @property
    def best_model(self) -> Row | None:
        """The model's row with the highest PSNR."""
        rows = [row for row in self.rows if row.is_model and row.psnr]
        return max(rows, key=lambda row: row.psnr.mean if row.psnr else -math.inf, default=None)

    @property
    def of_folds(self) -> bool:
        """Whether several models of a cross-validation were judged as one."""
        return str(self.protocol.get("split", "")).startswith("test parts of")

    @property
    def redraws(self) -> bool:
        """Whether strength scales the chroma of a picture that the network drew, and not chroma that it predicted."""
        return self.protocol.get("strength") == FACTOR_ON_REDRAWN

    def figure_of(self, row: Row, key: str) -> Interval | None:
        """A figure of a row of the table: a field of it, one of its further ones behind `FURTHER`, or of realism."""
        if key in ("kid", "frechet"):
            rows = self.realism.rows if self.realism else []
            found = next((one for one in rows if (one.name, one.strength) == (row.name, row.strength)), None)
            return getattr(found, key, None)
        further = key.removeprefix(FURTHER)
        return row.more.get(further) if further != key else getattr(row, key)

    @property
    def duels(self) -> list[tuple[Comparison, Comparison | None]]:
        """The model against other runs, by PSNR and, where realism was judged, by KID."""
        kids = {(one.name, one.baseline): one for one in (self.realism.against_runs if self.realism else [])}
        return [(one, kids.get((one.name, one.baseline))) for one in self.against_runs]

    @property
    def realism_warnings(self) -> list[str]:
        """One sentence for each model row whose pictures are further from real ones than those of the reference."""
        rows = self.realism.rows if self.realism else []
        reference = next((row.kid for row in rows if row.name == self.reference), None)
        found = []
        for row in rows:
            if reference and row.name.split(",")[0] == "model" and row.kid and row.kid.mean > reference.mean:
                sure = row.kid.low is not None and reference.high is not None and row.kid.low > reference.high
                found.append(
                    f"By KID the {self.reference} {'is' if sure else 'seems'} nearer to real pictures "
                    f"({reference.mean:.4g}) than the {row.name} ({row.kid.mean:.4g})."
                )
        return found

    @property
    def warnings(self) -> list[str]:
        """For each model row a sentence where the mean PSNR of baselines exceeds its own, and one for other runs."""
        sentences = []
        for model in self.rows:
            if model.is_model and model.psnr:
                ahead = self.ahead_of(model)
                for runs in (False, True):
                    better = [
                        f"{row.name.removeprefix('run ')} ({row.psnr.mean:.2f} dB)"
                        for row in ahead
                        if row.is_run is runs and row.psnr
                    ]
                    if better:
                        *first, last = better
                        names = f"{', '.join(first)} and {last}" if first else last
                        if runs:
                            names = f"other runs, {names}," if first else f"another run, {last},"
                        verb = "have" if first else "has"
                        figure = f"the {model.label} ({model.psnr.mean:.2f} dB)"
                        sentences.append(f"{names} {verb} a higher PSNR than {figure}.")
        return [sentence[:1].upper() + sentence[1:] for sentence in sentences]

    def ahead_of(self, model: Row) -> list[Row]:
        """Baselines and other runs whose mean PSNR lies above that of `model`."""
        bar = model.psnr.mean if model.psnr else math.inf
        return [row for row in self.rows if not row.is_model and row.psnr and row.psnr.mean > bar]

    def beaten_by_a_baseline(self, model: Row) -> bool:
        """Whether one of them is a trivial baseline."""
        return any(row.is_baseline for row in self.ahead_of(model))

    @property
    def summary_rows(self) -> list[Row]:
        """The model's rows and the baseline with the best PSNR."""
        baselines = [row for row in self.rows if row.is_baseline and row.psnr]
        best = max(baselines, key=lambda row: row.psnr.mean if row.psnr else -math.inf, default=None)
        return [row for row in self.rows if row.is_model or row is best]

    @property
    def calibrated_strength(self) -> float | None:
        """Strength of the calibrated row, where there is one."""
        return next((row.strength for row in self.rows if row.name == "model, calibrated"), None)
