"""Which curves the HTML report draws: of one run, and of several runs over each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tintype.charts import (
    Chart,
    DialLine,
    Line,
    dial_chart,
    line_chart,
    overlay_chart,
    smoothed_chart,
)
from tintype.metrics.scores import CONSISTENCY_CAVEAT, CONSISTENCY_LABELS
from tintype.report_compare import OVERLAID, Entry, ranked
from tintype.report_events import Curve
from tintype.report_run import DIRECTION_TITLES, Run
from tintype.report_scores import Scores

MAX_OVERLAYS = 16
OVERLAY_POINTS = 300


def training_charts(run: Run) -> list[Chart]:
    """All curves of one run."""
    events, charts = run.events, []
    phases: dict[str, list[Line]] = {}
    for name, curve in events.terms.items():
        phases.setdefault(name.split("/")[0] if "/" in name else "", []).append(Line(name, curve))
    titles = {"d": "Discriminator loss", "g": "Generator loss", "c": "Classifier loss", "": "Loss"}
    for phase, lines in phases.items():
        if total := events.sum_of(phase):
            lines.append(Line(f"{phase.upper()}, sum", total))
        charts.append(smoothed_chart(titles.get(phase, f"Loss of {phase[:40]}"), lines))
    if psnr := events.validation.get("psnr"):
        lines = [Line("model", psnr)]
        name, reference = events.reference
        if reference:
            lines.append(Line(name, reference, dashed=True))
        if train := events.validation.get("train_psnr"):
            lines.append(Line("on training pictures", train))
        title = "Validation PSNR, A to B" if len(run.parts) > 1 else "Validation PSNR"
        charts.append(line_chart(title, "dB, higher is better.", lines, mark=events.best_step))
    if accuracy := events.validation.get("accuracy"):
        lines = [Line("model", accuracy)]
        if baseline := events.validation.get("most_frequent_class"):
            lines.append(Line("most frequent class", baseline, dashed=True))
        charts.append(line_chart("Validation accuracy", "Part of the pictures.", lines, mark=events.best_step))
    if distance := events.validation.get("kid"):
        caption = "Distance of samples to validation pictures by features, lower is better."
        charts.append(line_chart("Validation KID", caption, [Line("model", distance)]))
    if told := events.validation.get("class_accuracy"):
        caption = "Part of the samples that a classifier tells as the class that was asked for."
        charts.append(line_chart("Samples of their class", caption, [Line("model", told)]))
    for direction, title in DIRECTION_TITLES.items():
        named = {name: events.validation.get(f"{name}_{direction}_psnr") for name in CONSISTENCY_LABELS}
        if lines := [Line(name, curve, dashed=name == "change") for name, curve in named.items() if curve]:
            caption = f"Validation PSNR in dB. {CONSISTENCY_CAVEAT}"
            charts.append(line_chart(f"There and back, {title}", caption, lines))
    charts += _health_charts(events.health)
    if events.lr:
        charts.append(line_chart("Learning rate", "", [Line("", events.lr)], small=True))
    return charts


def _health_charts(health: dict[str, Curve]) -> list[Chart]:
    charts = []
    shares = {name: curve for name, curve in health.items() if name.startswith("d/accuracy_")}
    if shares:
        lines = [Line(name.removeprefix("d/accuracy_").replace("_", " "), curve) for name, curve in shares.items()]
        caption = "Share of right judgements on real and on generated pictures: 0.5 is chance, near 1 the game is over."
        charts.append(smoothed_chart("Discriminator accuracy", lines, caption))
    norms = {name: curve for name, curve in health.items() if name.endswith("/gradient")}
    if norms:
        lines = [Line(name.split("/")[0].upper()[:20], curve) for name, curve in norms.items()]
        charts.append(smoothed_chart("Gradient norm", lines))
    return charts


def dial(scores: Scores) -> Chart | None:
    """Gain and colourfulness against strength of one model; None where it has no such dial."""
    return dial_chart([_dial_line("", scores, 0)], scores.reference) if scores.dial else None


def common_dial(entries: Sequence[Entry], palette: Palette) -> Chart | None:
    """The same of all models that have one, those with a colour of their own; None of fewer than two."""
    having = [entry for entry in entries if entry.scores.dial and entry.number in palette.series]
    if len(having) < 2:
        return None
    return dial_chart([_dial_line(str(one.number), one.scores, palette.series[one.number]) for one in having])


def _dial_line(label: str, scores: Scores, series: int) -> DialLine:
    points = scores.dial or []
    gain = {point.strength: point.gain for point in points if point.gain is not None}
    ratio = {point.strength: point.colourfulness_ratio for point in points if point.colourfulness_ratio is not None}
    return DialLine(label, gain, ratio, scores.calibrated_strength, series, scores.redraws)


@dataclass(frozen=True, slots=True)
class Palette:
    """Which runs are drawn in which of the page's colours, by their numbers; the same in all charts."""

    series: dict[int, int]

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Palette:
        """The best runs get colours, in the order they were given."""
        return cls({number: place for place, number in enumerate(sorted(ranked(runs)[:OVERLAID]))})

    def lines(self, runs: Sequence[Run], curve_of: Callable[[Run], Curve | dict[float, float]]) -> list[Line]:
        """A line for each run that has a curve, the pale ones first, so that they lie behind."""
        lines = []
        for number, run in enumerate(runs, 1):
            if curve := curve_of(run):
                series = self.series.get(number)
                lines.append(Line(str(number) if series is not None else "", curve, series=series))
        return sorted(lines, key=lambda line: line.series is not None)


def learning_curves(runs: Sequence[Run], palette: Palette) -> list[Chart]:
    """Validation scores of all runs against steps and against time."""
    charts = []
    measures = {"psnr": "Validation PSNR"} | {
        f"{kind}_{way}_psnr": f"{kind.capitalize()}, {title}"
        for way, title in DIRECTION_TITLES.items()
        for kind in ("cycle", "change")
    }
    for key, title in measures.items():

        def by_step(run: Run, key: str = key) -> Curve:
            return run.events.validation.get(key, {})

        def by_time(run: Run, key: str = key) -> dict[float, float]:
            return {second / 60: v for second, v in run.events.over_time(run.events.validation.get(key, {})).items()}

        for curve_of, x_label, ending in ((by_step, "step", "against steps"), (by_time, "minutes", "against time")):
            lines = palette.lines(runs, curve_of)
            if len(lines) > 1:
                references = [run.events.reference for run in runs if run.events.reference[1]] if key == "psnr" else []
                caption = "dB, higher is better." if key == "psnr" else "PSNR in dB; no measure of quality."
                if curve_of is by_time:
                    caption += " Time of training steps alone, on whatever machine each run had."
                elif references:
                    name, curve = references[0]
                    lines.insert(0, Line(name, curve, dashed=True))
                charts.append(
                    overlay_chart(f"{title} {ending}", caption, lines, x_label=x_label, points=OVERLAY_POINTS)
                )
    return charts


def loss_curves(runs: Sequence[Run], palette: Palette) -> list[Chart]:
    """One chart for each loss term and each sum, all runs together: D real, D fake, D, G adversarial, G L1, G."""
    names = dict.fromkeys(name for run in runs for name in run.events.terms)
    charts = []
    for phase in ("d", "g"):
        for name in [*(name for name in names if name.startswith(f"{phase}/")), phase]:

            def curve_of(run: Run, name: str = name) -> Curve:
                return run.events.terms.get(name, {}) if "/" in name else run.events.sum_of(name)

            lines = palette.lines(runs, curve_of)
            if len(lines) > 1:
                charts.append(overlay_chart(_title(name), "", lines, smoothed=True, points=OVERLAY_POINTS))
    return charts[:MAX_OVERLAYS]


def _title(name: str) -> str:
    """A term as the field writes it: "d/real" is D real, "g/l1" G L1."""
    phase, _, term = name.partition("/")
    words = term.replace("_", " ").replace("l1", "L1")
    return f"{phase.upper()} {words}".strip()[:60]
