"""What commands and the Python interface share: whole jobs, from a recipe or a model to files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tintype import training
from tintype.console import Reporter
from tintype.data.cache import open_cache
from tintype.data.dataset import PictureSet, open_data
from tintype.data.idx import has_idx
from tintype.data.paths import data_folder
from tintype.data.source import find_items
from tintype.data.split import Split
from tintype.errors import DataError, TintypeError, UsageError
from tintype.inference.bundled import model_path
from tintype.inference.modelfile import ModelCard
from tintype.inference.sampling import Sampler
from tintype.inference.translator import Translator
from tintype.metrics.features import FeatureName
from tintype.metrics.measures import Measures, Trunk, further_measures
from tintype.metrics.realism import DEFAULT_FEATURES, Features, RealismBy, open_realism
from tintype.metrics.sample_tables import SampleScores
from tintype.metrics.scores import Scores
from tintype.recipe import Recipe
from tintype.recipe.data import ColourData
from tintype.recipe.schema import BACK, Direction
from tintype.report import write_report
from tintype.training.held_out import (
    combined_digest,
    open_baselines,
    open_baselines_of_folds,
    open_sample_baselines,
    own_pictures,
    pictures_for_test,
    require_folds,
    trained_on,
)
from tintype.training.processes import is_main
from tintype.training.rundir import RunDir
from tintype.training.sample_scoring import (
    SampleJudging,
    accuracy_in_training,
    discriminator_of,
    judge_discriminator,
)
from tintype.training.scoring import Beside, score, score_folds

if TYPE_CHECKING:
    from tintype.metrics.lpips import Lpips


def train(
    recipe: str | Path | Recipe, out: str | Path, overrides: Iterable[str] = (), *, reporter: Reporter | None = None
) -> bool:
    """Train a recipe in a run folder and write its report; see `tintype.training.train` for everything else."""
    finished = training.train(recipe, out, overrides, reporter=reporter)
    if finished and is_main():
        write_report([Path(out)], RunDir(out).report)
    return finished


def evaluate(
    model: str | Path | Sequence[str | Path],
    data: str | Path | None = None,
    *,
    direction: Direction | None = None,
    size: int | None = None,
    baselines: Iterable[str | Path] = (),
    features: Features = DEFAULT_FEATURES,
    lpips: Trunk | None = None,
    ms_ssim: bool | None = None,
    progress: Callable[[int], None] | None = None,
) -> Scores:
    """Scores of a model beside the trivial baselines.

    Args:
        model: A run folder or a model file; or the run folders of one cross-validation, which are judged as one, each
            on its own test pictures.
        data: Folder of pictures laid out as the model's recipe says (colour pictures, pairs, or two domains); all of
            them that the run has not seen are scored. Default: the test pictures of the run folder.
        direction: Which one of a run that trained both; default: "ab", or that of a file.
        size: Side in pixels of the centre crop; default: as the recipe says.
        baselines: Other run folders or model files of the same task, judged on the same pictures at strength 1; beside
            a cross-validation also the runs of another one, which then are one baseline.
        features: The network that realism is judged by: "caltech101", which comes with Tintype, "inception" or
            "dinov2", whose weights are fetched once; or "none".
        lpips: The network that LPIPS is measured by, "alex" or "vgg", whose weights are fetched once; default: none.
        ms_ssim: Whether MS-SSIM is wanted; default: where the scored pictures have 176 pixels a side or more.
        progress: Called with the number of pictures done after each.

    Raises:
        DataError: There are no pictures, all of them were trained on, or they are not those that the run began with.
        UsageError: The models are not folds of one cross-validation, or a baseline has seen the pictures.
        InputError: Weights are not there and cannot be fetched; nothing has been run then.
    """
    models = [model_path(one) for one in ([model] if isinstance(model, str | Path) else model)]
    if not models:
        raise UsageError("evaluate: no model; give a run folder or a model file")
    if len(models) > 1 and data is not None:
        raise UsageError("several models are judged on their own test pictures; leave out the folder of pictures")
    realism, network = open_realism(features), _open_lpips(lpips)  # first, for their weights may be missing
    if len(models) > 1:
        return _evaluate_folds(models, direction, size, baselines, realism, network, ms_ssim, progress)
    translator = Translator(models[0], direction)
    recipe, run = translator.card.recipe, RunDir(models[0])
    back = None
    if len(recipe.directions) > 1 and run.root.is_dir():
        back = Translator(run.root, BACK[translator.card.direction])
    size = size or recipe.evaluation.size or recipe.data.size
    training: PictureSet | None
    notes: list[str] = []
    if data is None:
        training = pictures = pictures_for_test(run)
        split_name = "test"
    else:
        pictures, notes = unseen_pictures(recipe, run, data, size)
        if len(recipe.directions) > 1 and back is None:
            notes.append("cycle not judged: that takes the run folder, which holds both directions")
        training, missing = _training_pictures(run)
        split_name, notes = "all of the folder", notes + missing * pictures.has_pairs
    runs, more = open_baselines(baselines, translator, set(pictures.hashes("test")))
    beside = Beside(training, runs, realism, _measures(recipe, size, ms_ssim, network))
    scores = score(translator, back, pictures, "test", size, beside=beside, split_name=split_name, progress=progress)
    return scores.with_notes([*notes, *more])


def evaluate_samples(
    model: str | Path,
    data: str | Path | None = None,
    *,
    baselines: Iterable[str | Path] = (),
    features: FeatureName | None = None,
) -> SampleScores:
    """Scores of a model that makes pictures from noise, beside real pictures.

    Args:
        model: A run folder or a model file.
        data: Folder of pictures to hold samples against: the set that the model was trained on, of which its test
            pictures are taken, or others. A model that is told classes needs them laid out as its recipe says. Default:
            the test pictures of the run folder.
        baselines: Other run folders or model files that make pictures of the same size, judged beside the same
            pictures.
        features: The network that judges; default: as the recipe says. The weights of "inception" and "dinov2" are
            fetched once.

    Raises:
        DataError: There are no pictures or too few, all of them were trained on, they have other classes, or they are
            not those that the run began with.
        ModelFileError: A model is missing or damaged.
        UsageError: The model makes no pictures from noise, or a baseline has seen the pictures or makes others.
        InputError: Weights are not there and cannot be fetched.
    """
    path = model_path(model)
    sampler, run = Sampler(path), RunDir(path)
    recipe, part, notes = sampler.card.recipe, "test", list[str]()
    training: PictureSet | None
    if data is None:
        training = pictures = pictures_for_test(run)
    elif (own := _set_of(sampler.card, data)) is not None:
        training = pictures = own
    else:
        pictures, notes = unseen_pictures(_recipe_for(recipe, data), run, data, recipe.data.size)
        if sampler.classes and len(pictures.classes) != len(sampler.classes):
            raise DataError(
                f"{data}: has pictures of {len(pictures.classes)} classes, the model makes {len(sampler.classes)}: "
                "give pictures of all of them"
            )
        training, part = _training_pictures(run)[0], "all of the folder"
    runs, more = open_sample_baselines(baselines, sampler, set(pictures.hashes("test")))
    judging = SampleJudging(pictures, "test", training, features)
    rows, motion, _ = judging.rows({"model": sampler, **runs})
    judged = None
    discriminator = discriminator_of(run, sampler.card)
    if discriminator is None:
        more.append("The discriminator is left out: only a run folder with its last checkpoint holds it.")
    else:
        figures = judge_discriminator(discriminator, recipe, sampler, judging)
        recorded = run.read_split()
        known = accuracy_in_training(run, recipe, len(recorded[0].train), sampler.card.step) if recorded else {}
        judged = figures, known
    return judging.scores(rows, motion, judged, [*notes, *more], part)


def _set_of(card: ModelCard, data: str | Path) -> PictureSet | None:
    """The pictures of a folder if they are those that a model was trained on, with their test pictures; else None."""
    spec = card.recipe.data.model_copy(update={"path": str(data)})
    try:
        found = open_data(card.recipe.model_copy(update={"data": spec}))
    except DataError:
        return None
    return found if found.split.test and found.split.digest == (card.split or {}).get("digest") else None


def _recipe_for(recipe: Recipe, data: str | Path) -> Recipe:
    """The recipe with pictures of any folder, where the model is told no classes and needs none of them."""
    folder = data_folder(str(data), "--data")
    if recipe.data.kind != "labelled" or recipe.data.motion or "label" in recipe.inputs or has_idx(folder):
        return recipe
    return recipe.model_copy(update={"data": ColourData(path=str(data), size=recipe.data.size)})


def _evaluate_folds(
    models: list[Path],
    direction: Direction | None,
    size: int | None,
    baselines: Iterable[str | Path],
    realism: RealismBy | None,
    lpips: Lpips | None,
    ms_ssim: bool | None,
    progress: Callable[[int], None] | None,
) -> Scores:
    translators = [Translator(one, direction) for one in models]
    sets = [pictures_for_test(RunDir(one)) for one in models]
    notes = require_folds(models, [translator.card for translator in translators], sets)
    runs, more = open_baselines_of_folds(baselines, translators, sets)
    recipe = translators[0].card.recipe
    size = size or recipe.evaluation.size or recipe.data.size
    beside = [Beside(data, others) for data, others in zip(sets, runs, strict=True)]
    folds = list(zip(translators, beside, sets, strict=True))
    measures = _measures(recipe, size, ms_ssim, lpips)
    scores = score_folds(folds, size, realism=realism, measures=measures, progress=progress)
    return scores.with_notes([*notes, *more])


def _measures(recipe: Recipe, size: int, ms_ssim: bool | None, lpips: Lpips | None) -> Measures:
    return further_measures(size, multiscale=ms_ssim, lpips=lpips, scale=recipe.enlargement)


def _open_lpips(trunk: Trunk | None) -> Lpips | None:
    if trunk is None:
        return None
    from tintype.metrics.lpips import open_lpips

    return open_lpips(trunk)


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
    known = trained_on(run) or set()
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
    digest = combined_digest(one.sha256 for one in cache.fingerprints)
    split = Split(train=(), validation=(), test=tuple(chosen), groups=(), digest=digest)
    return PictureSet(recipe.model_copy(update={"data": spec}), cache, split), notes


def _training_pictures(run: RunDir) -> tuple[PictureSet | None, list[str]]:
    """The set that a run learnt from, or a note that it is not at hand."""
    try:
        return own_pictures(run), []
    except TintypeError:
        return None, ["the nearest training picture is left out: the training pictures are not at hand as they were"]
