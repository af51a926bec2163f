"""Judging models: their pictures beside the truth and beside trivial baselines, with intervals and a plain verdict.

In a task that makes colour from grey, pictures whose truth is grey (mean Lab chroma below `COLOURED_THRESHOLD`) are
judged apart: there grey copy is nearly perfect, and counting them would measure how many there are. One picture is
judged in `judging.py`, all of them are summed up in `metrics/summary.py`; drawing panels is left to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tintype.errors import DataError
from tintype.judging import PicturePair, Rivals, Task
from tintype.metrics.baselines import BaselineConstants, fit_baselines
from tintype.metrics.colour import mean_chroma
from tintype.metrics.fidelity import psnr
from tintype.metrics.measures import Measure
from tintype.metrics.nearest import NearestPicture
from tintype.metrics.realism import RealismBy
from tintype.metrics.scores import PictureScores, Scores
from tintype.metrics.summary import COLOURED_THRESHOLD, Contenders, Judged, primary, summarise
from tintype.metrics.table import format_scores
from tintype.metrics.verdict import MINIMUM_FOR_VERDICT

if TYPE_CHECKING:
    from tintype.inference.translator import Translator

__all__ = [
    "COLOURED_THRESHOLD",
    "BaselineConstants",
    "Fold",
    "NearestPicture",
    "PanelChoice",
    "PicturePair",
    "RealismBy",
    "Scores",
    "calibrate_strength",
    "choose_panels",
    "evaluate",
    "evaluate_folds",
    "fit_baselines",
    "format_scores",
]

CALIBRATION_STRENGTHS = tuple(i / 20 for i in range(31))

FRECHET_PICTURES = 2048
"""Fewest pictures for which a Fréchet distance stands without a warning."""


@dataclass(frozen=True, slots=True)
class Fold:
    """A model and the pictures that it is judged on.

    Attributes:
        translator: The model.
        pictures: Taken one at a time.
        baselines: Constants of the training set; default: those of the model's card.
        nearest: Finds pictures of the training set.
        runs: Other models by the name of their row; the same names in all folds.
    """

    translator: Translator
    pictures: Iterable[PicturePair]
    baselines: BaselineConstants | None = None
    nearest: NearestPicture | None = None
    runs: Mapping[str, Translator] = field(default_factory=dict)


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
    nearest: NearestPicture | None = None,
    runs: Mapping[str, Translator] | None = None,
    realism: RealismBy | None = None,
    measures: Mapping[str, Measure] | None = None,
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
        nearest: Finds pictures of the training set; without it that baseline is missing.
        runs: Other models by the name of their row, judged on the same pictures at strength 1.
        realism: What realism is judged by; without it that is left out.
        measures: Further figures by name, which must say all that they depend on.
        protocol: How the pictures were made (plain JSON data: size, crop, resize kernel, split, split digest), kept in
            the scores beside what is decided here.
        strengths: Strengths of colour to judge, the one that is used by default first; default: 1 and, where it
            differs, the calibrated strength of the card. Models that do not predict chroma are judged at 1.
        resamples: Bootstrap resamples for each interval.
        seed: Seed of the bootstrap.
        progress: Called with the number of pictures done after each.

    Raises:
        DataError: There are no pictures, or two have one name.
    """
    return evaluate_folds(
        [Fold(translator, pictures, baselines, nearest, runs or {})],
        realism=realism,
        measures=measures,
        protocol=protocol,
        strengths=strengths,
        resamples=resamples,
        seed=seed,
        progress=progress,
    )


def evaluate_folds(
    folds: Sequence[Fold],
    *,
    realism: RealismBy | None = None,
    measures: Mapping[str, Measure] | None = None,
    protocol: dict[str, Any] | None = None,
    strengths: Sequence[float] | None = None,
    resamples: int = 2000,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Scores:
    """Judge the models of a cross-validation as one, each on pictures of its own; arguments are those of `evaluate`.

    Each picture is judged once, by the model that has not seen it. Baselines are fitted in each fold, and "model,
    calibrated" is each model at its own strength.

    Args:
        folds: At least one; all of one task.
        realism: See `evaluate`.
        measures: See `evaluate`.
        protocol: See `evaluate`.
        strengths: See `evaluate`; the same for all models.
        resamples: See `evaluate`.
        seed: See `evaluate`.
        progress: See `evaluate`.

    Raises:
        DataError: There are no pictures, or two have one name.
    """
    models = _rows_of_models([fold.translator for fold in folds], strengths)
    judged: dict[str, Judged] = {}
    for number, fold in enumerate(folds):
        task = Task(fold.translator, realism.network if realism else None, measures or {})
        rivals = Rivals(fold.baselines or fold.translator.card.baselines, fold.nearest, fold.runs)
        own = {name: values[number] for name, values in models.items()}
        for picture in fold.pictures:
            if picture.name in judged:
                raise DataError(f"{picture.name}: is judged twice, and each picture may count once; leave one out")
            judged[picture.name] = task.score(picture, rivals, own)
            if progress is not None:
                progress(len(judged))
    if not judged:
        raise DataError(
            "evaluation: no pictures to judge, at least one is needed: name a folder or split that has some"
        )
    contenders = Contenders(models, tuple(folds[0].runs), task.reference, task.colourises)
    protocol = {**(protocol or {}), **({"strength": task.strength} if task.strength else {})}
    scores = summarise(tuple(judged.values()), contenders, protocol, resamples=resamples, seed=seed, realism=realism)
    notes = []
    if not all(fold.baselines or fold.translator.card.baselines for fold in folds):
        notes.append(
            "The model file holds no constants of its training set, so the baselines that need them are missing."
        )
    if realism is not None and scores.realism is None:
        notes.append(f"Realism is not judged on fewer than {MINIMUM_FOR_VERDICT} pictures.")
    elif realism and realism.frechet and scores.realism and scores.realism.pictures < FRECHET_PICTURES:
        notes.append(
            f"The Frechet distance is biased upwards for fewer than {FRECHET_PICTURES:,} pictures and grows as they "
            "get fewer: compare it with none but those of the same count, and rather go by KID."
        )
    return scores.with_notes(notes)


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
        return PanelChoice(kind, picture.name, primary(picture).psnr, figures["grey copy"].psnr if colourises else None)

    def merit(picture: PictureScores) -> float:
        return primary(picture).psnr - (picture.figures["grey copy"].psnr if colourises else 0)

    ranked = sorted(judged, key=merit, reverse=True)
    chosen = {ranked[0].name: choice("best", ranked[0])}
    if len(ranked) > 1:
        chosen[ranked[-1].name] = choice("worst", ranked[-1])
    middle = ranked[len(ranked) // 2]
    chosen.setdefault(middle.name, choice("median", middle))
    order = ("best", "median", "worst")
    return tuple(sorted(chosen.values(), key=lambda panel: order.index(panel.kind)))


def _rows_of_models(
    translators: Sequence[Translator], strengths: Sequence[float] | None
) -> dict[str, tuple[float, ...]]:
    """Names of the rows of a model, and what strength each of the translators has in them."""
    calibrated = tuple(translator.card.strength for translator in translators)
    ones = (1.0,) * len(translators)
    if not translators[0].codec.predicts_chroma:
        return {"model": ones}
    if strengths is None:
        return {"model": ones} if calibrated == ones else {"model": ones, "model, calibrated": calibrated}
    rows = {}
    for strength in strengths:
        same = (strength,) * len(translators)
        name = "model, calibrated" if same == calibrated else f"model, strength {strength:g}"
        rows["model" if strength == 1 else name] = same
    return rows
