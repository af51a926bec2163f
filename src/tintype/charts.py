"""Line charts as inline SVG whose colours are variables of the page, for the HTML report.

Holds the drawing only; what the curves mean and where they come from is the report's business. Matplotlib draws through
its object-oriented interface, so nothing here touches a display or global figures.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator

MAX_POINTS = 2_000
LOG_SCALE_FROM = 30.0
LINES_PER_SMOOTHING_WINDOW = 30

# Charts are drawn in these colours, which are then replaced by variables of the page, so that they follow its scheme.
MUTED, GRID, PAPER = "#a00002", "#a00003", "#a00004"
SERIES = ("#a00011", "#a00012", "#a00013", "#a00014", "#a00015", "#a00016")
VARIABLES = {MUTED: "muted", GRID: "grid", PAPER: "paper"} | {c: f"s{i}" for i, c in enumerate(SERIES, 1)}
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tintype",
    "font.size": 10,
    "text.color": MUTED,
    "text.parse_math": False,
    "axes.facecolor": "none",
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}

Curve = Mapping[int, float] | Mapping[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A named curve: values by step; `series` numbers its colour in charts of several runs, None is pale."""

    label: str
    curve: Curve
    dashed: bool = False
    series: int | None = None


@dataclass(frozen=True, slots=True)
class DialLine:
    """A model at several strengths: gain in dB and share of the truth's colourfulness, by strength.

    `redraws` is for networks that make whole pictures, not chroma alone.
    """

    label: str
    gain: Mapping[float, float]
    ratio: Mapping[float, float]
    calibrated: float | None
    series: int = 0
    redraws: bool = False


_STRENGTHS = {
    False: "Strength is a factor on the chroma that the network predicts: 0 is grey copy.",
    True: "Where the network redraws the whole picture, strength is a factor on the chroma of what it drew, whose "
    "luminance stays: what is lost or won at 0 is luminance.",
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn chart: `svg` is safe markup, the texts are not."""

    title: str
    caption: str
    svg: Markup


def smoothed_chart(title: str, lines: Sequence[Line], caption: str = "") -> Chart:
    """Curves as running means over their pale raw values; logarithmic where they span a factor of 30."""
    with matplotlib.rc_context(STYLE):
        figure, (axes,) = _figure(2.5)
        ends, smoothed, window = [], [], 1
        for line, colour in zip(lines, itertools.cycle(SERIES)):
            x, y = _points(line.curve)
            window = max(1, len(y) // LINES_PER_SMOOTHING_WINDOW) | 1
            mean = _running_mean(y, window)
            axes.plot(*_thinned(x, y), color=colour, alpha=0.25, linewidth=0.8)
            axes.plot(*_thinned(x, mean), color=colour, linewidth=1.6)
            smoothed.append(mean)
            ends.append((float(mean[-1]), line.label, colour))
        values = np.concatenate(smoothed)
        lowest = min(min(line.curve.values()) for line in lines)
        logarithmic = lowest > 0 and values.max() > LOG_SCALE_FROM * values.min()
        if logarithmic:
            axes.set_yscale("log")
        _dress(axes, "step")
        _label_ends(axes, ends)
        how = f"Pale: as logged. Line: mean over {window:,} log lines." if window > 1 else "As logged."
        return Chart(title, f"{caption} {how}".strip() + " Logarithmic axis." * bool(logarithmic), _svg(figure))


def overlay_chart(
    title: str,
    caption: str,
    lines: Sequence[Line],
    *,
    x_label: str = "step",
    smoothed: bool = False,
    points: int = MAX_POINTS,
) -> Chart:
    """Curves of several runs over each other, in the colours of their series; logarithmic like `smoothed_chart`.

    Args:
        title: What is drawn.
        caption: What a reader must know.
        lines: Those without a series are pale, or muted where they are dashed; labels stand at the ends.
        x_label: Under the axis.
        smoothed: Draw running means.
        points: Points of a line at most.
    """
    with matplotlib.rc_context(STYLE):
        figure, (axes,) = _figure(2.5)
        ends, drawn = [], []
        for line in lines:
            x, y = _points(line.curve)
            if smoothed:
                y = _running_mean(y, max(1, len(y) // LINES_PER_SMOOTHING_WINDOW) | 1)
            colour = (MUTED if line.dashed else GRID) if line.series is None else SERIES[line.series % len(SERIES)]
            axes.plot(
                *_thinned(x, y, points),
                color=colour,
                linewidth=1.0 if line.series is None else 1.6,
                linestyle=(0, (4, 3)) if line.dashed else "-",
                marker="o" if len(x) == 1 else "",
                markersize=4,
            )
            drawn.append(y)
            if line.label:
                ends.append((float(y[-1]), line.label, colour))
        values = np.concatenate(drawn)
        if logarithmic := smoothed and values.min() > 0 and values.max() > LOG_SCALE_FROM * values.min():
            axes.set_yscale("log")
        _dress(axes, x_label)
        _label_ends(axes, ends)
        return Chart(title, (caption + " Logarithmic axis." * bool(logarithmic)).strip(), _svg(figure))


def line_chart(
    title: str,
    caption: str,
    lines: Sequence[Line],
    *,
    mark: int | None = None,
    small: bool = False,
) -> Chart:
    """Curves against steps; `mark` puts a ring on the first one there, `small` is a low chart from zero to the top."""
    with matplotlib.rc_context(STYLE):
        figure, (axes,) = _figure(1.5 if small else 2.5)
        ends = []
        for line, colour in zip(lines, itertools.cycle((SERIES[0], MUTED, *SERIES[1:]))):
            x, y = _points(line.curve)
            # A single value would be an invisible line.
            axes.plot(
                *_thinned(x, y),
                color=colour,
                linewidth=1.6,
                linestyle=(0, (4, 3)) if line.dashed else "-",
                marker="o" if len(x) == 1 else "",
                markersize=4,
            )
            ends.append((float(y[-1]), line.label, colour))
        if mark is not None and mark in lines[0].curve:
            value = lines[0].curve[mark]
            axes.plot([mark], [value], "o", color=SERIES[0], markersize=7, markerfacecolor=PAPER, markeredgewidth=1.6)
            caption += f" Ring: {value:.2f} at step {mark:,}, the chosen one."
        _dress(axes, "step")
        if small:
            axes.set_ylim(bottom=0)
            axes.set_yticks([0, max(max(line.curve.values()) for line in lines)])
        _label_ends(axes, ends)
        return Chart(title, caption, _svg(figure))


def dial_chart(models: Sequence[DialLine], reference: str = "grey copy") -> Chart:
    """Gain over the reference in dB and share of the truth's colourfulness, both against strength of colour."""
    single = len(models) == 1
    with matplotlib.rc_context(STYLE):
        figure, (upper, lower) = _figure(3.8, rows=2)
        for axes, level, here, what in ((upper, 0.0, reference, "gain, dB"), (lower, 1.0, "truth", "colourfulness")):
            axes.axhline(level, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
            ends = [(level, here, MUTED)]
            for model in models:
                colour = SERIES[1] if single and axes is lower else SERIES[model.series % len(SERIES)]
                curve = model.gain if axes is upper else model.ratio
                x, y = _points(curve)
                axes.plot(*_thinned(x, y), color=colour, linewidth=1.8, marker="o" if len(x) < 40 else "", markersize=3)
                if model.calibrated is not None and single:
                    axes.axvline(model.calibrated, color=SERIES[2], linewidth=1.2)
                elif model.calibrated is not None and len(x):
                    at = float(np.interp(model.calibrated, x, y))
                    axes.plot([model.calibrated], [at], "o", color=colour, markersize=7, markerfacecolor=PAPER)
                if len(y):
                    ends.append((float(y[-1]), model.label or what, colour))
            axes.margins(y=0.12)
            _dress(axes, "")
            if not single:
                axes.set_ylabel(what)
            _label_ends(axes, ends)
        lower.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
        lower.set_xlabel("strength of colour")
        caption = "1 is the model's own output. " + " ".join(
            text for redraws, text in _STRENGTHS.items() if any(model.redraws is redraws for model in models)
        )
        calibrated = models[0].calibrated
        if not single and any(model.calibrated is not None for model in models):
            caption += " Rings: the calibrated strengths, chosen on the validation pictures."
        elif single and calibrated is not None:
            upper.annotate(
                f"calibrated {calibrated:g}",
                (calibrated, 1),
                (4, 2),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                color=SERIES[2],
            )
            caption += f" The calibrated strength, {calibrated:g}, was chosen on the validation pictures."
        return Chart("Gain and colourfulness against strength", caption, _svg(figure))


def _figure(height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(5.2, height), layout="constrained", facecolor="none")
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False)
    return figure, list(axes[:, 0])


def _points(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array(sorted(curve.items()), dtype=np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _running_mean(values: np.ndarray, window: int) -> np.ndarray:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    centre = np.arange(len(values))
    low = np.maximum(centre - window // 2, 0)
    high = np.minimum(centre + window // 2 + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)


def _thinned(x: np.ndarray, y: np.ndarray, points: int = MAX_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most so many points, evenly chosen, first and last among them."""
    if len(x) <= points:
        return x, y
    chosen = np.linspace(0, len(x) - 1, points).round().astype(np.int64)
    return x[chosen], y[chosen]


def _dress(axes: Axes, x_label: str) -> None:
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_xlabel(x_label)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    if axes.get_yscale() == "linear":
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}".replace("-", "\N{MINUS SIGN}")))


def _label_ends(axes: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Name each line right of its end, pushed apart where the ends lie close."""
    axes.get_ylim()  # The limits are found lazily; the transformation below does not ask for them.
    to_fraction = axes.transData + axes.transAxes.inverted()
    # A label is about 14 of the 72 points to an inch high; the axes take some 70 % of the figure's height for each row.
    rows = len(axes.figure.axes)
    gap = 14 / (0.7 * 72 * axes.figure.bbox.height / axes.figure.dpi / rows)
    placed = sorted((float(to_fraction.transform((0, value))[1]), label, colour) for value, label, colour in ends)
    heights: list[float] = []
    for height, _, _ in placed:
        heights.append(max(height, heights[-1] + gap) if heights else height)
    ceiling = 1.0
    for i in reversed(range(len(heights))):
        heights[i] = min(heights[i], ceiling)
        ceiling = heights[i] - gap
    for height, (_, label, colour) in zip(heights, placed, strict=True):
        # Fonts lack many letters, and matplotlib warns of each: what is not printable ASCII is shown as "?".
        text = re.sub(r"[^ -~]", "?", label[:32])
        axes.text(1.02, height, text, color=colour, va="center", transform=axes.transAxes)


def with_own_ids(svg: Markup, number: int) -> Markup:
    """The same chart with ids that no chart of another number on the page has."""
    return Markup(re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>chart{number}-", str(svg)))


def _svg(figure: Figure) -> Markup:
    """The figure as an `<svg>` element that scales with its place."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"| (width|height)="[\d.]+pt"| version="[\d.]+"', "", svg)
    for colour, name in VARIABLES.items():
        svg = svg.replace(colour, f"var(--{name})")
    return Markup(svg)
