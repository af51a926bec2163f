"""Progress for people: a live bar on a terminal, plain lines otherwise. Everything goes to standard error."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

_LINE_EVERY_S = 5.0
_RATE_OVER_S = 30.0


class Reporter:
    """Shows how far a piece of long work is; use as a context manager."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last_line = 0.0
        self._what = ""
        self._total: int | None = None
        self._marks = deque([(time.monotonic(), 0)])

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
        self._what, self._total, self._last_line = what, total, time.monotonic()
        self._marks = deque([(time.monotonic(), done)])
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TextColumn("{task.fields[note]}", style="dim"),
                console=self._console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(what, total=total, completed=done, rate="", note="")

    def update(self, done: int, total: int | None = None, note: str = "") -> None:
        """Say how far it is, how fast and how long it will take; on a terminal at once, otherwise every few seconds."""
        total = total or self._total
        now = time.monotonic()
        if now - self._marks[-1][0] >= 1 or len(self._marks) == 1:
            self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[1][0] > _RATE_OVER_S:
            self._marks.popleft()
        if self._bar is not None and self._task is not None:
            rate = ", ".join(self._speed(done, total, now))
            self._bar.update(self._task, completed=done, total=total, rate=rate, note=escape(note))
            return
        if now - self._last_line < _LINE_EVERY_S:
            return
        self._last_line = now
        far = f"{self._what} {done:,}" + (f"/{total:,}" if total else "")
        self.line(", ".join([far, *self._speed(done, total, now), *filter(None, [note])]))

    def _speed(self, done: int, total: int | None, now: float) -> list[str]:
        """Rate and time left, as of the last half a minute: what went before may have been other work."""
        since, already = self._marks[0]
        if done <= already or now <= since:
            return []
        rate = (done - already) / (now - since)
        said = [f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min"]
        return [*said, f"{duration((total - done) / rate)} left"] if total else said

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None


def duration(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
