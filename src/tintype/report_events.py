"""What the HTML report takes from events.jsonl: curves by step and the few facts that stand between them.

Holds no opinion on them; `report_warnings.py` has those. The file may come from anyone, so all numbers are checked and
the number of curves is bounded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MAX_CURVES = 24

Curve = dict[int, float]


@dataclass(slots=True)
class Events:
    """Curves by step; where a resumed run repeats a step, its later value counts."""

    terms: dict[str, Curve] = field(default_factory=dict)
    health: dict[str, Curve] = field(default_factory=dict)
    validation: dict[str, Curve] = field(default_factory=dict)
    lr: Curve = field(default_factory=dict)
    seconds: Curve = field(default_factory=dict)
    """Time spent on training steps, without pauses, validation and samples."""
    notes: list[tuple[int, str]] = field(default_factory=list)
    best_step: int | None = None
    step: int = 0
    images_seen: int | None = None
    device: str = ""
    ended: bool = False
    diverged: str = ""
    unreadable: int = 0
    not_finite: int = 0

    @property
    def reference(self) -> tuple[str, Curve]:
        """Name and validation PSNR of the baseline that the task is judged against; an empty curve without one."""
        known = {"grey copy": "grey_copy_psnr", "identity": "identity_psnr", "bicubic": "bicubic_psnr"}
        return next(((name, self.validation[key]) for name, key in known.items() if key in self.validation), ("", {}))

    def sum_of(self, phase: str) -> Curve:
        """The loss of a phase, "d" or "g", as it was differentiated; penalties, which are not due at every step, apart.

        Empty where the phase has a single term, which then is its own sum.
        """
        curves = [c for name, c in self.terms.items() if name.startswith(f"{phase}/") and "penalty" not in name]
        if len(curves) < 2:
            return {}
        return {step: sum(c[step] for c in curves if step in c) for step in sorted({s for c in curves for s in c})}

    def over_time(self, curve: Curve) -> dict[float, float]:
        """A curve against seconds of training; empty where times are unknown."""
        if not self.seconds:
            return {}
        steps = [0, *self.seconds]
        times = np.interp(list(curve), steps, [0.0, *self.seconds.values()])
        return {float(time): value for time, value in zip(times, curve.values(), strict=True)}

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
                self._add_values(self.health, event.get("health"), step)
                self._add_values({"lr": self.lr}, {"lr": event.get("lr")}, step)
                self._add_time(event, step)
                self.diverged = ""
            case "validation":
                self._add_values(self.validation, event.get("scores"), step)
                self.best_step = step if event.get("best") is True else self.best_step
            case "note":
                self.notes.append((step, str(event.get("text", ""))[:2_000]))
            case "diverged":
                self.diverged = str(event.get("text", ""))[:500] or "training has diverged"
            case "end":
                self.ended = True

    def add_lines(self, lines: Iterable[bytes]) -> None:
        """Take in lines of events.jsonl; those that hold no event are counted."""
        for line in lines:
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                event = None
            if isinstance(event, dict):
                self.add(event)
            else:
                self.unreadable += 1

    def _add_time(self, event: dict[str, Any], step: int) -> None:
        seen, rate = event.get("images_seen"), event.get("images_per_second")
        if type(seen) is not int:
            return
        new, self.images_seen = seen - (self.images_seen or 0), seen
        last = next(reversed(self.seconds), 0)
        if isinstance(rate, int | float) and 1e-9 < rate < 1e12 and 0 < new < 10**12 and step > last:
            self.seconds[step] = self.seconds.get(last, 0.0) + new / rate

    def _add_values(self, curves: dict[str, Curve], values: object, step: int) -> None:
        for name, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, int | float) and -1e30 < value < 1e30:
                if name in curves or len(curves) < MAX_CURVES:
                    curves.setdefault(name, {})[step] = float(value)
            elif value is not None:
                self.not_finite += 1


def events_of(lines: Iterable[bytes]) -> Events:
    """The events of a file's lines; those that hold none are counted."""
    events = Events()
    events.add_lines(lines)
    return events
