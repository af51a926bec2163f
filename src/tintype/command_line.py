"""What the longer commands do and print; `cli.py` holds their names and options."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import get_args

from tintype.arguments import chosen_direction, counted, one_of, print_or_write
from tintype.console import Reporter
from tintype.errors import UsageError
from tintype.inference.modelfile import find_model, read_card
from tintype.metrics.features import FeatureName
from tintype.metrics.measures import Trunk
from tintype.metrics.realism import DEFAULT_FEATURES, Features


def evaluate_model(
    models: list[Path],
    data: Path | None,
    direction: str | None,
    size: int | None,
    baselines: list[Path],
    features: str | None,
    lpips: str | None,
    ms_ssim: bool | None,
    json_file: Path | None,
) -> None:
    """Print the table of scores; write them as JSON where that is asked for."""
    from tintype import api
    from tintype.evaluation import format_scores

    if "source" not in read_card(find_model(models[0])).inputs:
        for option, given in (
            ("--direction", direction),
            ("--size", size),
            ("--lpips", lpips),
            ("--ms-ssim", ms_ssim),
        ):
            if given is not None:
                raise UsageError(f"{option}: has no meaning for a model that makes pictures from noise; leave it out")
        _evaluate_samples(models, data, baselines, features, json_file)
        return
    wanted = chosen_direction(direction)
    network = one_of("--features", features or DEFAULT_FEATURES, get_args(Features))
    trunk: Trunk | None = None if lpips is None else one_of("--lpips", lpips, get_args(Trunk))
    with Reporter() as say:
        say.begin("scoring pictures", None)
        scores = api.evaluate(
            models,
            data,
            direction=wanted,
            size=size,
            baselines=baselines,
            features=network,
            lpips=trunk,
            ms_ssim=ms_ssim,
            progress=say.update,
        )
    print_or_write(scores.to_dict(), format_scores(scores), json_file)


def _evaluate_samples(
    models: list[Path], data: Path | None, baselines: list[Path], features: str | None, json_file: Path | None
) -> None:
    from tintype import api
    from tintype.metrics.sample_tables import format_sample_scores

    if len(models) > 1:
        raise UsageError("several models from noise are no cross-validation; give all but the first as --baseline")
    network = None if features is None else one_of("--features", features, get_args(FeatureName))
    with Reporter() as say:
        say.begin("judging samples", None)
        scores = api.evaluate_samples(models[0], data, baselines=baselines, features=network)
    print_or_write(scores.to_dict(), format_sample_scores(scores), json_file)


def run_sweep(
    recipe: str,
    settings: list[str],
    out: Path | None,
    trials: int | None,
    search: str | None,
    jobs: int,
    storage: str | None,
    prune: bool | None,
    retry_failed: bool,
) -> bool:
    """Train what a sweep asks for; False if it was interrupted."""
    from tintype.sweep.definition import Search, read_definition

    chosen: Search | None = None if search is None else one_of("--search", search, get_args(Search))
    definition = read_definition(recipe, settings, chosen)
    from tintype.sweep.run import Sweep

    with Reporter() as say:
        sweep = Sweep(
            definition,
            out or Path("sweeps") / Path(recipe).stem,
            trials=trials,
            jobs=jobs,
            storage=storage,
            prune=prune,
            retry_failed=retry_failed,
            say=say,
        )
        return sweep.run()


def import_model(source: Path, out: Path, net: str | None, epoch: str | None, reference_mode: bool) -> None:
    """Write the model of a foreign checkpoint and say what was found in it."""
    from tintype.inference.reference import import_reference

    imported = import_reference(source, out, net=net, epoch=epoch, batch_statistics=reference_mode)
    for note in imported.notes:
        print(note, file=sys.stderr)  # noqa: T201
    print(f"{out}: {imported.layout}, from {imported.checkpoint}")  # noqa: T201


def check_data(folder: Path, kind: str | None, sheet: Path | None, as_json: bool) -> None:
    """Print what is in a folder of pictures; draw the contact sheet where that is asked for."""
    from tintype.data.check import Kind, check_folder, draw_sheet

    chosen: Kind | None = None if kind is None else one_of("--kind", kind, get_args(Kind))
    with Reporter() as say:
        say.begin("looking at pictures", None)
        report = check_folder(folder, chosen, progress=say.update)
    print(json.dumps(report.to_dict(), indent=1) if as_json else report.to_text())  # noqa: T201
    if sheet is not None:
        draw_sheet(report, sheet)
        print(f"contact sheet: {sheet}", file=sys.stderr)  # noqa: T201


def list_public_sets() -> None:
    """Print the sets that can be fetched."""
    from tintype.data.public_sets import PUBLIC_SETS

    width = max(map(len, PUBLIC_SETS))
    for public in PUBLIC_SETS.values():
        size = "not fetched" if public.withheld else f"{public.megabytes:,} MB"
        print(f"{public.name:<{width}}  {size:>11}  {public.withheld or public.what}")  # noqa: T201


def get_data(name: str | None, out: Path | None, keep: bool) -> None:
    """Fetch a public set and say what it is and how to train on it."""
    from tintype.data.download import get_set
    from tintype.data.public_sets import public_set

    if name is None:
        raise UsageError("give the name of a set; `tintype data get --list` names them all")
    public = public_set(name)
    with Reporter() as say:
        fetched = get_set(public, out or Path("data") / name, say, keep=keep)
    there = "" if fetched.fetched else ", there already"
    print(f"{fetched.folder}: {fetched.pictures:,} pictures{there}")  # noqa: T201
    for file in public.files:
        note = f"{file.known_hash.partition(':')[0]} as published" if file.known_hash else "no published hash"
        print(f"{file.name}: sha256 {fetched.sha256[file.url]} ({note})")  # noqa: T201
    print(f"terms: see {public.terms}")  # noqa: T201
    if public.train is None:
        print(f"next: no built-in recipe trains on {name}")  # noqa: T201
    else:
        recipe, *changes = public.train.split()
        words = ["tintype", "train", recipe, *changes, f"data.path={fetched.folder}", "--out", f"runs/{name}"]
        print(f"next: {shlex.join(words)}")  # noqa: T201


def prepare_data(
    source: str,
    out: Path,
    source_b: str | None,
    size: int,
    crop: bool,
    picture_format: str | None,
    validation: float,
    test: float,
) -> int:
    """Reduce and divide pictures, say what was made, and return the exit code: 1 if a picture was left out."""
    from tintype.data.prepare import PictureFormat, prepare
    from tintype.recipe.data import SplitSpec

    arrays = out.suffix.lower() == ".npz"
    if arrays and picture_format is not None:
        raise UsageError(f"--format {picture_format}: leave it out, an .npz file holds arrays")
    files = one_of("--format", picture_format or "png", get_args(PictureFormat))
    if validation + test >= 1:
        raise UsageError(
            f"--validation {validation:g} --test {test:g}: leave nothing to train on; give less than 1 in all"
        )
    with Reporter() as say:
        say.begin("preparing pictures", None)
        made = prepare(
            source,
            out,
            source_b=source_b,
            size=size,
            crop=crop,
            picture_format=files,
            split=SplitSpec(validation=validation, test=test),
            progress=say.update,
        )
        say.end()
        for _, reason in made.unreadable:
            say.line(f"left out: {reason}")
        for note in made.notes:
            say.line(note)
        if made.enlarged:
            say.line(f"{counted(made.enlarged, 'picture')} with a shorter side below {size} pixels enlarged")
        if arrays and not crop:
            say.line("cropped to the centre square: the pictures of an array have one size")
    print(f"{out}: {', '.join(f'{name} {count}' for name, count in made.counts.items())}")  # noqa: T201
    return 1 if made.unreadable else 0
