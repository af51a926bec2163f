"""Scores as plain text for people."""

from __future__ import annotations

import textwrap

from tintype.metrics.interval import Interval
from tintype.metrics.scores import CONSISTENCY_CAVEAT, CONSISTENCY_LABELS, Consistency, Likeness, Realism, Row, Scores
from tintype.metrics.spread import Spread
from tintype.metrics.verdict import brackets, kid_digits, thousandfold

_WIDTH = 120

_COLUMNS = (
    ("PSNR, dB", "psnr", 2),
    ("gain, dB", "gain", 2),
    ("pooled", "pooled_gain", 2),
    ("SSIM", "ssim", 3),
    ("CIEDE2000", "ciede2000", 2),
    ("of truth's", "colourfulness_ratio", 0),
    ("colourfulness", "colourfulness", 1),
)
"""Title, field of `Row`, digits after the point; a share, which has no unit, is shown in per cent."""


def format_scores(scores: Scores) -> str:
    """The scores as plain text: a table of means with their 95 % intervals below, and the verdict as the last line."""
    lines = [
        f"{scores.pictures} picture{'s' * (scores.pictures != 1)}; in brackets: 95 % bootstrap intervals over pictures"
    ]
    if scores.per_picture:
        head = (
            f"{scores.pictures} pictures ({scores.coloured} with colour in their truth, {scores.grey} grey); gain: "
            f"over {scores.reference}, mean and pooled; in brackets: 95 % bootstrap intervals over pictures"
        )
        lines = textwrap.wrap(head, _WIDTH)
    entries = [f"{key.replace('_', ' ')} {value}".replace(" ", "\xa0") for key, value in scores.protocol.items()]
    text = f"protocol: {', '.join(entries)}"  # broken between entries only
    wrapped = textwrap.wrap(text, _WIDTH, break_on_hyphens=False, break_long_words=False, subsequent_indent="  ")
    lines += [line.replace("\xa0", " ") for line in wrapped]
    if scores.rows:
        lines += ["", *row_lines(scores.rows, scores.realism), ""]
    if scores.realism is not None:
        features = (
            f"KID: features of {scores.realism.protocol}, {scores.realism.pictures} pictures; lower is nearer to real"
        )
        if not scores.rows:
            lines += _realism_lines(scores.realism)
        lines += textwrap.wrap(features, _WIDTH, break_on_hyphens=False, subsequent_indent="  ")
    if scores.grey_pictures is not None:
        grey = scores.grey_pictures
        lines.append(
            f"grey pictures, judged apart: {grey.count}, PSNR {grey.psnr:.2f} dB, "
            f"mean Lab chroma invented {grey.invented_chroma:.2f}"
        )
    if scores.spread is not None:
        lines += spread_lines(scores.spread)
    if scores.consistency is not None:
        lines += consistency_lines(scores.consistency)
    return "\n".join([*lines, *scores.notes, scores.verdict])


def spread_lines(spread: Spread) -> list[str]:
    """What is known of several results of each picture."""
    n = spread.samples
    lines = [
        f"{n} results of each picture, {spread.pictures} picture{'s' * (spread.pictures != 1)}:",
        f"  apart by a mean CIEDE2000 of {_pair(spread.diversity, 2)}",
        f"  PSNR of one {_pair(spread.single, 2)} dB, of their mean {_pair(spread.mean, 2)}, of the best "
        f"{_pair(spread.best, 2)}, of the best of {n} random tints {_pair(spread.best_tint, 2)}",
        f"  the best beats one by {_pair(spread.best_over_single, 2)} dB, and the best tint by "
        f"{_pair(spread.best_over_tint, 2)}",
    ]
    if spread.factor is None or spread.coverage is None or spread.interval_score is None:
        return lines
    assert spread.coverage_uncalibrated and spread.marginal_coverage  # they come together
    assert spread.marginal_score and spread.score_over_marginal
    return [
        *lines,
        f"  intervals of {spread.level:.0%} hold {spread.coverage.mean:.1%} of the pixels (mean and "
        f"{spread.factor:.2f} deviations; without calibration {spread.coverage_uncalibrated.mean:.1%}), score "
        f"{_pair(spread.interval_score, 1)}",
        f"  one interval for all pixels holds {spread.marginal_coverage.mean:.1%}, score "
        f"{_pair(spread.marginal_score, 1)}; lower is better, the difference is {_pair(spread.score_over_marginal, 1)}",
    ]


def _pair(value: Interval, digits: int) -> str:
    return f"{value.mean:z.{digits}f} {brackets(value, digits)}"


def consistency_lines(consistency: Consistency) -> list[str]:
    """What could be judged without pairs, a line each, and what it does not say."""
    lines = []
    for field, label in CONSISTENCY_LABELS.items():
        one: Likeness | None = getattr(consistency, field)
        if one is not None:
            lines.append(
                f"{label:<36} PSNR {one.psnr.mean:.2f} dB {brackets(one.psnr, 2)}, "
                f"SSIM {one.ssim.mean:.3f} {brackets(one.ssim, 3)}, "
                f"{one.pictures} picture{'s' * (one.pictures != 1)}"
            )
    return [*lines, CONSISTENCY_CAVEAT]


def _realism_lines(realism: Realism) -> list[str]:
    """KID of each contender, a line each, where there is no table of other figures."""
    digits, kids = kid_digits(realism), [(row.name, thousandfold(row.kid)) for row in realism.rows]
    return [f"{name:<36} KID x 1000 {one.mean:z.{digits}f} {brackets(one, digits)}" for name, one in kids]


def row_lines(rows: tuple[Row, ...], realism: Realism | None) -> list[str]:
    """A table of every contender, two lines each: means, and the intervals below them."""
    cells = [["", *(title for title, _, _ in _COLUMNS)]]
    for row in rows:
        pairs = [_cell(getattr(row, field), digits) for _, field, digits in _COLUMNS]
        cells.append([_label(row), *(mean for mean, _ in pairs)])
        cells.append(["", *(ends for _, ends in pairs)])
    for title in rows[0].more:
        _add(cells, title, [_cell(row.more[title], 3) for row in rows])
    if realism is not None:
        digits = kid_digits(realism)
        _add(cells, "KID x 1000", [_cell(thousandfold(one.kid), digits) for one in realism.rows])
        if realism.rows[0].frechet is not None:
            _add(cells, "Frechet", [_cell(one.frechet, 2) for one in realism.rows])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]).rstrip()
        for line in cells
    ]


def _add(cells: list[list[str]], title: str, pairs: list[tuple[str, str]]) -> None:
    """One more column."""
    column = [title, *(cell for pair in pairs for cell in pair)]
    for line, cell in zip(cells, column, strict=True):
        line.append(cell)


def _label(row: Row) -> str:
    if row.strengths:
        return f"{row.name} (strength {row.strength:.2g}, mean of {len(row.strengths)} folds)"
    return row.name if row.strength is None else f"{row.name} (strength {row.strength:g})"


def _cell(value: Interval | float | None, digits: int) -> tuple[str, str]:
    """A figure and what stands below it."""
    if isinstance(value, Interval):
        return f"{value.mean:z.{digits}f}", brackets(value, digits)
    if value is None:
        return "", ""
    return (f"{value:z.{digits}f}" if digits else f"{value:.0%}"), ""
