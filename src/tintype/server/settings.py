"""What the server allows and how it works, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from tintype.inference.batch import core_count

_BYTES_HELD = 8


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Limits and sizes of the server."""

    host: str = "127.0.0.1"
    """Address to listen at."""
    port: int = 8000
    """0: any that is free."""
    token: str | None = None
    """What requests must carry; None: they need not carry any."""
    workers: int = 0
    """Requests in work at a time; 0: as many as there are cores."""
    queue: int = 32
    """Requests that may wait beside those that are in work."""
    max_bytes: int = 64 * 2**20
    """Of the body of a request."""
    max_pixels: int = 64_000_000
    """Of a picture and of its result."""
    time_limit: float = 60.0
    """Seconds for the body of a request to arrive, and again for the work on it."""
    batch: int = 8
    """Runs of a network that may be joined to one."""
    batch_wait: float = 0.003
    """Seconds that a run waits for others to join it."""

    @property
    def worker_count(self) -> int:
        """Threads that work on requests."""
        return self.workers or core_count()

    @property
    def held_bytes(self) -> int:
        """Bytes of the bodies of all requests together that have been let in and are not answered yet."""
        return _BYTES_HELD * self.max_bytes
