"""What the HTML report reads: the files of a run folder, bounded and checked, as plain objects.

Holds no drawing and no page. The files may come from anyone, so sizes are bounded, layouts are validated and only real
PNG files inside the folder are taken; whatever is absent or unusable is named in `Run.missing` instead of raising.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from tintype.errors import RunError

MAX_CURVES = 24
MAX_TEXT_BYTES = 1 << 20
MAX_JSON_BYTES = 16 << 20
MAX_EVENT_BYTES = 256 << 20
MAX_PICTURE_BYTES = 16 << 20
MAX_PICTURE_SIDE = 16_384


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
    """A strip of source, generated and truth; `file` is relative to the run folder."""

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


class Scores(BaseModel):
    """The part of scores.json that the page shows."""

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


Curve = dict[int, float]


@dataclass(slots=True)
class Events:
    """Curves by step; where a resumed run repeats a step, its later value counts."""

    terms: dict[str, Curve] = field(default_factory=dict)
    validation: dict[str, Curve] = field(default_factory=dict)
    lr: Curve = field(default_factory=dict)
    notes: list[tuple[int, str]] = field(default_factory=list)
    best_step: int | None = None
    step: int = 0
    images_seen: int | None = None
    device: str = ""
    ended: bool = False
    unreadable: int = 0
    not_finite: int = 0

    def add(self, event: dict[str, Any]) -> None:
        """Take in one line of events.jsonl."""
        step = event.get("step")
        if type(step) is not int or not 0 <= step < 10**12:
            step = self.step
        self.step = step
        match event.get("event"):
            case "start":
                self.ended = False
                self.device = str(event.get("device", ""))[:80]
            case "log":
                self._add_values(self.terms, event.get("terms"), step)
                self._add_values({"lr": self.lr}, {"lr": event.get("lr")}, step)
                seen = event.get("images_seen")
                self.images_seen = seen if type(seen) is int else self.images_seen
            case "validation":
                self._add_values(self.validation, event.get("scores"), step)
                self.best_step = step if event.get("best") is True else self.best_step
            case "note":
                self.notes.append((step, str(event.get("text", ""))[:2_000]))
            case "end":
                self.ended = True

    def _add_values(self, curves: dict[str, Curve], values: object, step: int) -> None:
        for name, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, int | float) and -1e30 < value < 1e30:
                if name in curves or len(curves) < MAX_CURVES:
                    curves.setdefault(name, {})[step] = float(value)
            elif value is not None:
                self.not_finite += 1


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to embed; `uri` is None where there is no usable file."""

    title: str
    uri: str | None
    entry: PanelEntry | None = None


@dataclass(slots=True)
class Run:
    """A run folder as far as it could be read."""

    folder: Path
    recipe_text: str = ""
    recipe_name: str = ""
    description: str = ""
    steps_wanted: int | None = None
    environment: list[tuple[str, str]] = field(default_factory=list)
    split: dict[str, Any] = field(default_factory=dict)
    scores: Scores | None = None
    events: Events = field(default_factory=Events)
    missing: list[str] = field(default_factory=list)
    panels: list[Picture] = field(default_factory=list)
    samples: list[Picture] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.resolve().name

    @property
    def finished(self) -> bool:
        """Whether training came to its end, as an event, its last step or, in a run of epochs, its scores show."""
        reached = self.events.step >= self.steps_wanted if self.steps_wanted else self.scores is not None
        return self.events.ended or reached

    @property
    def notes(self) -> list[tuple[int | None, str]]:
        """Notes of the training with their steps, then those of the scores."""
        said = {text for _, text in self.events.notes}
        scored = self.scores.notes if self.scores else []
        return [*self.events.notes, *((None, text) for text in scored if text not in said)]

    @property
    def validation_warning(self) -> str:
        """A sentence where grey copy is ahead at the best validation."""
        model, grey = (self.events.validation.get(key, {}) for key in ("psnr", "grey_copy_psnr"))
        shared = model.keys() & grey.keys()
        best = (
            self.events.best_step
            if self.events.best_step in shared
            else max(shared, key=model.__getitem__, default=None)
        )
        if best is None or model[best] >= grey[best]:
            return ""
        return (
            f"On the validation pictures grey copy ({grey[best]:.2f} dB) has a higher PSNR than the model "
            f"at its best step, {best:,} ({model[best]:.2f} dB)."
        )


def read_run(folder: Path) -> Run:
    """Read what there is in a run folder.

    Raises:
        RunError: It holds no recipe.yaml.
    """
    if not (folder / "recipe.yaml").is_file():
        raise RunError(
            f"{folder}: not a run folder, recipe.yaml is missing: give a folder that `tintype train --out` wrote"
        )
    run = Run(folder)
    run.recipe_text = _read_bytes(run, "recipe.yaml", MAX_TEXT_BYTES).decode(errors="replace")
    try:
        recipe = yaml.safe_load(run.recipe_text)
    except (yaml.YAMLError, ValueError, RecursionError):
        run.missing.append("recipe.yaml is not readable as YAML; it is shown as it is.")
        recipe = None
    if isinstance(recipe, dict):
        training = recipe.get("training")
        steps = training.get("steps") if isinstance(training, dict) else None
        run.recipe_name, run.description = (
            value if isinstance(value := recipe.get(key), str) else "" for key in ("name", "description")
        )
        run.steps_wanted = steps if type(steps) is int else None
    run.environment = _flatten(_read_json(run, "environment.json", "the machine and the versions are unknown"))[:100]
    run.split = _read_split(_read_json(run, "split.json", "which pictures were used for what is unknown"))
    run.events = _read_events(run)
    scores = _read_json(run, "scores.json", "the run has not been scored yet, which happens at its end")
    if scores:
        try:
            run.scores = Scores.model_validate(scores)
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
            run.missing.append(f"scores.json has an unknown layout at {place[:100]}; no scores are shown.")
    run.panels = [
        Picture(f"{entry.kind} {entry.name}".strip(), _png_uri(folder, entry.file), entry)
        for entry in (run.scores.panels if run.scores else ())
    ]
    run.samples = _read_samples(folder)
    if not run.samples:
        run.missing.append("samples: no sample panels have been drawn yet.")
    return run


def _read_bytes(run: Run, name: str, limit: int, otherwise: str = "") -> bytes:
    path = run.folder / name
    if not path.is_file():
        run.missing.append(f"{name} is missing: {otherwise}.")
        return b""
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        run.missing.append(f"{name} cannot be read: {error.strerror}.")
        return b""
    if len(content) > limit:
        run.missing.append(f"{name} is larger than {limit >> 20} MiB: the rest was not read.")
    return content[:limit]


def _read_json(run: Run, name: str, otherwise: str) -> dict[str, Any]:
    content = _read_bytes(run, name, MAX_JSON_BYTES, otherwise)
    try:
        value = json.loads(content) if content else {}
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        run.missing.append(f"{name} is damaged: {otherwise}.")
        return {}
    return value


def _read_split(value: dict[str, Any]) -> dict[str, Any]:
    def names(entry: object) -> list[str]:
        return [str(name)[:200] for name in entry if isinstance(name, str)] if isinstance(entry, list) else []

    if not value:
        return {}
    groups = value.get("groups")
    return {
        "counts": [(part, len(names(value.get(part)))) for part in ("train", "validation", "test")],
        "groups": [names(group) for group in groups] if isinstance(groups, list) else [],
        "digest": str(value.get("digest", ""))[:64],
    }


def _read_events(run: Run) -> Events:
    events = Events()
    lines = _read_bytes(run, "events.jsonl", MAX_EVENT_BYTES, "there are no curves and no notes").split(b"\n")
    for line in filter(None, lines):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if isinstance(event, dict):
            events.add(event)
        else:
            events.unreadable += 1
    if events.unreadable:
        run.missing.append(f"events.jsonl: {events.unreadable:,} line(s) could not be read and were left out.")
    if events.not_finite:
        run.missing.append(f"events.jsonl: {events.not_finite:,} value(s) were no finite numbers and were left out.")
    return events


def _read_samples(folder: Path) -> list[Picture]:
    paths = sorted((folder / "samples").glob("*.png"))
    last = len(paths) - 1
    chosen = sorted({i for i in (0, last // 2, last - 2, last - 1, last) if 0 <= i <= last})
    return [Picture(_sample_title(paths[i].stem), _png_uri(folder, f"samples/{paths[i].name}")) for i in chosen]


def _sample_title(stem: str) -> str:
    step = re.fullmatch(r"step-(\d{1,12})", stem)
    return f"Step {int(step[1]):,}" if step else stem


def _flatten(value: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, entry in value.items():
        if isinstance(entry, dict) and prefix.count(".") < 3:
            rows += _flatten(entry, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}"[:100], str(entry)[:300]))
    return rows


def _png_uri(folder: Path, name: str) -> str | None:
    """Data URI of a PNG inside `folder`; None for anything else, links that lead outside included."""
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file() or path.stat().st_size > MAX_PICTURE_BYTES:
            return None
        content = path.read_bytes()
    except (OSError, ValueError):
        return None
    if not content.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR") or content[-8:-4] != b"IEND" or len(content) < 45:
        return None
    if not all(0 < side <= MAX_PICTURE_SIDE for side in struct.unpack(">II", content[16:24])):
        return None
    return "data:image/png;base64," + base64.b64encode(content).decode()
