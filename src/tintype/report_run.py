"""What the HTML report reads: the files of a run folder, bounded and checked, as plain objects.

Holds no drawing and no page. The files may come from anyone, so sizes are bounded, layouts are validated and only real
PNG files inside the folder are taken; whatever is absent or unusable is named in `Run.missing` instead of raising.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tintype.errors import RunError
from tintype.recipe.rules_unpaired import TWO_WAY
from tintype.report_events import Events, events_of
from tintype.report_pictures import Budget, embed
from tintype.report_scores import PanelEntry, Scores
from tintype.report_warnings import Game, training_warnings

MAX_TEXT_BYTES = 1 << 20
MAX_JSON_BYTES = 16 << 20
MAX_EVENT_BYTES = 256 << 20
MAX_SETTINGS = 300

DIRECTION_TITLES = {"ab": "A to B", "ba": "B to A"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to embed; `uri` is None where there is no usable file, and `lack` says why."""

    title: str
    uri: str | None
    entry: PanelEntry | None = None
    lack: str = ""


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
    def fixed(self) -> list[Picture]:
        """Panels of pictures that were chosen by name, the same ones in every run on the same pictures."""
        return [picture for picture in self.panels if picture.entry and picture.entry.kind == "sample"]

    @property
    def extremes(self) -> list[Picture]:
        """Panels of the best, the median and the worst picture."""
        return [picture for picture in self.panels if picture.entry and picture.entry.kind != "sample"]

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
    settings: dict[str, str] = field(default_factory=dict)
    """All fields of the recipe by their full names, as text."""
    game: Game = field(default_factory=Game)

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
    def warnings(self) -> list[str]:
        """All that this run warns of, a sentence each: its scores first, then its validation and its training."""
        found = []
        for part, scores in self.scored:
            prefix = f"{part.title}: " if part.title else ""
            found += [prefix + sentence for sentence in (*scores.warnings, *scores.realism_warnings)]
        return [*found, *filter(None, [self._validation_warning]), *training_warnings(self.events, self.game)]

    @property
    def _validation_warning(self) -> str:
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


def read_run(folder: Path, budget: Budget) -> Run:
    """Read what there is in a run folder.

    Args:
        folder: The run.
        budget: Bounds the bytes of its pictures.

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
        run.settings = dict(_flatten(recipe)[:MAX_SETTINGS])
        run.game = Game.of(recipe.get("method"))
    run.environment = _flatten(_read_json(run, "environment.json", "the machine and the versions are unknown"))[:100]
    run.split = _read_split(_read_json(run, "split.json", "which pictures were used for what is unknown"))
    run.events = _read_events(run)
    run.parts = [_read_part(run, direction, budget) for direction in _directions(recipe)]
    if not any(part.samples for part in run.parts):
        run.missing.append("samples: no sample panels have been drawn yet.")
    return run


def read_collected(file: Path) -> tuple[str, Scores]:
    """Name and content of a file of scores that stands for itself, such as that of all folds together.

    Raises:
        RunError: It holds no scores.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_JSON_BYTES + 1)
        if len(content) > MAX_JSON_BYTES:
            raise ValueError("too large")
        return file.name, Scores.model_validate(json.loads(content))
    except (OSError, ValueError, RecursionError):
        raise RunError(f"{file}: holds no scores: give a file that `tintype evaluate --json` wrote") from None


def _directions(recipe: object) -> tuple[str, ...]:
    """The directions of a recipe as the names of its files have them: those of methods that train both ways."""
    method = recipe.get("method") if isinstance(recipe, dict) else None
    two = isinstance(method, dict) and method.get("kind") in TWO_WAY
    return tuple(DIRECTION_TITLES) if two else ("",)


def _read_part(run: Run, direction: str, budget: Budget) -> Part:
    suffix = f"_{direction}" if direction else ""
    name, scores = f"scores{suffix}.json", None
    if content := _read_json(run, name, "the run has not been scored yet, which happens at its end"):
        try:
            scores = Scores.model_validate(content)
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
            run.missing.append(f"{name} has an unknown layout at {place[:100]}; no scores are shown.")
    panels = []
    for entry in scores.panels if scores else ():
        embedded = embed(run.folder, entry.file, budget)
        panels.append(Picture(f"{entry.kind} {entry.name}".strip(), embedded.uri, entry, embedded.lack))
    return Part(direction, scores, panels, _read_samples(run.folder, suffix, budget))


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
    lines = _read_bytes(run, "events.jsonl", MAX_EVENT_BYTES, "there are no curves and no notes").split(b"\n")
    events = events_of(filter(None, lines))
    if events.unreadable:
        run.missing.append(f"events.jsonl: {events.unreadable:,} line(s) could not be read and were left out.")
    if events.not_finite:
        run.missing.append(f"events.jsonl: {events.not_finite:,} value(s) were no finite numbers and were left out.")
    return events


def _read_samples(folder: Path, suffix: str, budget: Budget) -> list[Picture]:
    """Some of the samples over time; where there is no room for all, the latest ones."""
    paths = sorted((folder / "samples").glob(f"*{suffix}.png"))
    last = len(paths) - 1
    chosen = sorted({i for i in (0, last // 2, last - 2, last - 1, last) if 0 <= i <= last}, reverse=True)
    pictures = []
    for i in chosen:
        embedded = embed(folder, f"samples/{paths[i].name}", budget)
        pictures.append(Picture(_sample_title(paths[i].stem.removesuffix(suffix)), embedded.uri, lack=embedded.lack))
    return pictures[::-1]


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
