"""Scores of a run's models on pictures of its set, beside baselines, and panels of some of these pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tintype.atomic import make_folder
from tintype.consistency import judge_apart, judge_consistency, scores_without_pairs
from tintype.data.dataset import Pair, PictureSet
from tintype.data.source import ENDS
from tintype.evaluation import Fold, NearestPicture, RealismBy, Scores, choose_panels, evaluate, evaluate_folds
from tintype.image.codec import on_picture
from tintype.image.file import write_image
from tintype.image.grid import panel
from tintype.inference.translator import Translator
from tintype.metrics.measures import Measures
from tintype.recipe.schema import Direction
from tintype.training.held_out import combined_digest
from tintype.training.rundir import RunDir

_NEAREST_PICTURES = 5000
"""Training pictures that the nearest is looked for among at most, evenly spaced over the set."""

_LONGEST_STEM = 60  # letters of a picture's name in the name of its panel: file systems allow 255 bytes
_FIXED_PANELS = 4


@dataclass(frozen=True, slots=True)
class Beside:
    """What a model is judged beside, other than the constants in its card.

    Attributes:
        training: The set that it learnt from; None leaves out the nearest training picture.
        runs: Other models by the name of their row.
        realism: What realism is judged by; None leaves it out.
        measures: Further figures.
    """

    training: PictureSet | None = None
    runs: Mapping[str, Translator] = field(default_factory=dict)
    realism: RealismBy | None = None
    measures: Measures = field(default_factory=Measures)


def score(
    model: Translator,
    back: Translator | None,
    data: PictureSet,
    part: str,
    size: int,
    *,
    beside: Beside = Beside(),
    split_name: str = "",
    progress: Callable[[int], None] | None = None,
) -> Scores:
    """Scores of a model on a part of a set: against truth where there are pairs, cycle and identity without.

    Args:
        model: The direction that is judged.
        back: The other one of a translator of two.
        data: The pictures.
        part: train, validation or test.
        size: Side in pixels of the centre crop.
        beside: What it is judged beside.
        split_name: What the protocol calls the pictures; default: the part.
        progress: Called with the number of pairs done after each.

    Raises:
        DataError: There are no pictures.
    """
    direction = model.card.direction
    protocol = _protocol([data], part, size, split_name or part)
    consistency = None
    if not data.recipe.learns_from_pairs:
        if len(data.recipe.directions) > 1:
            protocol["direction"] = direction
        source, target = ENDS[direction]
        consistency = judge_consistency(model, back, data.domain(source, part, size), data.domain(target, part, size))
        if not data.has_pairs:
            realism = None
            if beside.realism is not None:
                network, ends = beside.realism.network, [data.domain(one, part, size) for one in (source, target)]
                realism = judge_apart(network, model, *ends)
            return scores_without_pairs(consistency, data.domain_count(source, part), protocol, realism)
    scores = evaluate(
        model,
        _directed(data.pictures(part, size), direction),
        nearest=_nearest(model, beside.training, size),
        runs=beside.runs,
        realism=beside.realism,
        measures=beside.measures.by_name,
        protocol={**protocol, **beside.measures.protocol},
        progress=progress,
    )
    return dataclasses.replace(scores, consistency=consistency).with_notes(beside.measures.notes)


def score_folds(
    folds: Sequence[tuple[Translator, Beside, PictureSet]],
    size: int,
    *,
    realism: RealismBy | None = None,
    measures: Measures | None = None,
    progress: Callable[[int], None] | None = None,
) -> Scores:
    """Scores of the models of a cross-validation, each on its own test pictures, as one.

    Args:
        folds: Each model of one direction, what it is judged beside, and its set, which has pairs.
        size: Side in pixels of the centre crop.
        realism: What realism is judged by; None leaves it out.
        measures: Further figures.
        progress: Called with the number of pictures done after each.

    Raises:
        DataError: There are no pictures.
    """
    measures = measures or Measures()
    scores = evaluate_folds(
        [
            Fold(model, data.pictures("test", size), nearest=_nearest(model, beside.training, size), runs=beside.runs)
            for model, beside, data in folds
        ],
        realism=realism,
        measures=measures.by_name,
        protocol={
            **_protocol([data for _, _, data in folds], "test", size, f"test parts of {len(folds)} folds"),
            **measures.protocol,
        },
        progress=progress,
    )
    return scores.with_notes(measures.notes)


def _protocol(sets: Sequence[PictureSet], part: str, size: int, name: str) -> dict[str, Any]:
    digests = [data.split.digest for data in sets]
    return {
        "size": size,
        "crop": "centre",
        "resize_kernel": "lanczos3",
        "split": name,
        "split_digest": digests[0] if len(digests) == 1 else combined_digest(digests),
        "pictures_digest": combined_digest(content for data in sets for content in data.hashes(part)),
        "grey": sets[0].recipe.codec.grey,
    }


def _nearest(model: Translator, data: PictureSet | None, size: int) -> NearestPicture | None:
    """Finds training pictures of a set; None where there is none, or nothing to look for in it."""
    if data is None or not (data.has_pairs and data.split.train):
        return None
    direction, names = model.card.direction, []

    def sources() -> Iterator[np.ndarray]:
        for pair in _directed(data.pictures("train", size, _NEAREST_PICTURES), direction):
            names.append(pair.name)
            yield on_picture(model.codec.source_from, pair.source)

    def target(number: int) -> np.ndarray:
        return next(_directed(iter([data.pair(names[number], size)]), direction)).target

    return NearestPicture(sources(), target)


def draw_panels(
    scores: Scores, model: Translator, back: Translator | None, data: PictureSet, part: str, size: int, run: RunDir
) -> tuple[dict[str, Any], ...]:
    """Draw best, median and worst where there is a truth, and some chosen by name; what the scores say of them.

    Those chosen by name are the same ones in every run on the same pictures, so that reports can set them side by side.
    """
    direction = model.card.direction
    if data.has_pairs:
        choices = [dataclasses.asdict(choice) for choice in choose_panels(scores)]
        choices += _fixed(scores, {choice["name"] for choice in choices})
        wanted = {choice["name"] for choice in choices}  # not all of a set fits into memory
        shown: dict[str, tuple[np.ndarray, ...]] = {
            pair.name: (pair.source, pair.target)
            for pair in _directed(data.pictures(part, size), direction)
            if pair.name in wanted
        }
    else:
        some = list(data.domain(ENDS[direction][0], part, size, _FIXED_PANELS))
        choices = [{"kind": "sample", "name": one.name} for one in some]
        shown = {one.name: (one.picture,) for one in some}
    prefix = f"{direction}-" if back else ""
    make_folder(run.panels)
    for old in run.panels.glob(f"{prefix}*.png"):
        old.unlink()
    panels = []
    for number, choice in enumerate(choices, start=1):
        source, *truth = shown[choice["name"]]
        made = model.predict(source).render()
        row, labels = [source, made], ["source", "generated"]
        if back is not None:
            row, labels = [*row, back.predict(made).render()], [*labels, "and back"]
        file = run.panels / f"{prefix}{number:02d}-{Path(choice['name']).stem[:_LONGEST_STEM]}.png"
        write_image(file, panel([[*row, *truth]], [*labels, "truth"][: len(row) + len(truth)], cell=256))
        panels.append({**choice, "file": file.relative_to(run.root).as_posix()})
    return tuple(panels)


def _fixed(scores: Scores, drawn: set[str]) -> list[dict[str, Any]]:
    """Pictures evenly spaced by name over those with figures, without the ones that are drawn already."""
    pictures = sorted(scores.per_picture, key=lambda picture: picture.name)
    chosen = [pictures[len(pictures) * number // _FIXED_PANELS] for number in range(_FIXED_PANELS)] if pictures else []
    choices = []
    for picture in {picture.name: picture for picture in chosen if picture.name not in drawn}.values():
        figures = picture.figures
        copied = figures["grey copy"].psnr if scores.reference == "grey copy" else None
        psnr = next(iter(figures.values())).psnr
        choices.append({"kind": "sample", "name": picture.name, "psnr": psnr, "grey_copy_psnr": copied})
    return choices


def _directed(pairs: Iterator[Pair], direction: Direction) -> Iterator[Pair]:
    """Pairs as a direction sees them: for "ba" source and target change places."""
    for pair in pairs:
        yield pair if direction == "ab" else Pair(pair.name, pair.target, pair.source)
