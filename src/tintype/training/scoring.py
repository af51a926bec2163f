"""Scores of a run's models on pictures of its set, beside baselines, and panels of some of these pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tintype.atomic import make_folder
from tintype.consistency import judge_consistency, scores_without_pairs
from tintype.data.dataset import Pair, PictureSet
from tintype.data.source import ENDS
from tintype.evaluation import Scores, choose_panels, evaluate
from tintype.image.file import write_image
from tintype.image.grid import panel
from tintype.inference.translator import Translator
from tintype.recipe.schema import Direction
from tintype.training.rundir import RunDir

_LONGEST_STEM = 60  # letters of a picture's name in the name of its panel: file systems allow 255 bytes
_FIXED_PANELS = 4


def score(
    model: Translator,
    back: Translator | None,
    data: PictureSet,
    part: str,
    size: int,
    *,
    split_name: str = "",
    progress: Callable[[int], None] | None = None,
) -> Scores:
    """Scores of a model on a part of a set: against truth where there are pairs, cycle and identity for two directions.

    Args:
        model: The direction that is judged.
        back: The other one of a translator of two.
        data: The pictures.
        part: train, validation or test.
        size: Side in pixels of the centre crop.
        split_name: What the protocol calls the pictures; default: the part.
        progress: Called with the number of pairs done after each.

    Raises:
        DataError: There are no pictures.
    """
    recipe, direction = data.recipe, model.card.direction
    protocol: dict[str, Any] = {
        "size": size,
        "crop": "centre",
        "resize_kernel": "lanczos3",
        "split": split_name or part,
        "split_digest": data.split.digest,
        "grey": recipe.codec.grey,
    }
    if len(recipe.directions) == 1:
        return evaluate(model, data.pictures(part, size), protocol=protocol, progress=progress)
    protocol["direction"] = direction
    source, target = ENDS[direction]
    consistency = judge_consistency(model, back, data.domain(source, part, size), data.domain(target, part, size))
    if not data.has_pairs:
        return scores_without_pairs(consistency, data.domain_count(source, part), protocol)
    pairs = _directed(data.pictures(part, size), direction)
    scores = evaluate(model, pairs, protocol=protocol, progress=progress)
    return dataclasses.replace(scores, consistency=consistency)


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
