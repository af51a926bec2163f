"""What the HTML report shows of scores.json, scores_ab.json and scores_ba.json: layouts that are checked and bounded.

Holds no reading of files and no page; `report_run.py` reads. These are not the `Scores` that an evaluation makes: the
files may come from anyone and from other versions, so all that the page can do without may be absent.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from tintype.metrics.scores import CONSISTENCY_LABELS


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

    @property
    def is_model(self) -> bool:
        """Whether this is the model, at whatever strength."""
        return self.name.split(",")[0] == "model"

    @property
    def label(self) -> str:
        """Name for reading, with the strength where the name does not hold it."""
        if self.strength is None or "strength" in self.name:
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

    @property
    def warnings(self) -> list[str]:
        """One sentence for each model row whose mean PSNR a baseline exceeds."""
        sentences = []
        for model in self.rows:
            if model.is_model and model.psnr and (better := self.better_than(model)):
                *first, last = (f"{row.name} ({row.psnr.mean:.2f} dB)" for row in better if row.psnr)
                names = f"{', '.join(first)} and {last}" if first else last
                verb = "has" if len(better) == 1 else "have"
                sentences.append(f"{names} {verb} a higher PSNR than the {model.label} ({model.psnr.mean:.2f} dB).")
        return [sentence[:1].upper() + sentence[1:] for sentence in sentences]

    def better_than(self, model: Row) -> list[Row]:
        """Baselines whose mean PSNR lies above that of `model`."""
        bar = model.psnr.mean if model.psnr else math.inf
        return [row for row in self.rows if not row.is_model and row.psnr and row.psnr.mean > bar]

    @property
    def summary_rows(self) -> list[Row]:
        """The model's rows and the baseline with the best PSNR."""
        baselines = [row for row in self.rows if not row.is_model and row.psnr]
        best = max(baselines, key=lambda row: row.psnr.mean if row.psnr else -math.inf, default=None)
        return [row for row in self.rows if row.is_model or row is best]

    @property
    def calibrated_strength(self) -> float | None:
        """Strength of the calibrated row, where there is one."""
        return next((row.strength for row in self.rows if row.name == "model, calibrated"), None)
