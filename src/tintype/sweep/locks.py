"""Locks that die with their processes: who holds one is alive, on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from tintype.atomic import make_folder
from tintype.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows has no such locks; claims then rest on the storage alone
    fcntl = None  # type: ignore[assignment]


class FileLock:
    """A lock file that is held; a child process that inherits its descriptor holds it too."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def take(cls, path: Path, *, wait: bool = False) -> FileLock | None:
        """The lock, or None if another process holds it and `wait` is not set.

        Raises:
            OutputError: The file cannot be made.
        """
        make_folder(path.parent)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise OutputError(f"{path}: cannot be made ({error.strerror})") from None
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except OSError:
                os.close(descriptor)
                return None
        return cls(descriptor)

    def release(self) -> None:
        """Give it back; a child that has inherited it goes on holding it."""
        os.close(self.descriptor)


class JournalLock:
    """Optuna's journal is written under this lock, which has the methods that its backend asks for.

    Those that come with Optuna stay behind when their process is killed, and are broken after half a minute. A line
    that a killed process left half-written would spoil the file for all; it is cut off before the next is written.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._held: FileLock | None = None

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._held = FileLock.take(self._journal.with_name(self._journal.name + ".lock"), wait=True)
        with self._journal.open("r+b") as file:
            if file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._held is not None:
            self._held.release()
            self._held = None
