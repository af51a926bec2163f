"""Ctrl-C and requests to terminate, heard by long work that would rather come to a good end first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping_gently(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first such signal; the second one of its kind acts as it did before. Main thread only.

    In other threads, which cannot hear signals, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {kind: signal.getsignal(kind) for kind in STOPPING}

    def heard(kind: int, frame: FrameType | None) -> None:
        signal.signal(kind, before[signal.Signals(kind)])
        stop()

    for kind in STOPPING:
        signal.signal(kind, heard)
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
