"""events.jsonl: what happened in a run, a line an event, in the order of steps, without gaps or repeats over restarts.

A checkpoint remembers how long the file was; going on from it first cuts off what a killed process had written later.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tintype.errors import OutputError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def read_events(path: Path) -> list[dict[str, Any]]:
    """All events of a run that this process wrote, or went on from; for files of strangers there is `report_events`."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_started(path: Path) -> list[str]:
    """What the networks of a run that has a checkpoint started from, as it was said then; nothing without a journal."""
    found: list[str] = []
    with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if event["event"] != "note":  # all of them come before the first step
                break
            if event.get("started"):
                found.append(event["text"])
    return found


class Journal:
    """Appends events to a file, and to TensorBoard where the recipe asks for it."""

    def __init__(self, path: Path, *, length: int = 0, tensorboard: Path | None = None, step: int = 0) -> None:
        self._path = path
        try:
            self._file = path.open("ab")
            if path.stat().st_size > length:  # a shorter file must not be filled up with zeros
                self._file.truncate(length)
            self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise self._unwritable(error) from None
        self._board: SummaryWriter | None = None
        if tensorboard is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(tensorboard), purge_step=step + 1)

    @property
    def length(self) -> int:
        """Bytes so far, all of them on the disk."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from None
        return self._file.tell()

    def write(self, event: str, step: int, **fields: Any) -> None:  # noqa: ANN401 - any JSON value
        """Append one event.

        Raises:
            OutputError: The disk is full.
        """
        try:
            self._file.write(json.dumps({"event": event, "step": step, **fields}, allow_nan=False).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise self._unwritable(error) from None

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Send values to TensorBoard, if it is on."""
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush and close."""
        with contextlib.suppress(OSError):  # whatever could not be written has been said already
            self._file.close()
        if self._board is not None:
            self._board.close()

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(f"{self._path}: cannot be written ({error.strerror})")
