"""What commands and the Python interface share: whole jobs, from a recipe or a model to files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from tintype import evaluation, training
from tintype.console import Reporter
from tintype.data.cache import open_cache
from tintype.data.dataset import evaluation_pair, open_data
from tintype.data.source import find_items
from tintype.data.split import Fingerprint
from tintype.errors import DataError, UsageError
from tintype.inference.translator import Translator
from tintype.recipe import Recipe, load_recipe
from tintype.report import write_report
from tintype.training.outcome import protocol
from tintype.training.rundir import RunDir


def train(
    recipe: str | Path | Recipe, out: str | Path, overrides: Iterable[str] = (), *, reporter: Reporter | None = None
) -> bool:
    """Train a recipe in a run folder and write its report; see `tintype.training.train` for everything else."""
    finished = training.train(recipe, out, overrides, reporter=reporter)
    if finished:
        write_report([Path(out)], RunDir(out).report)
    return finished


def evaluate(
    model: str | Path,
    data: str | Path | None = None,
    *,
    size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> evaluation.Scores:
    """Scores of a model beside the trivial baselines.

    Args:
        model: A run folder or a model file.
        data: Folder of pictures laid out as the model's recipe says (colour pictures, or pairs); all of them that the
            run has not seen are scored. Default: the test pictures of the run folder.
        size: Side in pixels of the centre crop; default: as the recipe says.
        progress: Called with the number of pictures done after each.

    Raises:
        DataError: There are no pictures, all of them were trained on, or they are not those that the run began with.
    """
    translator = Translator(model)
    recipe = translator.card.recipe
    size = size or recipe.evaluation.size or recipe.data.size
    if data is None:
        return _evaluate_run(translator, RunDir(model), size, progress)

    changes: dict[str, object] = {"path": str(data), "size": size, "load_size": None}
    if recipe.data.kind == "folders":
        changes["path_b"] = ""
    spec = recipe.data.model_copy(update=changes)
    cache = open_cache(find_items(spec), spec)
    known = _trained_on(RunDir(model))
    chosen = [number for number, one in enumerate(cache.fingerprints) if not (known and one.sha256 in known)]
    notes = [f"{name}: left out, {reason}" for name, reason in cache.unreadable]
    if known is None:
        notes.append("the model file does not list its training pictures; scores on any of those would flatter")
    elif len(chosen) < len(cache):
        notes.append(
            f"{len(cache) - len(chosen)} pictures were left out: the run trained on them or was chosen by them"
        )
    if not chosen:
        raise DataError(f"{data}: every picture in it was trained on; give pictures that the model has not seen")
    scores = evaluation.evaluate(
        translator,
        (evaluation_pair(cache, number, size, recipe) for number in chosen),
        protocol=protocol(recipe, "all of the folder", size, _digest(cache.fingerprints)),
        progress=progress,
    )
    return scores.with_notes(notes)


def _evaluate_run(
    translator: Translator, run: RunDir, size: int, progress: Callable[[int], None] | None
) -> evaluation.Scores:
    """Scores on the test pictures that a run kept apart when it began."""
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
    return evaluation.evaluate(
        translator,
        data.pictures("test", size),
        protocol=protocol(translator.card.recipe, "test", size, data.split.digest),
        progress=progress,
    )


def _trained_on(run: RunDir) -> set[str] | None:
    """Content hashes of the pictures that a run trained and validated on; None if only a model file is there."""
    recorded = run.read_split()
    if recorded is None:
        return None
    split, files = recorded
    return {files[name] for name in split.train + split.validation}


def _digest(fingerprints: Iterable[Fingerprint]) -> str:
    return hashlib.sha256("\n".join(sorted(one.sha256 for one in fingerprints)).encode()).hexdigest()[:16]
