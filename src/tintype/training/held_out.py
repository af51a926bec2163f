"""Which pictures a run kept from training and which it has seen: what makes scores of it honest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from tintype.data.dataset import PictureSet, open_data
from tintype.errors import DataError, UsageError
from tintype.inference.bundled import model_path
from tintype.inference.modelfile import ModelCard
from tintype.inference.sampling import Sampler
from tintype.inference.translator import Translator
from tintype.recipe import load_recipe
from tintype.training.rundir import RunDir, recipe_differences

_OF_A_FOLD = frozenset({"name", "description", "data.path", "data.path_b", "data.more", "data.split.fold"})
"""Fields that the recipes of a cross-validation may differ in; that pictures are others is seen by their contents."""


def own_pictures(run: RunDir) -> PictureSet:
    """The set of a run folder, which must be as it was when the run began.

    Raises:
        DataError: It changed.
        UsageError: It is no run folder.
    """
    if not run.recipe_file.is_file():
        raise UsageError(f"{run.root}: is not a run folder, so it has no test pictures of its own; give --data FOLDER")
    data, recorded = open_data(load_recipe(run.recipe_file)), run.read_split()
    if recorded is None or recorded[0].digest != data.split.digest:
        raise DataError(
            f"{data.recipe.data.path}: the pictures changed since {run.root} began, so some may have been trained on; "
            "restore them or give --data FOLDER"
        )
    return data


def pictures_for_test(run: RunDir) -> PictureSet:
    """The same, where there are test pictures.

    Raises:
        DataError: There are none, or the set changed.
        UsageError: It is no run folder.
    """
    data = own_pictures(run)
    if not data.split.test:
        raise DataError(f"{run.root}: kept no test pictures; give --data FOLDER")
    return data


def trained_on(run: RunDir) -> set[str] | None:
    """Content hashes of the pictures that a run trained on or was chosen by; None if it has no record of them."""
    recorded = run.read_split()
    if recorded is None:
        return None
    split, files = recorded
    return {files[name] for name in split.train + split.validation + split.more}


def require_folds(runs: Sequence[Path], cards: Sequence[ModelCard], data: Sequence[PictureSet]) -> list[str]:
    """Refuse runs that are not folds of one cross-validation.

    Returns:
        Sentences for those who read the scores.

    Raises:
        UsageError: They differ in more than their fold, share test pictures, or train two directions.
    """
    if len(cards[0].recipe.directions) > 1:
        raise UsageError("several models are judged as one only where each has one direction; evaluate each by itself")
    seen: dict[str, Path] = {}
    for run, card, pictures in zip(runs, cards, data, strict=True):
        for field, one, other in recipe_differences(cards[0].recipe, card.recipe, _OF_A_FOLD):
            raise UsageError(
                f"{run}: is no fold of the same cross-validation as {runs[0]}: {field} is {other} and not {one}; "
                "only data.split.fold may differ"
            )
        for name, content in zip(pictures.split.test, pictures.hashes("test"), strict=True):
            if content in seen:
                raise UsageError(
                    f"{run}: its test picture {name} is one of {seen[content]} too, and each may be judged once; "
                    "give runs of different folds"
                )
            seen[content] = run
    folds = cards[0].recipe.data.split.folds
    return [f"{len(runs)} of {folds} folds: the test pictures of the others are missing."] if len(runs) < folds else []


def open_baselines(
    runs: Iterable[str | Path], translator: Translator, judged: set[str]
) -> tuple[dict[str, Translator], list[str]]:
    """Other runs or model files to judge a model beside.

    Args:
        runs: Run folders or model files.
        translator: The model that is judged.
        judged: Content hashes of the pictures that it is judged on.

    Returns:
        Them by the name of their row, and sentences for those who read the scores.

    Raises:
        ModelFileError: One is missing or damaged.
        UsageError: One has seen these pictures, or has another task.
    """
    opened: dict[str, Translator] = {}
    named, notes = _named_baselines(runs, judged)
    for name, run in named.items():
        other = Translator(run, translator.card.direction)
        if _task(other) != _task(translator):
            raise UsageError(f"--baseline {run}: has another task than the model; give one that makes the same of it")
        if (theirs := other.card.recipe.codec.grey) != (ours := translator.card.recipe.codec.grey):
            notes.append(f"{name} learnt from pictures turned grey by {theirs}, and is given grey by {ours} here.")
        opened[name] = other
    return opened, notes


def open_sample_baselines(
    runs: Iterable[str | Path], sampler: Sampler, judged: set[str]
) -> tuple[dict[str, Sampler], list[str]]:
    """Other runs or model files to judge a model from noise beside; arguments and what comes as for `open_baselines`.

    Raises:
        ModelFileError: One is missing or damaged.
        UsageError: One has seen these pictures, or makes others.
    """
    opened: dict[str, Sampler] = {}
    named, notes = _named_baselines(runs, judged)
    for name, run in named.items():
        other = Sampler(run)
        if other.shape != sampler.shape:
            theirs, ours = (" x ".join(map(str, shape)) for shape in (other.shape, sampler.shape))
            raise UsageError(f"--baseline {run}: makes pictures of {theirs}, the model of {ours}; give one of the same")
        opened[name] = other
    return opened, notes


def _named_baselines(runs: Iterable[str | Path], judged: set[str]) -> tuple[dict[str, Path], list[str]]:
    """Runs by the name of their row, none of which has seen the judged pictures as far as that is known."""
    named: dict[str, Path] = {}
    notes = []
    for run in map(model_path, runs):
        short = f"run {run.resolve().name if run.is_dir() else run.stem}"
        name = f"run {run}" if short in named else short
        seen = trained_on(RunDir(run if run.is_dir() else run.parent))
        if seen is None:
            notes.append(f"{name} does not list its training pictures; scores on any of those would flatter it.")
        elif common := len(seen & judged):
            raise UsageError(
                f"--baseline {run}: trained on {common} of these {len(judged)} pictures or was chosen by them, so it "
                "cannot be judged on them; give one of the same split"
            )
        named[name] = run
    return named, notes


def open_baselines_of_folds(
    runs: Iterable[str | Path], translators: Sequence[Translator], data: Sequence[PictureSet]
) -> tuple[list[dict[str, Translator]], list[str]]:
    """Other runs to judge a cross-validation beside: those of another one of the same split, or runs apart from it.

    Args:
        runs: One run folder for each fold, in any order; or run folders and model files that have seen none of the
            pictures.
        translators: The models that are judged.
        data: Their sets.

    Returns:
        For each fold other models by the name of their row, and sentences for those who read the scores.

    Raises:
        ModelFileError: One is missing or damaged.
        UsageError: One has seen these pictures, or has another task.
    """
    folders = [Path(run) for run in runs]
    by_split = {split[0].digest: one for one in folders if (split := RunDir(one).read_split())}
    of_folds = [by_split.get(one.split.digest) for one in data]
    partners = [one for one in of_folds if one is not None]
    if len(partners) < len(data) or len(folders) > len(data):
        judged = {content for one in data for content in one.hashes("test")}
        opened, notes = open_baselines(folders, translators[0], judged)
        return [opened] * len(data), notes
    opened_each, notes = [], []
    for partner, translator, one in zip(partners, translators, data, strict=True):
        opened, notes = open_baselines([partner], translator, set(one.hashes("test")))
        opened_each.append({_common_name(partners): other for other in opened.values()})
    return opened_each, notes


def _common_name(runs: Sequence[Path]) -> str:
    """What a row of several runs is called: by how their names begin, or else by their recipe."""
    shared = os.path.commonprefix([run.resolve().name for run in runs]).rstrip("-_.,= ")  # noqa: RUF071  by letters
    return f"run {shared or load_recipe(RunDir(runs[0]).recipe_file).name}"


def combined_digest(parts: Iterable[str]) -> str:
    """Sixteen hexadecimal digits that stand for a number of hashes, in whatever order they come."""
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16]


def _task(translator: Translator) -> tuple[bool, bool, bool, int]:
    codec = translator.codec
    return codec.colourises, codec.turns_grey, codec.target_channels == 1, codec.scale
