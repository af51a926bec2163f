"""Carrying out a plan: many files at a time, each a `Result`, and no file spoils another. Nothing is printed here.

Each of a few workers does whole files, so that decoding, network and encoding of several overlap; a worker is a thread
(`one.py`), or a process that may die (`worker.py`). What is in memory does not grow with the number of files.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol, final

from tintype.atomic import final_name, make_folder
from tintype.errors import OutputError
from tintype.inference.one import LARGE, LARGE_FOR_NETWORK, Result, Turns, settled, translate_file
from tintype.inference.options import TranslateOptions, check_options, seeded
from tintype.inference.plan import Job, PassedOver, Plan
from tintype.inference.translator import Translator

_AHEAD = 64  # jobs that may be done before the result of an earlier one has been taken
_PATIENCE_S = 10.0  # for workers that are to stop; what they were writing is never under its final name


class Worker(Protocol):
    """Does one job after the other, in a thread of its own."""

    def __call__(self, job: Job) -> Result:
        """Do a job; raises only what is to end the batch."""
        ...

    def close(self) -> None:
        """Called when there is no more to do."""
        ...


@final
class _ThreadWorker:
    """Does jobs in the thread that calls it."""

    def __init__(self, translator: Translator, options: TranslateOptions, overwrite: bool, turns: Turns) -> None:
        self._translator, self._options, self._overwrite, self._turns = translator, options, overwrite, turns

    def __call__(self, job: Job) -> Result:
        return translate_file(job, self._translator, self._options, self._turns, overwrite=self._overwrite)

    def close(self) -> None:
        """Nothing to do."""


def run_batch(
    plan: Plan,
    translator: Translator,
    options: TranslateOptions | None = None,
    *,
    overwrite: bool = False,
    workers: int | None = None,
    in_order: bool = True,
) -> Generator[Result, None, None]:
    """Carry out a plan with worker threads; a file that fails does not stop the others.

    Closing the iterator ends the work: what is being written then is taken back.

    Args:
        plan: From `plan_batch`.
        translator: The model.
        options: How to read, translate and write.
        overwrite: Replace results that are there already; inputs are never replaced.
        workers: Files in work at a time; default: as many as there are cores.
        in_order: Give the results in the order of the plan; otherwise each as soon as it is there.

    Raises:
        OutputError: The folder for the results cannot be made or written to; raised before any work is done.
        UsageError: The options do not fit the model; raised before any work is done.
    """
    options = options or TranslateOptions()
    check_options(options, translator.card, any(job.uncertainty for job in plan.jobs))
    prepare_folder(plan.out)
    translator = seeded(translator, options)
    turns = turns_for(translator)
    return carry_out(
        plan,
        lambda: _ThreadWorker(translator, options, overwrite, turns),
        turns.stop,
        overwrite=overwrite,
        workers=workers or core_count(),
        in_order=in_order,
    )


def turns_for(translator: Translator) -> Turns:
    """The turns of files that one model translates."""
    return Turns(large_for(translator))


def large_for(translator: Translator) -> int:
    """Pixels above which a picture is large; that depends on whether the network sees it in full size."""
    return LARGE if translator.codec.predicts_chroma else LARGE_FOR_NETWORK


def carry_out(
    plan: Plan,
    make_worker: Callable[[], Worker],
    stop: threading.Event,
    *,
    overwrite: bool,
    workers: int,
    in_order: bool,
) -> Generator[Result, None, None]:
    """The results of a plan whose jobs are done by workers; `stop` tells them to end in the middle of a file."""
    tasks: SimpleQueue[tuple[Job, Future[Result]] | None] = SimpleQueue()
    threads: list[threading.Thread] = []
    waiting: deque[Future[Result]] = deque()
    with _in_use(plan.out) as nobody_else:
        if nobody_else:
            _remove(plan.leftovers)
        try:
            for job in plan.jobs:
                known = settled(job, overwrite)
                if known is not None and (not waiting or not in_order):
                    yield known
                    continue
                future: Future[Result] = Future()
                waiting.append(future)
                if known is not None:
                    future.set_result(known)
                else:
                    tasks.put((job, future))
                    if len(threads) < workers:
                        # daemons: a decoder that hangs must not keep the command from ending
                        threads.append(threading.Thread(target=_work, args=(make_worker, tasks, stop), daemon=True))
                        threads[-1].start()
                while len(waiting) >= _AHEAD:
                    yield _next(waiting, in_order)
            while waiting:
                yield _next(waiting, in_order)
        finally:
            stop.set()
            for _ in threads:
                tasks.put(None)
            for thread in threads:
                thread.join(_PATIENCE_S)


def passed_over(others: Iterable[PassedOver]) -> Iterator[Result]:
    """A result for each file that is not meant."""
    for other in others:
        yield Result(other.path, None, "passed over", other.reason)


def core_count() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def prepare_folder(out: Path) -> None:
    """Make the folder for the results and prove that it can be written to.

    Raises:
        OutputError: It cannot.
    """
    make_folder(out)
    try:
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written to: {error.strerror}; give a folder that you may write to"
        ) from error


def remove_unfinished(outputs: Iterable[Path], out: Path) -> None:
    """Remove what workers that died were writing; not while another process writes into the same folder."""
    with _in_use(out) as nobody_else:
        if nobody_else:
            names = {output.parent / (output.stem[:32] + output.suffix) for output in outputs}
            for folder in {name.parent for name in names}:
                with suppress(OSError):
                    _remove([path for path in folder.iterdir() if folder / (final_name(path.name) or "") in names])


def _work(
    make_worker: Callable[[], Worker],
    tasks: SimpleQueue[tuple[Job, Future[Result]] | None],
    stop: threading.Event,
) -> None:
    worker = make_worker()
    try:
        while (task := tasks.get()) is not None:
            job, future = task
            if stop.is_set():
                continue
            try:
                future.set_result(worker(job))
            except BaseException as error:  # comes out where the result is asked for
                future.set_exception(error)
    finally:
        worker.close()


def _next(waiting: deque[Future[Result]], in_order: bool) -> Result:
    if in_order:
        return waiting.popleft().result()
    done = wait(waiting, return_when=FIRST_COMPLETED).done
    future = next(one for one in waiting if one in done)
    waiting.remove(future)
    return future.result()


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


@contextmanager
def _in_use(folder: Path) -> Iterator[bool]:
    """Say to others that this process writes into a folder, and whether no other does; it ends with the process."""
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):  # Windows knows no such locks; there, leftovers stay
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except OSError:
            alone = False
        with suppress(OSError):  # file systems without locks
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield alone
    finally:
        os.close(handle)
