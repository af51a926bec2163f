"""The HTML report of one or several run folders: one page that needs nothing but itself.

Holds what the page shows and the filling of `templates/report.html.jinja`; `report_run.py` reads the run folders and
`charts.py` draws. It computes no scores and imports neither torch nor the trainer: everything on the page is in files.
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
from tintype.charts import Chart, Line, dial_chart, line_chart, smoothed_chart, with_own_ids
from tintype.errors import OutputError, UsageError
from tintype.metrics.scores import CONSISTENCY_CAVEAT, CONSISTENCY_LABELS
from tintype.report_run import DIRECTION_TITLES, Part, Run, read_run
from tintype.report_scores import Scores

MAX_NOTES = 200


def write_report(runs: Sequence[Path], out: Path) -> Path:
    """Write one self-contained HTML page about run folders and return its path.

    A run that is still in training gives a page that says what is missing. The page is written atomically and asks the
    network for nothing: pictures are data URIs, charts inline SVG.

    Raises:
        UsageError: `runs` is empty.
        RunError: A folder holds no recipe.yaml.
        OutputError: `out` cannot be written.
    """
    if not runs:
        raise UsageError("report: no run folder was given: name at least one")
    read = [read_run(Path(folder)) for folder in runs]
    scored = [entry for run in read for entry in run.scored]
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
    page = environment.get_template("report.html.jinja").render(
        runs=read,
        columns=COLUMNS,
        training_charts=_training_charts,
        dial=_dial,
        references=sorted({scores.reference for _, scores in scored if scores.reference}) or ["grey copy"],
        comparable=_comparable(scored),
        consistency_columns=[name.capitalize() for name in CONSISTENCY_LABELS],
        consistency_caveat=CONSISTENCY_CAVEAT,
        max_notes=MAX_NOTES,
        version=__version__,
    )
    out = Path(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: its folder cannot be made ({error.strerror}): choose another place") from error
    with atomic_path(out) as temporary:
        temporary.write_bytes(page.lstrip().encode(errors="replace"))
    return out


def _comparable(scored: Sequence[tuple[Part, Scores]]) -> bool:
    """Whether all scores of a direction were made alike; that of a run with a single one is A to B."""
    protocols: dict[str, dict[str, Any]] = {}
    for part, scores in scored:
        protocol = {key: value for key, value in scores.protocol.items() if key not in ("tintype", "direction")}
        if protocols.setdefault(part.direction or "ab", protocol) != protocol:
            return False
    return True


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


def _figure(value: float | None, decimals: int = 2, sign: bool = False) -> str:
    """A number for reading: fixed decimals, a real minus sign, a dash for what is unknown."""
    if value is None or math.isnan(value):
        return "\N{EN DASH}"
    if math.isinf(value):
        return "\N{INFINITY}" if value > 0 else "\N{MINUS SIGN}\N{INFINITY}"
    text = f"{value:{'+' if sign else ''}z.{decimals}f}"
    return text.removeprefix("+") if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def _training_charts(run: Run) -> list[Chart]:
    events, charts = run.events, []
    phases: dict[str, list[Line]] = {}
    for name, curve in events.terms.items():
        phases.setdefault(name.split("/")[0] if "/" in name else "", []).append(Line(name, curve))
    titles = {"d": "Discriminator loss", "g": "Generator loss", "c": "Classifier loss", "": "Loss"}
    for phase, lines in phases.items():
        charts.append(smoothed_chart(titles.get(phase, f"Loss of {phase[:40]}"), lines))
    if psnr := events.validation.get("psnr"):
        lines = [Line("model", psnr)]
        name, reference = events.reference
        if reference:
            lines.append(Line(name, reference, dashed=True))
        title = "Validation PSNR, A to B" if len(run.parts) > 1 else "Validation PSNR"
        charts.append(line_chart(title, "dB, higher is better.", lines, mark=events.best_step))
    if accuracy := events.validation.get("accuracy"):
        lines = [Line("model", accuracy)]
        if baseline := events.validation.get("most_frequent_class"):
            lines.append(Line("most frequent class", baseline, dashed=True))
        charts.append(line_chart("Validation accuracy", "Part of the pictures.", lines, mark=events.best_step))
    for direction, title in DIRECTION_TITLES.items():
        named = {name: events.validation.get(f"{name}_{direction}_psnr") for name in CONSISTENCY_LABELS}
        if lines := [Line(name, curve, dashed=name == "change") for name, curve in named.items() if curve]:
            caption = f"Validation PSNR in dB. {CONSISTENCY_CAVEAT}"
            charts.append(line_chart(f"There and back, {title}", caption, lines))
    if events.lr:
        charts.append(line_chart("Learning rate", "", [Line("", events.lr)], small=True))
    return charts


def _dial(scores: Scores) -> Chart | None:
    if not scores.dial:
        return None
    gain = {point.strength: point.gain for point in scores.dial if point.gain is not None}
    ratio = {
        point.strength: point.colourfulness_ratio for point in scores.dial if point.colourfulness_ratio is not None
    }
    return dial_chart(gain, ratio, scores.calibrated_strength)
