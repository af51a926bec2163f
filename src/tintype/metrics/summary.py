"""From the figures of single pictures to rows, comparisons and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tintype import __version__
from tintype.metrics.fidelity import PSNR_CAP
from tintype.metrics.interval import Interval, bootstrap_interval
from tintype.metrics.luma import PSNR_Y
from tintype.metrics.realism import RealismBy, judge_realism
from tintype.metrics.scores import (
    Comparison,
    DialPoint,
    Figures,
    GreyPictures,
    PictureScores,
    Realism,
    Row,
    Scores,
    digest_of,
)
from tintype.metrics.verdict import luma_sentence, outcome, realism_verdict, verdict

COLOURED_THRESHOLD = 2.0
"""Mean Lab chroma from which the truth of a picture counts as coloured."""

DIAL = tuple(i / 4 for i in range(7))
"""Strengths at which a model that colours is shown between caution and colour."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Scores of one picture and what only the summary needs.

    `invented_chroma` is the mean Lab chroma of what the model made of a picture whose truth is grey; `dial` holds PSNR
    and colourfulness at each strength of `DIAL`. `features` are those of the contenders' pictures by name, and
    `truth` those of the truth, both only where realism is judged and the picture counts.
    """

    picture: PictureScores
    invented_chroma: float | None
    dial: tuple[tuple[float, float], ...]
    features: Mapping[str, np.ndarray] = field(default_factory=dict)
    truth: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Contenders:
    """Who was judged, by the names of their rows.

    Attributes:
        models: Strengths of each row of the model, one for each of the folds, else one.
        runs: Rows of other runs.
        reference: The baseline that gains count from.
        colourises: Whether the task makes colour from grey, so that only coloured pictures count.
    """

    models: Mapping[str, tuple[float, ...]]
    runs: Sequence[str]
    reference: str
    colourises: bool

    def strength(self, name: str) -> float | None:
        """Of a row, on average; None for trivial baselines."""
        strengths = (1.0,) if name in self.runs else self.models.get(name)
        return float(np.mean(strengths)) if strengths else None


def summarise(
    judged: Sequence[Judged],
    contenders: Contenders,
    protocol: Mapping[str, Any],
    *,
    resamples: int,
    seed: int,
    realism: RealismBy | None = None,
) -> Scores:
    """Scores over pictures, at least one; every picture counts the same.

    Args:
        judged: The pictures.
        contenders: Who is who among their figures.
        protocol: How the pictures were made.
        resamples: Bootstrap resamples for each interval.
        seed: Seed of the bootstrap.
        realism: What realism is judged by, where the pictures have features.
    """

    def interval(values: Sequence[float]) -> Interval:
        return bootstrap_interval(values, resamples=resamples, seed=seed)

    def compare(name: str, other: str) -> Comparison:
        difference = interval([p.figures[name].psnr - p.figures[other].psnr for p in counted])
        return Comparison(name, contenders.strength(name) or 0.0, other, difference, outcome(difference, len(counted)))

    colourises = contenders.colourises
    per_picture = tuple(one.picture for one in judged)
    counted = [picture for picture in per_picture if picture.coloured or not colourises]
    names = list(per_picture[0].figures) if counted else []
    rows = tuple(_row(name, contenders, counted, interval) for name in names)
    trivial = [row for row in rows if row.strength is None]
    best = max(trivial, key=lambda row: row.psnr.mean).name if trivial else ""
    comparisons = tuple(compare(name, best) for name in contenders.models) if trivial else ()
    against_runs = tuple(compare(name, run) for run in contenders.runs for name in contenders.models if counted)
    folds = max(map(len, contenders.models.values()))
    sentences = [verdict(comparisons, len(counted), colourises, against_runs, folds)]
    if counted and PSNR_Y in primary(counted[0]).more:
        on_luma = [primary(p).more[PSNR_Y] - p.figures[contenders.reference].more[PSNR_Y] for p in counted]
        sentences.append(luma_sentence(interval(on_luma), contenders.reference))
    found = None if realism is None else _realism(judged, contenders, realism)
    if found is not None:
        sentences.append(realism_verdict(found, folds))
    everything = {
        **protocol,
        "pictures": len(per_picture),
        "judged": len(counted),
        "coloured_threshold": COLOURED_THRESHOLD,
        "psnr_cap_db": PSNR_CAP,
        "interval": f"95 % studentised bootstrap over pictures, {resamples} resamples, seed {seed}",
    }
    networks = {} if found is None else {"features": found.protocol}
    return Scores(
        protocol={**everything, "scores": digest_of({**everything, **networks}), "tintype": __version__},
        pictures=len(per_picture),
        coloured=sum(p.coloured for p in per_picture),
        grey=sum(not p.coloured for p in per_picture),
        reference=contenders.reference,
        rows=rows,
        comparisons=comparisons,
        grey_pictures=_grey_pictures(judged) if colourises else None,
        dial=_dial([one for one in judged if one.dial]),
        verdict=" ".join(sentences),
        notes=(),
        per_picture=per_picture,
        against_runs=against_runs,
        realism=found,
    )


def primary(picture: PictureScores) -> Figures:
    """The figures of the model at the strength that is judged first."""
    return next(iter(picture.figures.values()))


def _realism(judged: Sequence[Judged], contenders: Contenders, by: RealismBy) -> Realism | None:
    seen = [one for one in judged if one.truth is not None]
    if not seen:
        return None
    names = list(seen[0].features)
    return judge_realism(
        by,
        {name: np.stack([one.features[name] for one in seen]) for name in names},
        np.stack([one.truth for one in seen if one.truth is not None]),
        {name: contenders.strength(name) for name in names},
        models=list(contenders.models),
        reference=contenders.reference,
        runs=contenders.runs,
    )


def _row(
    name: str,
    contenders: Contenders,
    counted: Sequence[PictureScores],
    interval: Callable[[Sequence[float]], Interval],
) -> Row:
    own = [p.figures[name] for p in counted]
    truth = [p.truth_colourfulness for p in counted]
    decibels, reference_decibels = ([p.figures[n].psnr for p in counted] for n in (name, contenders.reference))
    strengths = contenders.models.get(name, ())
    return Row(
        name=name,
        strength=contenders.strength(name),
        psnr=interval(decibels),
        ssim=interval([f.ssim for f in own]),
        ciede2000=interval([f.ciede2000 for f in own]),
        colourfulness=interval([f.colourfulness for f in own]),
        colourfulness_difference=interval([f.colourfulness - t for f, t in zip(own, truth, strict=True)]),
        colourfulness_ratio=_ratio([f.colourfulness for f in own], truth),
        gain=interval([mine - other for mine, other in zip(decibels, reference_decibels, strict=True)]),
        pooled_gain=_pooled(decibels) - _pooled(reference_decibels),
        strengths=strengths if len(set(strengths)) > 1 else (),
        more={title: interval([f.more[title] for f in own]) for title in own[0].more},
    )


def _pooled(decibels: Sequence[float]) -> float:
    """PSNR of the mean squared error over pictures of these PSNRs."""
    return float(-10 * np.log10(np.mean(10 ** (np.asarray(decibels) / -10))))


def _ratio(values: Sequence[float], truth: Sequence[float]) -> float | None:
    return float(np.mean(values) / np.mean(truth)) if any(truth) else None


def _grey_pictures(judged: Sequence[Judged]) -> GreyPictures | None:
    grey = [(primary(one.picture).psnr, one.invented_chroma) for one in judged if one.invented_chroma is not None]
    if not grey:
        return None
    decibels, chroma = np.mean(grey, axis=0)
    return GreyPictures(len(grey), float(decibels), float(chroma))


def _dial(judged: Sequence[Judged]) -> tuple[DialPoint, ...]:
    if not judged:
        return ()
    copied = [one.picture.figures["grey copy"].psnr for one in judged]
    truth = [one.picture.truth_colourfulness for one in judged]
    points = []
    for strength, values in zip(DIAL, zip(*(one.dial for one in judged), strict=True), strict=True):
        decibels, colour = zip(*values, strict=True)
        points.append(DialPoint(strength, float(np.mean(np.subtract(decibels, copied))), _ratio(colour, truth)))
    return tuple(points)
