"""What commands and the Python interface share: whole jobs, from a recipe or a model to files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from tintype import training
from tintype.console import Reporter
from tintype.data.cache import open_cache
from tintype.data.dataset import PictureSet, open_data
from tintype.data.fingerprint import Fingerprint
from tintype.data.source import find_items
from tintype.data.split import Split
from tintype.errors import DataError, UsageError
from tintype.inference.translator import Translator
from tintype.metrics.scores import Scores
from tintype.recipe import Recipe, load_recipe
from tintype.recipe.schema import BACK, Direction
from tintype.report import write_report
from tintype.training.processes import is_main
from tintype.training.rundir import RunDir
from tintype.training.scoring import score


def train(
    recipe: str | Path | Recipe, out: str | Path, overrides: Iterable[str] = (), *, reporter: Reporter | None = None
) -> bool:
    """Train a recipe in a run folder and write its report; see `tintype.training.train` for everything else."""
    finished = training.train(recipe, out, overrides, reporter=reporter)
    if finished and is_main():
        write_report([Path(out)], RunDir(out).report)
    return finished


def evaluate(
    model: str | Path,
    data: str | Path | None = None,
    *,
    direction: Direction | None = None,
    size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Scores:
    """Scores of a model beside the trivial baselines.

    Args:
        model: A run folder or a model file.
        data: Folder of pictures laid out as the model's recipe says (colour pictures, pairs, or two domains); all of
            them that the run has not seen are scored. Default: the test pictures of the run folder.
        direction: Which one of a run that trained both; default: "ab", or that of a file.
        size: Side in pixels of the centre crop; default: as the recipe says.
        progress: Called with the number of pictures done after each.

    Raises:
        DataError: There are no pictures, all of them were trained on, or they are not those that the run began with.
    """
    translator = Translator(model, direction)
    recipe, run = translator.card.recipe, RunDir(model)
    back = None
    if len(recipe.directions) > 1 and run.root.is_dir():
        back = Translator(model, BACK[translator.card.direction])
    size = size or recipe.evaluation.size or recipe.data.size
    if data is None:
        return score(translator, back, own_pictures(run), "test", size, progress=progress)

    pictures, notes = unseen_pictures(recipe, run, data, size)
    if len(recipe.directions) > 1 and back is None:
        notes.append("cycle not judged: that takes the run folder, which holds both directions")
    scores = score(translator, back, pictures, "test", size, split_name="all of the folder", progress=progress)
    return scores.with_notes(notes)


def unseen_pictures(recipe: Recipe, run: RunDir, data: str | Path, size: int) -> tuple[PictureSet, list[str]]:
    """The pictures of a folder that a run has not seen, all of them as test pictures, and what a user must know of it.

    Args:
        recipe: Of the model.
        run: Its run folder; one that is not there has no record of what was seen, which the notes say.
        data: Folder of pictures laid out as the recipe says.
        size: Side in pixels that they are wanted at.

    Raises:
        DataError: There are no pictures, or all of them were trained on.
    """
    changes: dict[str, object] = {"path": str(data), "size": size, "load_size": None}
    if "path_b" in type(recipe.data).model_fields:
        changes["path_b"] = ""
    spec = recipe.data.model_copy(update=changes)
    cache = open_cache(find_items(spec), spec)
    known = _trained_on(run)
    chosen = [name for name, one in zip(cache.names, cache.fingerprints, strict=True) if one.sha256 not in known]
    notes = [f"{name}: left out, {reason}" for name, reason in cache.unreadable]
    if not known:
        notes.append("the model file does not list its training pictures; scores on any of those would flatter")
    elif len(chosen) < len(cache):
        notes.append(
            f"{len(cache) - len(chosen)} pictures were left out: the run trained on them or was chosen by them"
        )
    if not chosen:
        raise DataError(f"{data}: every picture in it was trained on; give pictures that the model has not seen")
    split = Split(train=(), validation=(), test=tuple(chosen), groups=(), digest=_digest(cache.fingerprints))
    return PictureSet(recipe.model_copy(update={"data": spec}), cache, split), notes


def own_pictures(run: RunDir) -> PictureSet:
    """The set of a run folder, which must be as it was when the run began.

    Raises:
        UsageError: It is no run folder.
        DataError: Its pictures changed, or none was kept for testing.
    """
    if not run.recipe_file.is_file():
        raise UsageError(f"{run.root}: is not a run folder, so it has no test pictures of its own; give --data FOLDER")
    data, recorded = open_data(load_recipe(run.recipe_file)), run.read_split()
    if recorded is None or recorded[0].digest != data.split.digest:
        raise DataError(
            f"{data.recipe.data.path}: the pictures changed since {run.root} began, so some may have been trained on; "
            "restore them or give --data FOLDER"
        )
    if not data.split.test:
        raise DataError(f"{run.root}: kept no test pictures; give --data FOLDER")
    return data


def _trained_on(run: RunDir) -> set[str]:
    """Content hashes of the pictures that a run trained and validated on; none if only a model file is there."""
    recorded = run.read_split()
    if recorded is None:
        return set()
    split, files = recorded
    return {files[name] for name in split.train + split.validation}


def _digest(fingerprints: Iterable[Fingerprint]) -> str:
    return hashlib.sha256("\n".join(sorted(one.sha256 for one in fingerprints)).encode()).hexdigest()[:16]
