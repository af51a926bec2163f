"""Points that nobody wrote down: proposed by TPE (Bergstra et al. 2011) from the scores of those before."""

from __future__ import annotations

import json
from typing import Any

import optuna

from tintype.errors import RecipeError, RunError
from tintype.sweep.definition import Definition, Range, read_range
from tintype.sweep.points import Point, make_point
from tintype.sweep.store import Claim, Standing, Store

_TRIES = 50
_DIGITS = 4
"""Figures that proposed numbers are rounded to, for people's sake."""


class Proposer:
    """Proposes and claims points of a space until the sweep has as many as were asked for."""

    def __init__(self, definition: Definition, store: Store, trials: int) -> None:
        self._definition, self._store, self._trials = definition, store, trials
        self._space = {field: read_range(field, given) for field, given in definition.space.items()}
        seed = len(store.trials())  # each restart goes on with other random numbers
        self._sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True, n_startup_trials=max(5, trials // 4))
        store.study.sampler = self._sampler

    def spoken(self) -> list[str]:
        """What each field is searched over, a line each."""
        return [
            f"{field}: {given if isinstance(given, Range) else 'one of ' + json.dumps(given)}"
            for field, given in self._space.items()
        ]

    def point(self, standing: Standing) -> Point:
        """The point that a trial of an earlier process was for."""
        return make_point(self._definition, standing.record["values"])

    def propose(self) -> Claim | None:
        """A new point that this process owns; None if there are enough.

        Raises:
            RunError: TPE proposes nothing that is new.
        """
        for _ in range(_TRIES):
            trial = self._store.new_trial()
            values = {field: self._suggest(trial, field, given) for field, given in self._space.items()}
            trial_id = trial._trial_id
            if self._taken(trial.number) >= self._trials:
                self._store.void(trial_id, "not asked for")
                return None
            try:
                point = make_point(self._definition, values)
            except RecipeError as error:
                self._refuse(trial_id, values, str(error))
                continue
            if known := self._store.standings().get(point.key):
                self._repeat(trial_id, known)
                continue
            lock = self._store.lock(point)
            if lock is None:
                self._store.void(trial_id, "proposed twice")
                continue
            for key, value in {"attempt": 0, "name": point.name, "values": point.values, "point": point.key}.items():
                self._store.write(trial_id, key, value)
            first = self._store.standings()[point.key].trial
            if first is None or first.number != trial.number:
                self._store.void(trial_id, "proposed twice")
                lock.release()
                continue
            claim = Claim(self._store, point, trial_id, lock, {})
            claim.renew(0.0)
            return claim
        raise RunError(f"{self._store.out}: {_TRIES} proposals in a row were known or refused: the space is used up")

    def _suggest(self, trial: optuna.trial.Trial, field: str, given: Range | list[Any]) -> Any:  # noqa: ANN401
        if isinstance(given, list):  # Optuna's choices are plain values, ours may be lists
            return json.loads(trial.suggest_categorical(field, [json.dumps(value) for value in given]))
        if given.whole:
            return trial.suggest_int(field, int(given.low), int(given.high), log=given.logarithmic)
        value = trial.suggest_float(field, given.low, given.high, log=given.logarithmic)
        return min(max(float(f"{value:.{_DIGITS}g}"), given.low), given.high)

    def _taken(self, number: int) -> int:
        """How many points were proposed before a trial, those of which nothing is recorded yet included."""
        before = [
            trial
            for trial in self._store.trials()
            if trial.number < number and "void" not in trial.user_attrs and not trial.user_attrs.get("attempt")
        ]
        return len(before)

    def _refuse(self, trial_id: int, values: dict[str, Any], reason: str) -> None:
        """Record a combination that is no recipe as a failed trial."""
        name = ",".join(f"{field}={json.dumps(value)}" for field, value in values.items())
        record = {"attempt": 0, "name": name, "values": values, "reason": reason}
        for key, value in {**record, "point": json.dumps(values, sort_keys=True)}.items():
            self._store.write(trial_id, key, value)
        self._store.close(trial_id, "failed")

    def _repeat(self, trial_id: int, known: Standing) -> None:
        """A point that was trained before: its score counts once more for TPE, and nothing is trained."""
        self._store.write(trial_id, "void", "proposed twice")
        if known.state == "complete" and known.trial is not None and known.trial.values:
            self._store.close(trial_id, "complete", known.trial.values[0])
        else:
            self._store.close(trial_id, "failed")
