"""The HTML report of one or several run folders: one page that needs nothing but itself.

Holds what the page shows and the filling of `templates/`; `report_run.py` reads the run folders, `report_compare.py`
sets them beside each other, `report_charts.py` draws. It computes no scores and imports neither torch nor the trainer:
everything on the page is in files.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from tintype import __version__
from tintype.atomic import atomic_path
from tintype.charts import with_own_ids
from tintype.errors import OutputError, UsageError
from tintype.metrics.scores import CONSISTENCY_CAVEAT, CONSISTENCY_LABELS
from tintype.report_charts import Palette, common_dial, dial, learning_curves, loss_curves, training_charts
from tintype.report_compare import (
    OVERLAID,
    contests,
    differing,
    entries_of,
    folds_of,
    groups_of,
    network_refusals,
    ranked,
    refusals,
    same_pictures,
)
from tintype.report_pictures import PAGE_BYTES, Budget
from tintype.report_run import Run, read_collected, read_run
from tintype.report_scores import FURTHER, Scores

MAX_NOTES = 200
MAX_WARNINGS = 200
WARNINGS_OPEN = 6
"""Warnings of several runs that are not folded away, those of the best runs first."""

ROWS_FOR_ALL = 6
"""Runs up to which the table of all runs shows every row of the model; beyond, the best one of each."""

CHARTS_FOR = 12
"""Runs up to which each has charts of its own: beyond, the common ones say more, and the page stays quick."""


def write_report(runs: Sequence[Path], out: Path) -> Path:
    """Write one self-contained HTML page about run folders and return its path.

    A run that is still in training gives a page that says what is missing. The page is written atomically and asks the
    network for nothing: pictures are data URIs, charts inline SVG.

    Args:
        runs: Run folders; files of scores among them, such as of all folds together, are shown above the runs.
        out: The page.

    Raises:
        UsageError: `runs` holds no run folder.
        RunError: A folder holds no recipe.yaml, or a file no scores.
        OutputError: `out` cannot be written.
    """
    files = [Path(path) for path in runs if Path(path).suffix == ".json"]
    folders = [Path(path) for path in runs if Path(path) not in files]
    if not folders:
        raise UsageError("report: no run folder was given: name at least one")
    read = [read_run(folder, Budget(PAGE_BYTES // len(folders))) for folder in folders]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tintype"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = _figure
    numbers = itertools.count(1)
    environment.filters["own_ids"] = lambda svg: with_own_ids(svg, next(numbers))
    collected = [read_collected(file) for file in files]
    scored = [scores for run in read for _, scores in run.scored]
    page = environment.get_template("report.html.jinja").render(
        runs=read,
        collected=collected,
        columns=_columns([*scored, *(scores for _, scores in collected)]),
        training_charts=training_charts if len(read) <= CHARTS_FOR else lambda run: [],
        dial=dial,
        references=sorted({scores.reference for scores in scored if scores.reference}) or ["grey copy"],
        consistency_columns=[name.capitalize() for name in CONSISTENCY_LABELS],
        consistency_caveat=CONSISTENCY_CAVEAT,
        max_notes=MAX_NOTES,
        max_warnings=MAX_WARNINGS,
        warnings_open=WARNINGS_OPEN,
        version=__version__,
        **(_comparison(read) if len(read) > 1 else {}),
    )
    out = Path(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: its folder cannot be made ({error.strerror}): choose another place") from error
    with atomic_path(out) as temporary:
        temporary.write_bytes(page.lstrip().encode(errors="replace"))
    return out


def _comparison(runs: list[Run]) -> dict[str, Any]:
    """What a page of several runs shows above the single ones."""
    entries = entries_of(runs)
    groups, palette, folds, order = groups_of(entries), Palette.of(runs), folds_of(runs), ranked(runs)
    same = same_pictures(runs)
    return {
        "warnings": [(number, runs[number - 1].name, line) for number in order for line in runs[number - 1].warnings],
        "folds": folds,
        "folds_wanted": int(runs[0].settings.get("data.split.folds", "1")) if folds else 0,
        "refusals": ([] if folds else refusals(groups)) + network_refusals(entries),
        "order": list(range(1, len(runs) + 1)) if len(runs) <= ROWS_FOR_ALL else order,
        "all_rows": len(runs) <= ROWS_FOR_ALL,
        "differing": differing(runs),
        "contests": [contest for group in groups for contest in contests(group)],
        "same_pictures": same,
        "shown_above": {(number, picture.uri) for _, _, panels in same for number, picture in panels},
        "series": palette.series,
        "overlaid": OVERLAID,
        "common_dial": common_dial(entries, palette),
        "learning_curves": learning_curves(runs, palette),
        "loss_curves": loss_curves(runs, palette),
    }


@dataclass(frozen=True, slots=True)
class _Column:
    key: str
    title: str
    unit: str
    decimals: int
    sign: bool = False
    percent: bool = False


COLUMNS = (
    _Column("psnr", "PSNR", "dB, higher is better", 2),
    _Column("ssim", "SSIM", "higher is better", 3),
    _Column("ciede2000", "CIEDE2000", "lower is better", 2),
    _Column("gain", "Gain", "dB PSNR over", 2, sign=True),
    _Column("colourfulness", "Colourfulness", "Hasler & Süsstrunk", 1),
    _Column("colourfulness_ratio", "Share of truth", "colourfulness", 0, percent=True),
)
REALISM = (_Column("kid", "KID", "lower is better", 3), _Column("frechet", "Fréchet", "lower is better", 2))
MAX_FURTHER_COLUMNS = 6


def _columns(scored: Sequence[Scores]) -> tuple[_Column, ...]:
    """Those that every page has, and those of figures that some row has."""
    rows = [(scores, row) for scores in scored for row in scores.rows]
    realism = [column for column in REALISM if any(scores.figure_of(row, column.key) for scores, row in rows)]
    titles = dict.fromkeys(title for _, row in rows for title in row.more)
    further = [
        _Column(FURTHER + title, title[:40], _UNITS.get(title.split()[0] if title else "", ""), 3) for title in titles
    ]
    return (*COLUMNS, *further[:MAX_FURTHER_COLUMNS], *realism)


_UNITS = {"MS-SSIM": "higher is better", "LPIPS": "lower is better"}


def _figure(value: float | None, decimals: int = 2, sign: bool = False) -> str:
    """A number for reading: fixed decimals, a real minus sign, a dash for what is unknown."""
    if value is None or math.isnan(value):
        return "\N{EN DASH}"
    if math.isinf(value):
        return "\N{INFINITY}" if value > 0 else "\N{MINUS SIGN}\N{INFINITY}"
    text = f"{value:{'+' if sign else ''}z.{decimals}f}"
    return text.removeprefix("+") if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")
