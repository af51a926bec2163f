"""What the HTML report reads: the files of a run folder, bounded and checked, as plain objects.

Holds no drawing and no page. The files may come from anyone, so sizes are bounded, layouts are validated and only real
PNG files inside the folder are taken; whatever is absent or unusable is named in `Run.missing` instead of raising.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tintype.errors import RunError
from tintype.report_scores import PanelEntry, Scores

MAX_CURVES = 24
MAX_TEXT_BYTES = 1 << 20
MAX_JSON_BYTES = 16 << 20
MAX_EVENT_BYTES = 256 << 20
MAX_PICTURE_BYTES = 16 << 20
MAX_PICTURE_SIDE = 16_384

DIRECTION_TITLES = {"ab": "A to B", "ba": "B to A"}


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

    @property
    def reference(self) -> tuple[str, Curve]:
        """Name and validation PSNR of the baseline that the task is judged against; an empty curve without one."""
        known = {"grey copy": "grey_copy_psnr", "identity": "identity_psnr"}
        return next(((name, self.validation[key]) for name, key in known.items() if key in self.validation), ("", {}))

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


@dataclass(frozen=True, slots=True)
class Part:
    """What a run shows of one direction; `direction` is "ab" or "ba", or "" in a run that has only one."""

    direction: str
    scores: Scores | None
    panels: list[Picture]
    samples: list[Picture]

    @property
    def title(self) -> str:
        """The direction for reading; nothing where there is only one."""
        return DIRECTION_TITLES.get(self.direction, "")

    @property
    def ranked(self) -> bool:
        """Whether the panels are the best, the median and the worst, which takes a truth."""
        return any(picture.entry and picture.entry.kind != "sample" for picture in self.panels)


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
    events: Events = field(default_factory=Events)
    missing: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.resolve().name

    @property
    def scored(self) -> list[tuple[Part, Scores]]:
        """The directions that have scores."""
        return [(part, part.scores) for part in self.parts if part.scores]

    @property
    def paired(self) -> list[tuple[Part, Scores]]:
        """Those whose pictures have partners, so that there are rows to show."""
        return [(part, scores) for part, scores in self.scored if scores.rows]

    @property
    def consistent(self) -> list[tuple[Part, Scores]]:
        """Those that were judged by the way there and back."""
        return [(part, scores) for part, scores in self.scored if scores.consistency]

    @property
    def finished(self) -> bool:
        """Whether training came to its end, as an event, its last step or, in a run of epochs, its scores show."""
        reached = self.events.step >= self.steps_wanted if self.steps_wanted else bool(self.scored)
        return self.events.ended or reached

    @property
    def notes(self) -> list[tuple[int | None, str]]:
        """Notes of the training with their steps, then those of the scores."""
        said = {text for _, text in self.events.notes}
        scored = dict.fromkeys(text for _, scores in self.scored for text in scores.notes if text not in said)
        return [*self.events.notes, *((None, text) for text in scored)]

    @property
    def validation_warning(self) -> str:
        """A sentence where the reference is ahead at the best validation."""
        name, reference = self.events.reference
        model = self.events.validation.get("psnr", {})
        shared = model.keys() & reference.keys()
        best = (
            self.events.best_step
            if self.events.best_step in shared
            else max(shared, key=model.__getitem__, default=None)
        )
        if best is None or model[best] >= reference[best]:
            return ""
        where = "On" if len(self.parts) == 1 else "From A to B, on"
        return (
            f"{where} the validation pictures {name} ({reference[best]:.2f} dB) has a higher PSNR than the model "
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
    run.parts = [_read_part(run, direction) for direction in _directions(recipe)]
    if not any(part.samples for part in run.parts):
        run.missing.append("samples: no sample panels have been drawn yet.")
    return run


def _directions(recipe: object) -> tuple[str, ...]:
    """The directions of a recipe as the names of its files have them: only pix2pix has a single one."""
    method = recipe.get("method") if isinstance(recipe, dict) else None
    two = isinstance(method, dict) and method.get("kind") == "cyclegan"
    return tuple(DIRECTION_TITLES) if two else ("",)


def _read_part(run: Run, direction: str) -> Part:
    suffix = f"_{direction}" if direction else ""
    name, scores = f"scores{suffix}.json", None
    if content := _read_json(run, name, "the run has not been scored yet, which happens at its end"):
        try:
            scores = Scores.model_validate(content)
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
            run.missing.append(f"{name} has an unknown layout at {place[:100]}; no scores are shown.")
    panels = [
        Picture(f"{entry.kind} {entry.name}".strip(), _png_uri(run.folder, entry.file), entry)
        for entry in (scores.panels if scores else ())
    ]
    return Part(direction, scores, panels, _read_samples(run.folder, suffix))


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


def _read_samples(folder: Path, suffix: str) -> list[Picture]:
    paths = sorted((folder / "samples").glob(f"*{suffix}.png"))
    last = len(paths) - 1
    chosen = sorted({i for i in (0, last // 2, last - 2, last - 1, last) if 0 <= i <= last})
    return [
        Picture(_sample_title(paths[i].stem.removesuffix(suffix)), _png_uri(folder, f"samples/{paths[i].name}"))
        for i in chosen
    ]


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
