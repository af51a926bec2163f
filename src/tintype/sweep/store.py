"""Who trains what: one Optuna study that all processes of a sweep share, on one machine or on many.

A point is trained in an attempt, which is a trial of the study. The storage decides all races: trials are numbered in
the order in which they were made, of several for the same attempt the first counts, and only one process can set it
from WAITING to RUNNING. What a dead process was training is set to FAIL, which only one can do, and the next attempt
goes on in the same run folder. A process is dead when its lock is free, where its machine is this one, or when its
lease has not been renewed for long, by the clock of who looks.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from tintype.atomic import atomic_path, make_folder
from tintype.errors import MissingExtraError, RunError, UsageError
from tintype.sweep.locks import FileLock, JournalLock
from tintype.sweep.points import Point

State = Literal["new", "waiting", "running", "lost", "complete", "pruned", "failed"]
Outcome = Literal["complete", "pruned", "failed"]

BEAT_S = 15.0
LEASE_S = 120.0
"""How often an owner renews its lease, and after how long without that it is taken for dead."""

_FINAL: dict[Outcome, TrialState] = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a point stands: state, number of its last attempt, and what was recorded of that."""

    state: State
    attempt: int
    trial: FrozenTrial | None

    @property
    def record(self) -> dict[str, Any]:
        """What its owner wrote down."""
        return {} if self.trial is None else self.trial.user_attrs

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in _FINAL


class Claim:
    """A point that this process owns; the lock is held until `release`."""

    def __init__(self, store: Store, point: Point, trial_id: int, lock: FileLock, before: Mapping[str, Any]) -> None:
        self.point, self.trial_id, self.lock = point, trial_id, lock
        self.seconds_before = float(before.get("seconds", 0.0))
        self._store, self._beat, self._beats = store, 0.0, 0

    def renew(self, seconds: float) -> bool:
        """Say that the owner is alive, if it is time to; `seconds` is how long the training has taken.

        Returns:
            False if somebody else has taken the point over, because the lease had lapsed.
        """
        if time.monotonic() - self._beat >= BEAT_S or not self._beats:
            self._beat, self._beats = time.monotonic(), self._beats + 1
            with contextlib.suppress(StorageInternalError):  # a server that is away for a moment costs one beat
                self._store.write(self.trial_id, "seconds", round(self.seconds_before + seconds, 1))
                return self._store.write(self.trial_id, "lease", {**self._store.owner, "beat": self._beats})
        return True

    def finish(self, outcome: Outcome, record: Mapping[str, Any], score: float | None) -> bool:
        """Record the end; False if the point was taken over meanwhile."""
        for key, value in record.items():
            self._store.write(self.trial_id, key, value)
        return self._store.close(self.trial_id, outcome, score)

    def give_up(self) -> None:
        """Leave the point to the next attempt, of this process or another."""
        self._store.lose(self.trial_id, "interrupted")


class Store:
    """The study of a sweep, and what its trials say of its points."""

    def __init__(
        self,
        out: Path,
        url: str | None = None,
        *,
        minimise: bool = False,
    ) -> None:
        """Open the study of a sweep folder, or make it.

        Args:
            out: The sweep folder; its name is that of the study.
            url: Storage as Optuna writes it, as in postgresql://host/database; default: a file in the folder.
            minimise: Whether small scores are good ones.

        Raises:
            RunError: The storage cannot be reached, or holds something else.
            MissingExtraError: Its driver is not installed.
            UsageError: The URL is none.
        """
        optuna.logging.set_verbosity(logging.ERROR)
        self.out = out
        make_folder(out)
        self.owner = {
            "id": uuid.uuid4().hex,
            "host": f"{socket.gethostname()}-{uuid.getnode():x}",
            "folder": _folder_id(out),
        }
        self.storage = _open_storage(out, url)
        name = out.absolute().name
        with _reaching(url):
            self.study = optuna.create_study(
                study_name=name,
                storage=self.storage,
                direction="minimize" if minimise else "maximize",
                load_if_exists=True,
            )
            self._study_id = self.storage.get_study_id_from_name(name)
        self._seen: dict[int, tuple[str, float]] = {}
        self._seen_lock = threading.Lock()

    # --- the definition that all processes share ---------------------------------------------------------------------

    def definition(self) -> dict[str, Any] | None:
        """What the sweep was begun with, if it was."""
        return self.study.user_attrs.get("definition")

    def set_definition(self, definition: Mapping[str, Any]) -> None:
        """Record it for other processes."""
        self.study.set_user_attr("definition", dict(definition))

    # --- looking -----------------------------------------------------------------------------------------------------

    def standings(self, trials: Iterable[FrozenTrial] | None = None) -> dict[str, Standing]:
        """How each point stands that anyone ever began, by key."""
        found: dict[str, Standing] = {}
        for trial in sorted(self.trials() if trials is None else trials, key=lambda trial: trial.number):
            key, attempt = trial.user_attrs.get("point"), trial.user_attrs.get("attempt", 0)
            if (
                key is not None
                and "void" not in trial.user_attrs
                and (key not in found or attempt > found[key].attempt)
            ):
                found[key] = Standing(_state(trial), attempt, trial)
        return found

    def trials(self) -> list[FrozenTrial]:
        """All trials, as the storage has them now."""
        return self.storage.get_all_trials(self._study_id, deepcopy=False)

    # --- claiming ----------------------------------------------------------------------------------------------------

    def claim(self, point: Point, *, again: int | None = None) -> Claim | None:
        """Make a point this process's own, if nobody alive owns it and it is not finished.

        Args:
            point: What to claim.
            again: Number of an attempt that is followed by another one although it failed.
        """
        lock = self.lock(point)
        if lock is None:  # somebody on this machine is at it, or the child of a dead process is just stopping
            return None
        claim: Claim | None = None
        try:
            claim = self._claim(point, lock, again)
        finally:
            if claim is None:
                lock.release()
        return claim

    def _claim(self, point: Point, lock: FileLock, again: int | None) -> Claim | None:
        while True:
            standing = self.standings().get(point.key, Standing("new", -1, None))
            if standing.state == "running" and standing.trial is not None and self._is_dead(standing.trial):
                self.lose(standing.trial._trial_id, "its process ended")
            elif standing.state in ("new", "lost") or (standing.state == "failed" and standing.attempt == again):
                self.add(point, standing.attempt + 1, standing.record)
            elif standing.state == "waiting" and standing.trial is not None:
                trial_id = standing.trial._trial_id
                if not self._start(trial_id):
                    return None
                claim = Claim(self, point, trial_id, lock, standing.record)
                claim.renew(0.0)
                return claim
            else:
                return None

    def lock(self, point: Point) -> FileLock | None:
        """The lock that says on this machine who is at work on a point."""
        return FileLock.take(self.out / "locks" / f"{point.name}.lock")

    def add(self, point: Point, attempt: int, before: Mapping[str, Any]) -> None:
        """Make the trial of an attempt, open to all."""
        record = {"point": point.key, "attempt": attempt, "name": point.name, "values": point.values}
        if "seconds" in before:
            record["seconds"] = before["seconds"]
        self.storage.create_new_trial(self._study_id, create_trial(state=TrialState.WAITING, user_attrs=record))

    def new_trial(self) -> optuna.trial.Trial:
        """A trial that is running and this process's own, for a sampler to fill."""
        return optuna.trial.Trial(self.study, self.storage.create_new_trial(self._study_id))

    def _start(self, trial_id: int) -> bool:
        try:
            return self.storage.set_trial_state_values(trial_id, TrialState.RUNNING)
        except UpdateFinishedTrialError:
            return False

    def _is_dead(self, trial: FrozenTrial) -> bool:
        """Whether the owner of a running trial is: asked while this process holds the point's lock."""
        lease = trial.user_attrs.get("lease") or {}
        here = lease.get("host") == self.owner["host"] and lease.get("folder") == self.owner["folder"]
        if here and os.name == "posix":
            return True  # an owner in this folder would hold the lock
        return self._lapsed(trial)

    def _lapsed(self, trial: FrozenTrial) -> bool:
        """Whether the lease has stood still for long, since this process has first seen it so."""
        lease, now = json.dumps(trial.user_attrs.get("lease"), sort_keys=True), time.monotonic()
        with self._seen_lock:
            before, since = self._seen.get(trial._trial_id, ("", now))
            if before != lease:
                since = now
            self._seen[trial._trial_id] = (lease, since)
        return now - since >= LEASE_S

    # --- recording ---------------------------------------------------------------------------------------------------

    def write(self, trial_id: int, key: str, value: Any) -> bool:  # noqa: ANN401 - any JSON value
        """Record something of a running trial; False where somebody has ended it."""
        try:
            self.storage.set_trial_user_attr(trial_id, key, value)
        except UpdateFinishedTrialError:
            return False
        return True

    def close(self, trial_id: int, outcome: Outcome, score: float | None = None) -> bool:
        """End a trial; False if somebody else has ended it before."""
        values = [score] if score is not None and outcome != "failed" else None
        try:
            return self.storage.set_trial_state_values(trial_id, _FINAL[outcome], values)
        except UpdateFinishedTrialError:
            return False

    def lose(self, trial_id: int, reason: str) -> None:
        """End a trial as one that another attempt follows."""
        self.write(trial_id, "lost", reason)
        self.close(trial_id, "failed")

    def void(self, trial_id: int, reason: str) -> None:
        """End a trial that is none: the sampler's proposal is known already, or nobody asked for it any more."""
        self.write(trial_id, "void", reason)
        self.close(trial_id, "failed")


def _state(trial: FrozenTrial) -> State:
    match trial.state:
        case TrialState.WAITING:
            return "waiting"
        case TrialState.RUNNING:
            return "running"
        case TrialState.COMPLETE:
            return "complete"
        case TrialState.PRUNED:
            return "pruned"
        case _:
            return "lost" if "lost" in trial.user_attrs else "failed"


def _folder_id(out: Path) -> str:
    """A name that only this folder has: folders of one path on two machines are not the same."""
    path, lock = out / "locks" / "folder.id", FileLock.take(out / "locks" / "folder.lock", wait=True)
    try:
        if not path.is_file():
            with atomic_path(path) as temporary:
                temporary.write_text(uuid.uuid4().hex, encoding="utf-8")
        return path.read_text(encoding="utf-8")
    finally:
        if lock is not None:
            lock.release()


def _open_storage(out: Path, url: str | None) -> BaseStorage:
    if url is None:
        journal = (out / "storage.journal").absolute()
        try:
            journal.touch()
            lock: Any = JournalLock(journal)  # Optuna does not export the class that it would have to be one of
            return JournalStorage(JournalFileBackend(str(journal), lock))
        except (OSError, ValueError, KeyError) as error:
            raise RunError(f"{journal}: cannot be used as a storage ({error}); choose a new --out") from None
    if "://" not in url:
        raise UsageError(f"--storage {_without_password(url)}: needs a URL, as in postgresql://user@host/database")
    scheme, _, rest = url.partition("://")
    if scheme in ("postgresql", "postgres"):
        scheme = "postgresql+psycopg"  # the driver that `tintype[sweep-postgres]` brings
    with _reaching(url):
        return RDBStorage(f"{scheme}://{rest}", engine_kwargs={"pool_pre_ping": True})


@contextlib.contextmanager
def _reaching(url: str | None) -> Any:  # noqa: ANN401
    """Errors of a storage as one line without passwords."""
    if url is None:
        yield
        return
    shown = _without_password(url)
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(
            f"--storage {shown}: its driver is not installed ({error.name or 'unknown'}); "
            "for PostgreSQL: pip install 'tintype[sweep-postgres]'"
        ) from None
    except (StorageInternalError, RuntimeError) as error:
        raise RunError(f"--storage {shown}: cannot be used ({_first_line(error)})") from None
    except Exception as error:
        if type(error).__module__.startswith("sqlalchemy"):
            raise RunError(f"--storage {shown}: cannot be used ({_first_line(error)})") from None
        raise


def _first_line(error: BaseException) -> str:
    return (str(error.__cause__ or error).strip().splitlines() or [type(error).__name__])[0][:300]


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}{separator}{user.partition(':')[0]}{at}{host}" if at else url
