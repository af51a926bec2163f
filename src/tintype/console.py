"""Progress for people: a live bar on a terminal, plain lines otherwise. Everything goes to standard error."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_LINE_EVERY_S = 5.0


class Reporter:
    """Shows how far a piece of long work is; use as a context manager."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last_line = 0.0
        self._began = (0.0, 0)

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def line(self, text: str) -> None:
        """A line that stays."""
        self._console.print(escape(text))

    def begin(self, what: str, total: int | None, done: int = 0) -> None:
        """Start a piece of work of `total` parts (None: not known yet), `done` of which are already there."""
        self.end()
        self._what, self._began, self._last_line = what, (time.monotonic(), done), time.monotonic()
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", style="dim"),
                console=self._console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(what, total=total, completed=done, note="")

    def update(self, done: int, total: int | None = None, note: str = "") -> None:
        """Say how far it is; on a terminal at once, otherwise every few seconds."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, note=escape(note))
            return
        now = time.monotonic()
        if now - self._last_line < _LINE_EVERY_S:
            return
        self._last_line = now
        progress = f"{self._what} {done}"
        if total:
            start, already = self._began
            left = (now - start) / max(1, done - already) * (total - done)
            progress += f"/{total}, {_duration(left)} left"
        self.line(f"{progress}{', ' if note else ''}{note}")

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
