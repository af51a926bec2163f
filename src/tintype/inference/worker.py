"""Translating untrusted files in processes that may die: a crash, a hang or a bomb costs one file and no more.

A process loads the model once and does many files. The results that it sends are JSON: a decoder that a hostile file
has taken over can say what it likes, but nothing that it says is run.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import final

from tintype.allocation import keep_freed_memory
from tintype.errors import LostProcessError, TintypeError
from tintype.inference.batch import (
    carry_out,
    core_count,
    prepare_folder,
    remove_unfinished,
    turns_for,
)
from tintype.inference.modelfile import find_model, read_card, require_direction
from tintype.inference.one import Result, StoppedError, Turns, translate_file
from tintype.inference.options import TranslateOptions, check_options, seeded
from tintype.inference.plan import Job, Plan
from tintype.inference.translator import Translator
from tintype.recipe.schema import Direction

_ANSWER_BYTES = 2**20
_READY = b"ready"
_LOOK_S = 0.1  # how often a waiting thread looks whether it is to stop
_GRACE_S = 1.0  # beyond its time limit, in which a worker may say so itself
_TAKE_BACK_S = 2.0  # in which a worker whose batch was killed may remove what it was writing


@final
@dataclass(frozen=True, slots=True)
class Isolation:
    """What a worker process needs to know."""

    model: Path
    direction: Direction | None
    options: TranslateOptions
    overwrite: bool = False
    memory: int | None = None
    """Bytes that a worker may take beyond what it holds when its model is loaded; None: no limit."""
    threads: int = 1


def run_isolated(
    plan: Plan, isolation: Isolation, *, workers: int | None = None, in_order: bool = True
) -> Generator[Result, None, None]:
    """Carry out a plan as `run_batch` does, each file in a process that may die.

    Raises:
        LostProcessError: A worker ended while it loaded the model.
        OutputError: The folder for the results cannot be made or written to; raised before any work is done.
        UsageError: The options do not fit the model; raised before any work is done.
    """
    model = find_model(isolation.model, isolation.direction)
    card = read_card(model)
    require_direction(card, model, isolation.direction)
    check_options(isolation.options, card, any(job.uncertainty for job in plan.jobs))
    prepare_folder(plan.out)
    return _isolated(plan, isolation, workers or core_count(), in_order)


def _isolated(plan: Plan, isolation: Isolation, workers: int, in_order: bool) -> Generator[Result, None, None]:
    turns, killed = Turns(), set[Path]()
    try:
        yield from carry_out(
            plan,
            lambda: IsolatedWorker(isolation, turns, killed),
            turns.stop,
            overwrite=isolation.overwrite,
            workers=workers,
            in_order=in_order,
        )
    finally:
        if killed:  # after the last worker: names of temporary files do not say which one of similar names they are
            remove_unfinished(killed, plan.out)


@final
class IsolatedWorker:
    """One process after the other, each for as many files as it survives.

    Args:
        isolation: What a process needs to know.
        turns: Tells when to stop.
        killed: Takes the outputs of files over which a process has died.
    """

    def __init__(self, isolation: Isolation, turns: Turns, killed: set[Path]) -> None:
        self._isolation, self._turns, self._killed = isolation, turns, killed
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that waits for the next file."""
        return self._process.pid if self._process is not None else None

    def __call__(self, job: Job) -> Result:
        """Have a job done.

        Raises:
            LostProcessError: A new process ended while it loaded the model.
            StoppedError: The batch was interrupted.
        """
        connection = self._ready()
        start, limit = time.monotonic(), self._isolation.options.time_limit
        try:
            connection.send(job)
            while not connection.poll(_LOOK_S):
                if self._turns.stop.is_set():
                    self._kill(job)
                    raise StoppedError
                if limit is not None and time.monotonic() - start > limit + _GRACE_S:
                    self._kill(job)
                    reason = f"takes longer than the {limit:g} s that --time-limit allows; its worker was ended"
                    return _failed(job, reason, start)
            answer = json.loads(connection.recv_bytes(_ANSWER_BYTES))
        except (EOFError, OSError, ValueError):
            code = self._kill(job)
            return _failed(job, f"its worker ended by {_cause(code, self._isolation.memory)}", start)
        known = {"input": job.input, "output": job.output, "warnings": tuple(answer["warnings"])}
        return Result(**{**answer, **known})

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._kill(None)

    def _ready(self) -> Connection:
        """The connection to a process that has loaded its model."""
        if self._process is not None and self._process.is_alive() and self._connection is not None:
            return self._connection
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self._isolation), daemon=True)
        with _without_interrupts():
            self._process.start()
        theirs.close()
        while not self._connection.poll(_LOOK_S):
            if self._turns.stop.is_set():
                self._kill(None)
                raise StoppedError
        try:
            said = self._connection.recv_bytes(_ANSWER_BYTES)
        except (EOFError, OSError):
            cause = _cause(self._kill(None), None)
            raise LostProcessError(
                f"{self._isolation.model}: a worker that loaded it ended by {cause}; give fewer --workers, or try it "
                "without --isolate"
            ) from None
        if said != _READY:
            self._kill(None)
            raise LostProcessError(f"a worker could not load the model ({said.decode()})")
        return self._connection

    def _kill(self, job: Job | None) -> int | None:
        """End the process, which may have done so itself; returns its exit code."""
        if job is not None:
            self._killed.update(path for path in (job.output, job.uncertainty_output) if path is not None)
        process, connection = self._process, self._connection
        assert process is not None and connection is not None
        self._process = self._connection = None
        connection.close()
        process.join(_LOOK_S)  # a process that died by itself is to keep its own exit code
        process.kill()
        process.join()
        return process.exitcode


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach, not even while they import what they need."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # starting it would end the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(connection: Connection, isolation: Isolation) -> None:
    """Be a worker process: load the model, then do jobs until the connection ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the first one decides
    keep_freed_memory()
    try:
        translator = Translator(isolation.model, isolation.direction, threads=isolation.threads)
        translator = seeded(translator, isolation.options)
    except TintypeError as error:
        connection.send_bytes(str(error).encode(errors="replace"))
        return
    if isolation.memory is not None:
        _limit_memory(isolation.memory)
    turns = turns_for(translator)
    threading.Thread(target=_end_with_parent, args=(turns,), daemon=True).start()
    try:
        connection.send_bytes(_READY)
        while True:
            job = connection.recv()
            result = translate_file(job, translator, isolation.options, turns, overwrite=isolation.overwrite)
            connection.send_bytes(json.dumps(dataclasses.asdict(result), default=str).encode())
    except (EOFError, ConnectionError, StoppedError):  # the batch has ended, or was killed
        return


def _end_with_parent(turns: Turns) -> None:
    """Wait until the process that gives the jobs has ended, however it did, and then end this one in mid-file."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    wait([parent.sentinel])
    turns.stop.set()
    time.sleep(_TAKE_BACK_S)  # where the file is taken back by then, this process is gone
    os._exit(1)


def _limit_memory(beyond: int) -> None:
    """Let this process take so many bytes more than it has, where the system can see to that."""
    try:
        import resource

        held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    limit = held + beyond if hard == resource.RLIM_INFINITY else min(held + beyond, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _failed(job: Job, reason: str, start: float) -> Result:
    return Result(job.input, job.output, "failed", f"{job.input}: {reason}", time.monotonic() - start)


def _cause(code: int | None, memory: int | None) -> str:
    """What an exit code says, in words."""
    if code is None or code >= 0:
        return f"itself, with code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    if name == "SIGKILL":
        return f"{name}, as the system does where memory is short"
    if name in ("SIGABRT", "SIGTRAP") and memory is not None:
        return f"{name}, as at the memory limit of {memory / 2**30:.2g} GiB"
    return name
