"""A bounded queue in front of a few worker threads; what the work is, it does not know.

A place in the queue is taken before the body of a request is read, so that what all requests hold in memory has a
bound that is known beforehand. A job that nobody waits for any more is dropped if it has not begun, and told to stop if
it has.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, final

from tintype.errors import TintypeError
from tintype.inference.one import StoppedError

Made = TypeVar("Made")

_SMOOTHING = 0.1  # weight of the newest in the mean time of a job
_LONGEST_WAIT_S = 600


class QueueFullError(TintypeError):
    """No more can be let in now; `retry_after` says in how many seconds there will be room."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many requests at a time; try again in {retry_after} s")
        self.retry_after = retry_after


class StoppingError(TintypeError):
    """The server is about to end and begins nothing new."""

    def __init__(self) -> None:
        super().__init__("the server is stopping; try again later")


@final
@dataclass(slots=True, eq=False)
class Place:
    """A place in the queue, for a request whose body is not there yet or whose work is not done yet."""

    size: int
    """Bytes that it may hold."""


@final
@dataclass(slots=True, eq=False)
class Job(Generic[Made]):
    """A piece of work that waits, is being done or is done.

    Attributes:
        future: Its result, or what went wrong; `StoppedError` where it was cancelled.
        stop: Set when it is to stop.
    """

    work: Callable[[Job[Made]], Made]
    place: Place
    queue: WorkQueue
    stop: threading.Event = field(default_factory=threading.Event)
    future: Future[Made] = field(default_factory=Future)
    asked_at: float = field(default_factory=time.monotonic)
    begun_at: float | None = None

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        self.queue.drop(self)

    @property
    def queued_s(self) -> float:
        """Seconds that it has waited."""
        return (self.begun_at or time.monotonic()) - self.asked_at


@final
class WorkQueue:
    """Jobs and the threads that do them.

    Args:
        workers: Threads.
        waiting: Jobs that may wait beside those in work, those whose body is not there yet included.
        held_bytes: That all places together may hold.
    """

    def __init__(self, workers: int, waiting: int, held_bytes: int) -> None:
        self._workers, self._most, self._held_most = workers, workers + waiting, held_bytes
        self._changed = threading.Condition()
        self._jobs: deque[Job[Any]] = deque()
        self._places: set[Place] = set()
        self._in_work: set[Job[Any]] = set()
        self._stopping = False
        self._mean_s = 0.0
        self._done = 0
        self._threads = [threading.Thread(target=self._serve, name=f"work-{i}", daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    def take_place(self, size: int) -> Place:
        """Take a place for a request of at most so many bytes; `begin` or `leave` gives it back.

        Raises:
            QueueFullError: There is none, or so many bytes cannot be held now.
            StoppingError: Nothing new is begun.
        """
        with self._changed:
            if self._stopping:
                raise StoppingError
            held = sum(place.size for place in self._places)
            if len(self._places) >= self._most or (held and held + size > self._held_most):
                raise QueueFullError(self._retry_after())
            place = Place(size)
            self._places.add(place)
            return place

    def leave(self, place: Place) -> None:
        """Give a place back, if that has not been done yet."""
        with self._changed:
            self._places.discard(place)
            self._changed.notify_all()

    def begin(self, place: Place, work: Callable[[Job[Made]], Made]) -> Job[Made]:
        """Let a job wait for its turn in the place that was taken for it."""
        job = Job(work, place, self)
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()
        return job

    def drop(self, job: Job[Any]) -> None:
        """Take a job out of the queue, or tell it to stop."""
        job.stop.set()
        with self._changed:
            if job not in self._jobs:
                return
            self._jobs.remove(job)
            self._places.discard(job.place)
            self._changed.notify_all()
        if job.future.set_running_or_notify_cancel():
            job.future.set_exception(StoppedError())

    def stop(self) -> None:
        """Begin nothing new; what was let in is done."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def close(self) -> None:
        """Drop what waits, tell the rest to stop, and let the threads end."""
        self.stop()
        with self._changed:
            jobs = [*self._jobs, *self._in_work]
        for job in jobs:
            self.drop(job)

    @property
    def stopping(self) -> bool:
        """Whether nothing new is begun."""
        return self._stopping

    @property
    def idle(self) -> bool:
        """Whether no place is taken."""
        return not self._places

    @property
    def waiting(self) -> int:
        """Jobs that wait for their turn."""
        return len(self._jobs)

    @property
    def in_work(self) -> int:
        """Jobs that are being done."""
        return len(self._in_work)

    def _retry_after(self) -> int:
        """Seconds until all that has been let in will have been begun, as far as can be told."""
        seconds = self._mean_s * (len(self._places) - len(self._in_work)) / self._workers
        return min(max(1, math.ceil(seconds)), _LONGEST_WAIT_S)

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._jobs:
                    if self._stopping and not self._places:
                        return
                    self._changed.wait()
                job = self._jobs.popleft()
                self._in_work.add(job)
            job.begun_at = time.monotonic()
            if not job.future.set_running_or_notify_cancel():
                self._end(job)
                continue
            try:
                result = job.work(job)
            except BaseException as error:  # comes out where the result is asked for
                self._end(job)
                job.future.set_exception(error)
            else:
                self._end(job)
                job.future.set_result(result)
            del job  # what it holds is not needed while the next one is waited for

    def _end(self, job: Job[Any]) -> None:
        seconds = time.monotonic() - (job.begun_at or 0)
        with self._changed:
            self._in_work.discard(job)
            self._places.discard(job.place)
            self._done += 1
            self._mean_s += (seconds - self._mean_s) * max(_SMOOTHING, 1 / self._done)
            self._changed.notify_all()
