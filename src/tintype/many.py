"""Judging models that make many results of a picture: their spread beside the truth, and its calibration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from tintype.image.array_picture import ArrayPicture
from tintype.image.codec import LabSpace, on_picture
from tintype.image.color import lab_to_display, rgb_to_lab
from tintype.inference.colourings import colourings, drawn_chroma
from tintype.inference.colourise import network_size
from tintype.judging import PicturePair
from tintype.metrics.colour import lab_of, mean_chroma
from tintype.metrics.fidelity import psnr
from tintype.metrics.interval import bootstrap_interval
from tintype.metrics.spread import (
    LEVEL,
    NORMAL_FACTOR,
    PASSES,
    Calibration,
    Spread,
    bounds_of,
    coverage,
    diversity,
    fit_factor,
    interval_score,
    marginal_bounds,
    steadied,
    tints,
)
from tintype.metrics.summary import COLOURED_THRESHOLD

if TYPE_CHECKING:
    from tintype.inference.translator import Translator

SAMPLES = 8


def has_spread(translator: Translator) -> bool:
    """Whether a model makes many colour pictures of one, and what runs it can."""
    return translator.card.makes_many and not translator.network.lacks_noise and translator.codec.target_channels != 1


def calibrate(
    translator: Translator, validation: Iterable[PicturePair], training: Iterable[np.ndarray]
) -> Calibration | None:
    """How wide intervals of chroma have to be; None where no validation picture has colour.

    Args:
        translator: The model.
        validation: Pictures that it did not learn from.
        training: Some of the targets `h w 3` that it learnt from, at the size that it is judged at.
    """
    answers = [(truth, mean, steadied(sd)) for _, (truth, mean, sd) in _answers(translator, validation)]
    if not answers:
        return None
    marginal = marginal_bounds(_true_chroma(translator, picture)[1] for picture in training)
    return Calibration(factor=fit_factor(answers), pictures=len(answers), marginal=marginal)


def judge_spread(
    translator: Translator,
    pictures: Iterable[PicturePair],
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    resamples: int = 2000,
) -> Spread | None:
    """Several results of each picture beside its truth; None where no picture counts.

    Args:
        translator: A model that `has_spread`.
        pictures: Taken one at a time; in a task that colours, those whose truth is grey are left out.
        samples: Results of each picture, with the seeds from `seed` on.
        seed: Of results, tints and intervals.
        resamples: Of the intervals over pictures.
    """
    calibration = translator.card.spread
    figures: dict[str, list[float]] = {}
    for number, (pair, (truth, mean, deviation)) in enumerate(_answers(translator, pictures)):
        found = _judge_samples(translator, pair, samples, seed, np.random.default_rng((seed, number)))
        if calibration is not None:
            low, high = bounds_of(mean, steadied(deviation), calibration.factor)
            bare = bounds_of(mean, deviation, NORMAL_FACTOR)
            ends = np.array(calibration.marginal).T
            found |= {
                "coverage": coverage(truth, low, high),
                "coverage_uncalibrated": coverage(truth, *bare),
                "interval_score": interval_score(truth, low, high),
                "marginal_coverage": coverage(truth, ends[0], ends[1]),
                "marginal_score": interval_score(truth, ends[0], ends[1]),
            }
            found["score_over_marginal"] = found["interval_score"] - found["marginal_score"]
        for name, value in found.items():
            figures.setdefault(name, []).append(value)
    if not figures:
        return None
    intervals = {name: bootstrap_interval(values, resamples=resamples, seed=seed) for name, values in figures.items()}
    return Spread(
        samples=samples,
        seed=seed,
        pictures=len(figures["single"]),
        level=LEVEL,
        factor=None if calibration is None else calibration.factor,
        **intervals,
    )


def _judge_samples(
    translator: Translator, pair: PicturePair, samples: int, seed: int, random: np.random.Generator
) -> dict[str, float]:
    made = colourings(translator, pair.source, samples, seed)
    decibels = [psnr(one, pair.target) for one in made]
    labs = np.stack([lab_of(one) for one in made])
    middle = labs.mean(axis=0)
    variance = labs[:, 1:].var(axis=0, ddof=1).mean(axis=(1, 2))
    tinted = max(psnr(_display(one), pair.target) for one in tints(middle, variance, samples, random))
    single, best = float(np.mean(decibels)), max(decibels)
    return {
        "single": single,
        "mean": psnr(_display(middle), pair.target),
        "best": best,
        "best_tint": tinted,
        "best_over_single": best - single,
        "best_over_tint": best - tinted,
        "diversity": diversity(list(labs)),
    }


def _answers(
    translator: Translator, pictures: Iterable[PicturePair]
) -> Iterator[tuple[PicturePair, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Each picture that counts, with true chroma, and mean and standard deviation of what the network says of it."""
    passes = translator.card.spread.passes if translator.card.spread else PASSES
    for pair in pictures:
        if translator.codec.colourises and mean_chroma(pair.target) < COLOURED_THRESHOLD:
            continue
        source, truth = _true_chroma(translator, pair.target, pair.source)
        drawn = np.stack(list(drawn_chroma(translator.network, source, passes)))
        yield pair, (truth, drawn.mean(axis=0), drawn.std(axis=0, ddof=1))


def _true_chroma(
    translator: Translator, target: np.ndarray, source: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """What the network sees of a picture, display space, and true chroma at the size of its output, `h w 2`."""
    height, width = target.shape[:2]
    codec, size = translator.codec, network_size(height, width, translator.card)
    small = ArrayPicture(target).reduced(*size)
    seen = small if source is None else ArrayPicture(source).reduced(*size)
    if isinstance(codec, LabSpace):
        chroma = codec.chroma(on_picture(codec.encode_target, small))
    else:
        chroma = on_picture(rgb_to_lab, small)[..., 1:]
    return on_picture(codec.source_from, seen), chroma


def _display(lab: np.ndarray) -> np.ndarray:
    return np.moveaxis(lab_to_display(lab), 0, -1)
