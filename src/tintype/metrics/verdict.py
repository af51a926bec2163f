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


def luma_sentence(difference: Interval, reference: str) -> str:
    """By how much the PSNR of Y lies above that of the reference, or below."""
    return f"PSNR of Y, model minus {reference}: {_decibels(difference)}."


def realism_verdict(realism: Realism, folds: int = 1) -> str:
    """Where the pictures look more real than those of doing nothing, and a warning where they do not."""
    digits = kid_digits(realism)
    kids = {row.name: thousandfold(row.kid).mean for row in realism.rows}
    sentences = []
    for one in realism.against_reference:
        several = len(realism.against_reference) > 1 or one.strength != 1
        where = f" at {strength_label(one, folds)}" if several else ""
        if one.outcome == "better":
            text = f"Realism{where} is better than that of {one.baseline}: KID x 1000 is {_change(one, digits)}"
        else:
            shown = "is no better" if one.outcome == "no better" else "is not shown to be better"
            text = (
                f"Warning: realism{where} {shown} than that of {one.baseline}: KID x 1000 is "
                f"{kids[one.name]:z.{digits}f} against {kids[one.baseline]:z.{digits}f}, {_change(one, digits)}"
            )
        others = [
            f"; beside {other.baseline} it is {_change(other, digits)}"
            for other in realism.against_runs
            if other.name == one.name
        ]
        sentences.append("".join([text, *others, "."]))
    return " ".join(sentences)


def kid_digits(realism: Realism) -> int:
    """Decimals for KID times 1,000, which is of another size with every network."""
    largest = max(abs(thousandfold(row.kid).mean) for row in realism.rows)
    return 0 if largest >= 1000 else 1 if largest >= 100 else 2


def thousandfold(interval: Interval) -> Interval:
    """A KID as people read it, times 1,000."""
    low, high = (None if end is None else 1000 * end for end in (interval.low, interval.high))
    return Interval(1000 * interval.mean, low, high)


def _change(comparison: Comparison, digits: int) -> str:
    """By how much a KID is lower or higher than another one."""
    difference = thousandfold(comparison.difference)
    if difference.mean > 0:
        return f"higher by {difference.mean:z.{digits}f} {brackets(difference, digits)}"
    difference = _turned(difference)
    return f"lower by {difference.mean:z.{digits}f} {brackets(difference, digits)}"


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
        return f"it is no better than {comparison.baseline}: {_lead(comparison)}"
    size = _decibels(comparison.difference)
    return f"it is undecided whether it beats {comparison.baseline} (the difference is {size})"


def _lead(comparison: Comparison) -> str:
    """By how much the other one wins, or that neither does."""
    lead = _turned(comparison.difference)
    ahead = round(lead.mean, 2) > 0
    win = f"{comparison.baseline} beats it by" if ahead else f"its difference from {comparison.baseline} is"
    return f"{win} {_decibels(lead)}"


def _decibels(difference: Interval) -> str:
    return f"{difference.mean:z.2f} dB{'' if difference.low is None else f' {brackets(difference, 2)}'}"


def _turned(interval: Interval) -> Interval:
    """The interval of the opposite difference."""
    low, high = (None if end is None else -end for end in (interval.high, interval.low))
    return Interval(-interval.mean, low, high)
