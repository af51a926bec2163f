"""What paired differences show, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence

from tintype.metrics.interval import Interval
from tintype.metrics.scores import Comparison, Outcome

MINIMUM_FOR_VERDICT = 6
"""Fewest judged pictures for a decision: five of one sign would still give 2 / 2**5 = 6 % in a sign test."""


def outcome(difference: Interval, judged: int) -> Outcome:
    """What a paired difference over `judged` pictures shows, decided on hundredths of a decibel, as printed."""
    if judged < MINIMUM_FOR_VERDICT or difference.low is None or difference.high is None:
        return "undecided"
    low, high = round(difference.low, 2), round(difference.high, 2)
    if low > 0:
        return "better"
    return "no better" if high < 0 or low == high == 0 else "undecided"


def verdict(
    comparisons: Sequence[Comparison],
    judged: int,
    colourises: bool,
    against_runs: Sequence[Comparison] = (),
    folds: int = 1,
) -> str:
    """One plain sentence on all comparisons.

    Args:
        comparisons: Each row of the model against the best trivial baseline.
        judged: Number of pictures that they are over.
        colourises: Whether these are the coloured ones.
        against_runs: Each row of the model against each of the other runs.
        folds: Number of models that were judged as one.
    """
    if not comparisons:
        return "No verdict: none of the pictures has colour in its truth."
    on = f"on {judged} {'coloured ' * colourises}picture{'s' * (judged != 1)}"
    clauses = []
    for comparison in comparisons:
        clause = _clause(comparison, judged, on)
        if len(comparisons) > 1 or comparison.strength != 1:
            clause = f"at {strength_label(comparison, folds)}, {clause}"
        others = [_run_clause(other) for other in against_runs if other.name == comparison.name]
        clauses.append(", and ".join([clause, *others]))
    sentence = "; ".join(clauses)
    return f"{sentence[0].upper()}{sentence[1:]}."


def strength_label(comparison: Comparison, folds: int = 1) -> str:
    """How to speak of the strength that a row of the model is shown at."""
    calibrated = comparison.name == "model, calibrated"
    if calibrated and folds > 1:
        return f"the calibrated strength of each fold ({comparison.strength:.2g} on average)"
    return f"{'calibrated ' * calibrated}strength {comparison.strength:g}"


def brackets(interval: Interval, digits: int) -> str:
    """The ends of an interval as people read them."""
    if interval.low is None or interval.high is None:
        return "[one picture]"
    return f"[{interval.low:z.{digits}f}, {interval.high:z.{digits}f}]"


def _clause(comparison: Comparison, judged: int, on: str) -> str:
    difference, baseline = comparison.difference, comparison.baseline
    if comparison.outcome == "better":
        return f"the model is better than the best baseline ({baseline}) by {_decibels(difference)} {on}"
    if comparison.outcome == "no better":
        return f"the model is no better than the best baseline: {_lead(comparison)} {on}"
    few = judged < MINIMUM_FOR_VERDICT
    reason = f"fewer than the {MINIMUM_FOR_VERDICT} that a decision takes" if few else "and the interval includes 0"
    size = f"the difference is {_decibels(difference)} {on}"
    return f"it is undecided whether the model beats the best baseline ({baseline}): {size}, {reason}"


def _run_clause(comparison: Comparison) -> str:
    if comparison.outcome == "better":
        return f"it is better than {comparison.baseline} by {_decibels(comparison.difference)}"
    if comparison.outcome == "no better":
        return f"no better than {comparison.baseline}: {_lead(comparison)}"
    size = _decibels(comparison.difference)
    return f"it is undecided whether it beats {comparison.baseline} (the difference is {size})"


def _lead(comparison: Comparison) -> str:
    """By how much the other one wins, or that neither does."""
    difference = comparison.difference
    lead = Interval(-difference.mean, _negative(difference.high), _negative(difference.low))
    ahead = round(lead.mean, 2) > 0
    win = f"{comparison.baseline} beats it by" if ahead else f"its difference from {comparison.baseline} is"
    return f"{win} {_decibels(lead)}"


def _decibels(difference: Interval) -> str:
    return f"{difference.mean:z.2f} dB{'' if difference.low is None else f' {brackets(difference, 2)}'}"


def _negative(value: float | None) -> float | None:
    return None if value is None else -value
