"""What paired differences show, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence

from tintype.metrics.interval import Interval
from tintype.metrics.scores import Comparison, Outcome, Realism

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


def realism_verdict(realism: Realism, folds: int = 1) -> str:
    """Where the pictures look more real than those of doing nothing, and a warning where they do not."""
    kids = {row.name: row.kid for row in realism.rows}
    sentences = []
    for one in realism.against_reference:
        where = f"at {strength_label(one, folds)}" if len(realism.against_reference) > 1 or one.strength != 1 else ""
        size = f"{thousandfold(one.difference)} {brackets(one.difference, 2, 1000)}"
        if one.outcome == "better":
            clause = f"realism {where} is better than that of {one.baseline}: KID x 1000 differs by {size}"
        else:
            shown = "is no better" if one.outcome == "no better" else "is not shown to be better"
            clause = (
                f"warning: realism {where} {shown} than that of {one.baseline}: KID x 1000 is "
                f"{thousandfold(kids[one.name])} against {thousandfold(kids[one.baseline])}, the difference {size}"
            )
        others = [
            f"from that of {other.baseline} it differs by "
            f"{thousandfold(other.difference)} {brackets(other.difference, 2, 1000)}"
            for other in realism.against_runs
            if other.name == one.name
        ]
        text = "; ".join([" ".join(clause.split()), *others])
        sentences.append(f"{text[0].upper()}{text[1:]}.")
    return " ".join(sentences)


def thousandfold(interval: Interval) -> str:
    """A KID as people read it, times 1,000."""
    return f"{interval.mean * 1000:z.2f}"


def strength_label(comparison: Comparison, folds: int = 1) -> str:
    """How to speak of the strength that a row of the model is shown at."""
    calibrated = comparison.name == "model, calibrated"
    if calibrated and folds > 1:
        return f"the calibrated strength of each fold ({comparison.strength:.2g} on average)"
    return f"{'calibrated ' * calibrated}strength {comparison.strength:g}"


def brackets(interval: Interval, digits: int, times: float = 1) -> str:
    """The ends of an interval as people read them."""
    if interval.low is None or interval.high is None:
        return "[one picture]"
    return f"[{interval.low * times:z.{digits}f}, {interval.high * times:z.{digits}f}]"


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
