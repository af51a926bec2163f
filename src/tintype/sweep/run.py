"""A sweep from beginning to end: who asks, what is trained, and what is written about it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna

from tintype.console import Reporter
from tintype.errors import RecipeError, TintypeError, UsageError
from tintype.inference.batch import core_count
from tintype.report import write_report
from tintype.signals import STOPPING, stopping_gently
from tintype.sweep import trial
from tintype.sweep.definition import Definition, write_definition
from tintype.sweep.points import Point, example_point, grid_points
from tintype.sweep.progress import progress_line, seconds_left
from tintype.sweep.record import definition_record, refuse_changes
from tintype.sweep.results import Results, TrialResult, write_results
from tintype.sweep.search import Proposer
from tintype.sweep.store import Claim, Standing, Store

DEFAULT_TRIALS = 20
_IDLE_S = 2.0


class Sweep:
    """One process's share of a sweep; others may be at work on the same storage."""

    def __init__(
        self,
        definition: Definition,
        out: Path,
        *,
        trials: int | None = None,
        jobs: int = 1,
        storage: str | None = None,
        prune: bool | None = None,
        retry_failed: bool = False,
        say: Reporter,
    ) -> None:
        """Resolve every point and open the storage; nothing is trained yet.

        Args:
            definition: What to try.
            out: The sweep folder.
            trials: How many points TPE tries, all processes together (default 20); of a grid: so many, the first ones.
            jobs: Trainings at a time.
            storage: URL of a storage that machines share; default: a file in the folder.
            prune: Stop trials early whose validation lies below the median; default: with TPE.
            retry_failed: Train again what failed before.
            say: Where progress goes.

        Raises:
            RecipeError: A point is no valid recipe.
            RecipeMismatchError: The folder or the storage holds another sweep.
            UsageError: A number makes no sense.
        """
        if jobs < 1 or (trials is not None and trials < 1):
            raise UsageError("--jobs and --trials: give numbers from 1")
        self.definition, self.out, self.say, self._jobs = definition, out, say, jobs
        self._tpe = bool(definition.space)
        self._wanted = trials or DEFAULT_TRIALS
        samples = [example_point(definition)] if self._tpe else grid_points(definition)
        self.points = [] if self._tpe else samples[: trials or len(samples)]
        self._recipe = samples[0].recipe
        names = dict.fromkeys(trial.score_name(point.recipe) for point in samples)
        if len(names) > 1:
            raise RecipeError(
                f"{definition.recipe}: its trials have different validation scores, {' and '.join(names)}, so no table "
                "can rank them: sweep the recipes apart, or give all of them one evaluation.best_by"
            )
        (self._score,) = names
        self._minimise = trial.minimised(self._score)
        self.store = Store(out, storage, minimise=self._minimise)
        record = definition_record(definition, samples)
        refuse_changes(out, self.store.definition(), record, samples)
        self.store.set_definition(record)
        write_definition(definition, out)
        prune = self._tpe if prune is None else prune
        self._pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1) if prune else None
        self._proposer = Proposer(definition, self.store, self._wanted) if self._tpe else None
        failed = {key: one for key, one in self.store.standings().items() if one.state == "failed"}
        self._again = {key: one.attempt for key, one in failed.items()} if retry_failed else {}
        self._stop = threading.Event()
        self._claiming = threading.Lock()
        self._writing = threading.Lock()
        self._at_work: set[str] = set()
        self._error: BaseException | None = None

    # --- the work ----------------------------------------------------------------------------------------------------

    def run(self) -> bool:
        """Train what nobody else trains, until everything is finished.

        Returns:
            True at the end, False if it was interrupted.

        Raises:
            TintypeError: The storage or the disk failed; a trial that fails is a row of the table.
        """
        for line in self._proposer.spoken() if self._proposer else ():
            self.say.line(line)
        known = self.store.standings()
        done = sum(one.finished for one in known.values())
        self.say.line(
            f"{self._total()} trials, {done} of them finished; {self._jobs} at a time, in {self.out / 'trials'}"
        )
        workers = [threading.Thread(target=self._work, name=f"job {number}") for number in range(self._jobs)]
        with stopping_gently(self._stop_gently):
            for worker in workers:
                worker.start()
            for worker in workers:
                while worker.is_alive():
                    worker.join(0.2)  # short, so that signals are heard
        self._write(report=True)
        if self._error is not None:
            raise self._error
        return not self._stop.is_set()

    def _work(self) -> None:
        """What one of the jobs does."""
        try:
            told = False
            while not self._stop.is_set():
                with self._claiming:
                    claim, left = self._next()
                if claim is not None:
                    told = False
                    try:
                        self._train(claim)
                    finally:
                        claim.lock.release()
                        self._at_work.discard(claim.point.key)
                elif not left:
                    return
                else:
                    others = left - len(self._at_work)
                    if others > 0 and not told:
                        self.say.line(f"waiting for {others} trials that other processes are at")
                        told = True
                    self._stop.wait(_IDLE_S)
        except BaseException as error:
            self._error = self._error or error
            self._stop.set()

    def _next(self) -> tuple[Claim | None, int]:
        """A point to train, or how many there are still to wait for."""
        standings = self.store.standings()
        left = 0
        for point in self._known_points(standings):
            standing = standings.get(point.key)
            again = self._again.get(point.key)
            if standing is not None and standing.finished and standing.attempt != again:
                continue
            if point.parent is not None and not self._can_go_on(point, standings):
                left += self._may_go_on_later(point, standings)
                continue
            claim = self.store.claim(point, again=again)
            if claim is not None:
                self._at_work.add(point.key)
                return claim, left
            left += 1
        if self._proposer is not None and len(standings) < self._wanted:
            if (claim := self._proposer.propose()) is not None:
                self._at_work.add(claim.point.key)
            return claim, left
        return None, left

    def _known_points(self, standings: Mapping[str, Standing]) -> Iterator[Point]:
        if self._proposer is None:
            yield from self.points
            return
        for standing in standings.values():
            if not standing.finished:
                yield self._proposer.point(standing)

    def _parent(self, point: Point, standings: Mapping[str, Standing]) -> Standing | None:
        key = next(one.key for one in self.points if one.name == point.parent)
        return standings.get(key)

    def _can_go_on(self, point: Point, standings: Mapping[str, Standing]) -> bool:
        parent = self._parent(point, standings)
        here = self._folder(point.parent or "") / "checkpoints" / "last.pt"
        return parent is not None and parent.state == "complete" and here.is_file()

    def _may_go_on_later(self, point: Point, standings: Mapping[str, Standing]) -> bool:
        """Whether a point waits for a run, or for another machine that has the run and is at it."""
        parent, own = self._parent(point, standings), standings.get(point.key)
        return parent is None or not parent.finished or (own is not None and own.state == "running")

    def _train(self, claim: Claim) -> None:
        point, folder = claim.point, self._folder(claim.point.name)
        reported: set[int] = set()
        pruned = lost = False

        def watch(seconds: float, events: trial.Events) -> bool:
            nonlocal pruned, lost
            lost = lost or not claim.renew(seconds)
            if self._pruner is not None and point.parent is None and not lost:
                pruned = pruned or self._should_prune(claim, events, reported)
            return not (self._stop.is_set() or pruned or lost)

        self.say.line(f"{point.name}: {'goes on' if folder.exists() else 'begins'}")
        began = time.monotonic()
        try:
            if point.parent is not None:
                trial.copy_run(self._folder(point.parent), folder)
            threads = max(1, core_count() // self._jobs)
            log = self.out / "logs" / f"{point.name}.log"
            result = trial.train(point, folder, log, claim.lock, threads, watch)
        except TintypeError as error:
            result = trial.Result("failed", " ".join(str(error).split()))
        if lost:
            self.say.line(f"{point.name}: another process took it over, as this one could not be reached for long")
            return
        if result.ending == "stopped" and not pruned:
            claim.give_up()
            self.say.line(f"{point.name}: stopped and saved; the same command goes on from there")
            return
        events = trial.EventReader(folder / "events.jsonl").read()
        score = trial.final_score(point.recipe, events)
        seconds = round(claim.seconds_before + time.monotonic() - began, 1)
        record: dict[str, Any] = {"seconds": seconds, "steps": events.step, "validation": score}
        match result.ending:
            case "finished" if score is None and self._tpe:
                record["reason"] = "no validation score: the set is too small to keep pictures for one"
                claim.finish("failed", record, None)
            case "finished":
                claim.finish("complete", {**record, "scores": trial.read_scores(folder, point.recipe)}, score)
            case "stopped":
                record["reason"] = f"below the median at step {events.step}"
                claim.finish("pruned", record, score)
            case ending:
                record["reason"] = "diverged" if ending == "diverged" else result.reason
                claim.finish("failed", {**record, "detail": result.reason}, None)
        self._write(report=False, after=point, failure=result.reason)

    def _should_prune(self, claim: Claim, events: trial.Events, reported: set[int]) -> bool:
        """Report validations that are new; whether the trial lies below the median of those before it."""
        assert self._pruner is not None
        new = sorted(events.validation.keys() - reported)
        for step in new:
            reported.add(step)
            score = trial.validation_score(claim.point.recipe, events.validation[step])
            if score is not None:
                self.store.storage.set_trial_intermediate_value(claim.trial_id, step, score)
        return bool(new) and self._pruner.prune(self.store.study, self.store.storage.get_trial(claim.trial_id))

    # --- the results -------------------------------------------------------------------------------------------------

    def _total(self) -> int:
        return self._wanted if self._tpe else len(self.points)

    def _folder(self, name: str) -> Path:
        return self.out / "trials" / name

    def results(self) -> Results:
        """The table as the storage has it now."""
        standings = self.store.standings()
        rows = []
        if self._tpe:
            for one in standings.values():
                rows.append(self._row(one.record["name"], one.record["values"], one))
        else:
            for point in self.points:
                row_of = standings.get(point.key)
                parent = self._parent(point, standings) if point.parent else None
                reason = ""
                if row_of is None and parent is not None and parent.state in ("failed", "pruned"):
                    reason = f"the trial that it goes on from: {parent.state}"
                rows.append(self._row(point.name, point.values, row_of, reason))
        fields = list(dict.fromkeys([*self.definition.fields, *(field for row in rows for field in row.values)]))
        return Results(
            self._recipe.name, self.definition.report, self.definition.notes, self._score, self._minimise, fields, rows
        )

    def _row(self, name: str, values: dict[str, Any], standing: Standing | None, reason: str = "") -> TrialResult:
        record = standing.record if standing is not None else {}
        state = standing.state if standing is not None and standing.finished else "waiting"
        return TrialResult(
            name=name,
            values=values,
            state=state if state in ("complete", "pruned", "failed") else "waiting",
            folder=f"trials/{name}",
            scores=record.get("scores", {}),
            validation=record.get("validation"),
            seconds=record.get("seconds"),
            steps=record.get("steps"),
            reason=record.get("reason", reason),
        )

    def _write(self, *, report: bool, after: Point | None = None, failure: str = "") -> None:
        """Write the table, and say how far it is."""
        with self._writing:
            results = self.results()
            write_results(results, self.out)
            if after is not None:
                left = seconds_left(results, self.points, self._total(), self._jobs)
                self.say.line(progress_line(results, after.name, self._total(), failure=failure, left=left))
            if not report:
                return
            folders = [
                self.out / row.folder for row in results.ranked() if (self.out / row.folder / "recipe.yaml").is_file()
            ]
            done = sum(row.state != "waiting" for row in results.trials)
            self.say.line(f"{done} of {self._total()} trials finished: {self.out / 'results.md'}")
            if folders:
                try:
                    self.say.line(f"report: {write_report(folders, self.out / 'report.html')}")
                except TintypeError as error:  # the table stands without it
                    self.say.line(f"no report: {' '.join(str(error).split())}")

    def _stop_gently(self) -> None:
        self._stop.set()
        for kind in STOPPING:
            signal.signal(kind, signal.SIG_DFL)  # the children notice that we are gone, save and stop
        self.say.line("stopping all trainings, and saving")
