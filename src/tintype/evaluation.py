"""Judging a model: its pictures beside the truth and beside trivial baselines, with intervals and a plain verdict.

What is measured is what is shipped: every picture goes through the `Translator`, as it does on the command line. In a
task that makes colour from grey, pictures whose truth is grey (mean Lab chroma below `COLOURED_THRESHOLD`) are judged
apart: there grey copy is nearly perfect, and counting them would measure how many there are. The figures themselves are
in `tintype.metrics`; drawing panels is left to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from tintype import __version__
from tintype.errors import DataError
from tintype.image.codec import on_picture
from tintype.metrics.baselines import (
    BaselineConstants,
    colouring_baselines,
    fit_baselines,
    translation_baselines,
)
from tintype.metrics.colour import ciede2000, colourfulness, mean_chroma
from tintype.metrics.fidelity import PSNR_CAP, psnr, ssim
from tintype.metrics.interval import Interval, bootstrap_interval
from tintype.metrics.scores import (
    Comparison,
    DialPoint,
    Figures,
    GreyPictures,
    PictureScores,
    Row,
    Scores,
    format_scores,
    outcome,
    verdict,
)

if TYPE_CHECKING:
    from tintype.inference.translator import Translator

__all__ = [
    "COLOURED_THRESHOLD",
    "BaselineConstants",
    "PanelChoice",
    "PicturePair",
    "Scores",
    "calibrate_strength",
    "choose_panels",
    "evaluate",
    "fit_baselines",
    "format_scores",
]

COLOURED_THRESHOLD = 2.0
"""Mean Lab chroma from which the truth of a picture counts as coloured."""

DIAL = tuple(i / 4 for i in range(7))
CALIBRATION_STRENGTHS = tuple(i / 20 for i in range(31))


class PicturePair(Protocol):
    """A pair to judge on: source `h w 1|3` and target `h w 3`, display floats in [0, 1], of equal height and width."""

    @property
    def name(self) -> str:
        """Unique among the pictures that are judged together."""
        ...

    @property
    def source(self) -> np.ndarray:
        """What the model gets."""
        ...

    @property
    def target(self) -> np.ndarray:
        """The truth."""
        ...


@dataclass(frozen=True, slots=True)
class PanelChoice:
    """A picture to show, and how the model and, in a task that colours, grey copy did on it (PSNR in dB)."""

    kind: Literal["best", "median", "worst"]
    name: str
    psnr: float
    grey_copy_psnr: float | None


def evaluate(
    translator: Translator,
    pictures: Iterable[PicturePair],
    *,
    baselines: BaselineConstants | None = None,
    protocol: dict[str, Any] | None = None,
    strengths: Sequence[float] | None = None,
    resamples: int = 2000,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Scores:
    """Judge a model beside the trivial baselines of its task.

    The network runs once for each picture, whatever the number of strengths.

    Args:
        translator: The model.
        pictures: Taken one at a time; their names must be unique.
        baselines: Constants of the training set; default: those of the model's card. Where that has none either, only
            the baselines that need none are shown, and a note says so.
        protocol: How the pictures were made (plain JSON data: size, crop, resize kernel, split, split digest), kept in
            the scores beside what is decided here.
        strengths: Strengths of colour to judge, the one that is used by default first; default: 1 and, where it
            differs, the calibrated strength of the card. Models that do not predict chroma are judged at 1.
        resamples: Bootstrap resamples for each interval.
        seed: Seed of the bootstrap.
        progress: Called with the number of pictures done after each.

    Raises:
        DataError: There are no pictures.
    """
    task = Task(translator)
    constants = baselines or translator.card.baselines
    if not translator.codec.predicts_chroma:
        strengths = (1.0,)
    elif strengths is None:
        strengths = tuple(dict.fromkeys((1.0, translator.card.strength)))
    models = {_model_name(strength, translator.card.strength): strength for strength in strengths}

    scored: list[_Scored] = []
    for picture in pictures:
        scored.append(task.score(picture, constants, models))
        if progress is not None:
            progress(len(scored))
    if not scored:
        raise DataError(
            "evaluation: no pictures to judge, at least one is needed: name a folder or split that has some"
        )

    def interval(values: Sequence[float]) -> Interval:
        return bootstrap_interval(values, resamples=resamples, seed=seed)

    per_picture = tuple(s.picture for s in scored)
    judged = [s.picture for s in scored if s.picture.coloured or not task.colourises]
    reference = task.reference
    names = list(per_picture[0].figures) if judged else []
    rows = tuple(_row(name, models.get(name), judged, reference, interval) for name in names)
    trivial = [row for row in rows if row.strength is None]
    best = max(trivial, key=lambda row: row.psnr.mean).name if trivial else ""
    comparisons = tuple(_compare(name, models[name], best, judged, interval) for name in models) if trivial else ()
    note = "The model file holds no constants of its training set, so the baselines that need them are missing."
    return Scores(
        protocol={
            **(protocol or {}),
            "coloured_threshold": COLOURED_THRESHOLD,
            "psnr_cap_db": PSNR_CAP,
            "interval": f"95 % studentised bootstrap over pictures, {resamples} resamples, seed {seed}",
            "tintype": __version__,
        },
        pictures=len(per_picture),
        coloured=sum(p.coloured for p in per_picture),
        grey=sum(not p.coloured for p in per_picture),
        reference=reference,
        rows=rows,
        comparisons=comparisons,
        grey_pictures=_grey_pictures(scored) if task.colourises else None,
        dial=_dial([s for s in scored if s.dial]),
        verdict=verdict(comparisons, len(judged), task.colourises),
        notes=() if constants else (note,),
        per_picture=per_picture,
    )


def calibrate_strength(
    translator: Translator, pictures: Iterable[PicturePair], strengths: Sequence[float] = CALIBRATION_STRENGTHS
) -> float:
    """The strength of colour with the highest mean PSNR over the pictures whose truth has colour.

    Give validation pictures, never the ones that the result is then judged on.

    Returns:
        One of `strengths`, of equally good ones that nearest to 1; 1 where no picture has colour or the model
        predicts no chroma.
    """
    if not translator.codec.predicts_chroma:
        return 1.0
    totals = np.zeros(len(strengths))
    for picture in pictures:
        if mean_chroma(picture.target) >= COLOURED_THRESHOLD:
            prediction = translator.predict(picture.source)
            totals += [psnr(prediction.render(strength), picture.target) for strength in strengths]
    if not totals.any():
        return 1.0
    best = totals.max()
    return min((s for s, total in zip(strengths, totals, strict=True) if total == best), key=lambda s: abs(s - 1))


def choose_panels(scores: Scores) -> tuple[PanelChoice, ...]:
    """The judged pictures on which the model did best, in the middle and worst, without repeats.

    In a task that colours they are ordered by gain over grey copy, else by PSNR. Where no picture's truth has colour,
    all count.
    """
    colourises = scores.reference == "grey copy"
    judged = [p for p in scores.per_picture if p.coloured or not colourises] or list(scores.per_picture)

    def choice(kind: Literal["best", "median", "worst"], picture: PictureScores) -> PanelChoice:
        figures = picture.figures
        return PanelChoice(
            kind, picture.name, _primary(picture).psnr, figures["grey copy"].psnr if colourises else None
        )

    def merit(picture: PictureScores) -> float:
        return _primary(picture).psnr - (picture.figures["grey copy"].psnr if colourises else 0)

    ranked = sorted(judged, key=merit, reverse=True)
    chosen = {ranked[0].name: choice("best", ranked[0])}
    if len(ranked) > 1:
        chosen[ranked[-1].name] = choice("worst", ranked[-1])
    middle = ranked[len(ranked) // 2]
    chosen.setdefault(middle.name, choice("median", middle))
    order = ("best", "median", "worst")
    return tuple(sorted(chosen.values(), key=lambda panel: order.index(panel.kind)))


@dataclass(frozen=True, slots=True)
class _Scored:
    """Scores of one picture and what only the summary needs: see `GreyPictures` and `DialPoint`."""

    picture: PictureScores
    invented_chroma: float | None
    dial: tuple[tuple[float, float], ...]  # PSNR and colourfulness at each strength of DIAL


class Task:
    """The translator together with what its codec says about how its pictures are judged."""

    def __init__(self, translator: Translator) -> None:
        self.translator, self.codec = translator, translator.codec
        self.colourises = translator.codec.colourises
        self.reference = "grey copy" if self.colourises else "identity"

    def score(
        self,
        picture: PicturePair,
        constants: BaselineConstants | None,
        models: Mapping[str, float],
        dial_strengths: Sequence[float] = DIAL,
    ) -> _Scored:
        """All figures of one picture; `models` are strengths by name of the row."""
        prediction = self.translator.predict(picture.source)
        target, source = self.shown(picture.target), self.source(picture.source)
        if self.colourises:
            made = colouring_baselines(source[..., :1], constants)
        else:
            made = translation_baselines(self.shown(source), constants)
            if self.codec.turns_grey:
                made["grey copy"] = on_picture(self.codec.target_from, source)
        rendered = {strength: self.shown(prediction.render(strength)) for strength in models.values()}
        outputs = {name: rendered[strength] for name, strength in models.items()}
        outputs |= {name: self.shown(output) for name, output in made.items()}
        chroma = mean_chroma(target)
        coloured = chroma >= COLOURED_THRESHOLD
        figures = {
            name: Figures(
                psnr=psnr(output, target),
                ssim=ssim(output, target),
                ciede2000=ciede2000(output, target),
                colourfulness=colourfulness(output),
            )
            for name, output in outputs.items()
        }
        dial = []
        if self.codec.predicts_chroma and coloured:
            for strength in dial_strengths:
                output = rendered[strength] if strength in rendered else prediction.render(strength)
                dial.append((psnr(output, target), colourfulness(output)))
        return _Scored(
            picture=PictureScores(picture.name, coloured, chroma, colourfulness(target), figures),
            invented_chroma=None if coloured else mean_chroma(next(iter(outputs.values()))),
            dial=tuple(dial),
        )

    def source(self, picture: np.ndarray) -> np.ndarray:
        """The source as the codec reads it, `h w 1|3`."""
        return on_picture(self.codec.source_from, picture)

    def shown(self, picture: np.ndarray) -> np.ndarray:
        """Three channels of an output or target; all alike in tasks that make grey pictures."""
        if self.codec.target_channels == 1:
            picture = on_picture(self.codec.target_from, picture)
        return picture if picture.shape[-1] == 3 else np.repeat(picture, 3, axis=-1)


def _model_name(strength: float, calibrated: float) -> str:
    if strength == 1:
        return "model"
    return "model, calibrated" if strength == calibrated else f"model, strength {strength:g}"


def _primary(picture: PictureScores) -> Figures:
    """The figures of the model at the strength that is judged first."""
    return next(iter(picture.figures.values()))


def _row(
    name: str,
    strength: float | None,
    judged: Sequence[PictureScores],
    reference: str,
    interval: Callable[[Sequence[float]], Interval],
) -> Row:
    own = [p.figures[name] for p in judged]
    truth = [p.truth_colourfulness for p in judged]
    decibels, reference_decibels = ([p.figures[n].psnr for p in judged] for n in (name, reference))
    return Row(
        name=name,
        strength=strength,
        psnr=interval(decibels),
        ssim=interval([f.ssim for f in own]),
        ciede2000=interval([f.ciede2000 for f in own]),
        colourfulness=interval([f.colourfulness for f in own]),
        colourfulness_difference=interval([f.colourfulness - t for f, t in zip(own, truth, strict=True)]),
        colourfulness_ratio=_ratio([f.colourfulness for f in own], truth),
        gain=interval([mine - other for mine, other in zip(decibels, reference_decibels, strict=True)]),
        pooled_gain=_pooled(decibels) - _pooled(reference_decibels),
    )


def _pooled(decibels: Sequence[float]) -> float:
    """PSNR of the mean squared error over pictures of these PSNRs."""
    return float(-10 * np.log10(np.mean(10 ** (np.asarray(decibels) / -10))))


def _ratio(values: Sequence[float], truth: Sequence[float]) -> float | None:
    return float(np.mean(values) / np.mean(truth)) if any(truth) else None


def _compare(
    name: str,
    strength: float,
    best: str,
    judged: Sequence[PictureScores],
    interval: Callable[[Sequence[float]], Interval],
) -> Comparison:
    difference = interval([p.figures[name].psnr - p.figures[best].psnr for p in judged])
    return Comparison(name, strength, best, difference, outcome(difference, len(judged)))


def _grey_pictures(scored: Sequence[_Scored]) -> GreyPictures | None:
    grey = [(_primary(s.picture).psnr, s.invented_chroma) for s in scored if s.invented_chroma is not None]
    if not grey:
        return None
    decibels, chroma = np.mean(grey, axis=0)
    return GreyPictures(len(grey), float(decibels), float(chroma))


def _dial(scored: Sequence[_Scored]) -> tuple[DialPoint, ...]:
    if not scored:
        return ()
    copied = [s.picture.figures["grey copy"].psnr for s in scored]
    truth = [s.picture.truth_colourfulness for s in scored]
    points = []
    for strength, values in zip(DIAL, zip(*(s.dial for s in scored), strict=True), strict=True):
        decibels, colour = zip(*values, strict=True)
        points.append(DialPoint(strength, float(np.mean(np.subtract(decibels, copied))), _ratio(colour, truth)))
    return tuple(points)
