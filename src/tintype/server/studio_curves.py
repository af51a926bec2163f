"""Run folders as they grow: which there are, their curves read on from where reading stopped, and their newest samples.

Knows nothing of pages. The files may come from anyone, so what is read of them is bounded.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import numpy as np
import yaml

from tintype.report_events import Curve, Events

MAX_RUNS = 200
MAX_POINTS = 300
"""Of a curve as it is drawn."""
_MAX_READ = 64 << 20
_MAX_LINE = 1 << 20
_MAX_SAMPLE = 16 << 20
_MAX_RECIPE = 1 << 20


def find_runs(folder: Path) -> dict[str, Path]:
    """The run folders in a folder, or itself if it is one, by the names that visitors see; the newest first."""
    if (folder / "recipe.yaml").is_file():
        return {folder.resolve().name: folder}
    found = [path.parent for pattern in ("*/recipe.yaml", "*/*/recipe.yaml") for path in folder.glob(pattern)]
    found.sort(key=_changed, reverse=True)
    return {path.relative_to(folder).as_posix(): path for path in found[:MAX_RUNS]}


@final
@dataclass(slots=True)
class GrowingRun:
    """A run folder that may be in training.

    Attributes:
        folder: The run.
        events: What events.jsonl has said until now.
    """

    folder: Path
    events: Events = field(default_factory=Events)
    _read: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read_on(self) -> bool:
        """Take in the lines that have come since the last time; whether there were any."""
        with self._lock:
            try:
                with (self.folder / "events.jsonl").open("rb") as file:
                    if file.seek(0, 2) < self._read:  # begun anew
                        self._read, self.events = 0, Events()
                    file.seek(self._read)
                    content = file.read(_MAX_READ)
            except OSError:
                return False
            end = content.rfind(b"\n") + 1
            if end == 0:
                return False
            self._read += end
            self.events.add_lines(line for line in content[:end].split(b"\n") if 0 < len(line) <= _MAX_LINE)
            return True

    @property
    def steps_wanted(self) -> int | None:
        """Steps that the recipe asks for; None: it does not say."""
        try:
            with (self.folder / "recipe.yaml").open("rb") as file:
                recipe = yaml.safe_load(file.read(_MAX_RECIPE))
        except (OSError, ValueError, yaml.YAMLError, RecursionError):
            return None
        training = recipe.get("training") if isinstance(recipe, dict) else None
        steps = training.get("steps") if isinstance(training, dict) else None
        return steps if type(steps) is int else None

    def samples(self, most: int = 4) -> list[tuple[Path, str]]:
        """The newest sample panels and their titles, the newest first."""
        found: list[tuple[Path, str]] = []
        for path in sorted((self.folder / "samples").glob("*.png"), reverse=True):
            step = re.match(r"step-(\d{1,12})(_(?:ab|ba))?$", path.stem)
            if step and len(found) < most and not path.is_symlink() and path.stat().st_size <= _MAX_SAMPLE:
                direction = {"_ab": ", A to B", "_ba": ", B to A"}.get(step[2] or "", "")
                found.append((path, f"step {int(step[1]):,}{direction}"))
        return found


def drawn(curves: dict[str, Curve]) -> list[tuple[int, float, str]]:
    """Points of curves as they are drawn: step, value, name; of long ones the means of as many equal parts."""
    points = []
    for name, curve in curves.items():
        steps, values = np.array(list(curve), np.float64), np.array(list(curve.values()), np.float64)
        parts = min(len(steps), MAX_POINTS)
        for some_steps, some_values in zip(
            np.array_split(steps, parts) if parts else [], np.array_split(values, parts) if parts else [], strict=True
        ):
            points.append((round(some_steps.mean()), float(some_values.mean()), name))
    return points


def _changed(folder: Path) -> float:
    """When a run last said something."""
    try:
        return (folder / "events.jsonl").stat().st_mtime
    except OSError:
        return 0.0
