"""What the longer commands do and print; `cli.py` holds their names and options."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from pathlib import Path
from typing import get_args

from pydantic import TypeAdapter, ValidationError

from tintype.arguments import chosen_direction, counted, one_of, print_or_write
from tintype.console import Reporter
from tintype.errors import ModelFileError, UsageError
from tintype.inference.modelfile import MODEL_SUFFIXES, Exported, ModelCard, find_model, read_card, require_direction
from tintype.metrics.classification import percent
from tintype.metrics.features import FeatureName
from tintype.metrics.interval import Interval
from tintype.metrics.measures import Trunk
from tintype.metrics.realism import DEFAULT_FEATURES, Features
from tintype.metrics.scores import Consistency
from tintype.metrics.table import consistency_lines


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


def inspect_file(file: Path, direction: str | None, as_json: bool) -> None:
    """Print a model's card, or how a picture was made."""
    if not file.is_dir() and file.suffix not in MODEL_SUFFIXES:
        if direction is not None:
            raise UsageError(f"--direction {direction}: has no meaning for a picture; leave it out")
        _inspect_picture(file, as_json)
        return
    wanted = chosen_direction(direction)
    path = find_model(file, wanted)
    card = read_card(path)
    require_direction(card, path, wanted)
    if as_json:
        print(card.model_dump_json(indent=1))  # noqa: T201
    else:
        _print_card(card, path)


def _inspect_picture(file: Path, as_json: bool) -> None:
    from tintype.image.file import read_header
    from tintype.image.provenance import read_provenance

    header = read_header(file)
    found = read_provenance(file)
    if as_json:
        known = None if found is None else dataclasses.asdict(found)
        print(json.dumps({"file": str(file), **dataclasses.asdict(header), "provenance": known}, indent=1))  # noqa: T201
        return
    rows: dict[str, object] = {
        "file": file,
        "picture": f"{header.width} x {header.height} px, {header.bits} bits, {header.format}",
    }
    if found is None:
        rows["made by"] = "nobody knows: it carries no mark of Tintype"
    else:
        what = "its colour was predicted" if found.predicted == "colour" else "all of it was predicted"
        rows |= {
            "made by": f"Tintype {found.tintype}: {what}",
            "model": f"{found.model}, digest {found.model_digest}, {found.step:,} steps, direction {found.direction}",
            "recipe": f"{found.recipe}, digest {found.recipe_digest}",
            "settings": ", ".join(f"{name} {value}" for name, value in found.settings) or "none",
        }
    _print_rows(rows)


def _print_rows(rows: dict[str, object]) -> None:
    print("\n".join(f"{key + ':':<21}{value}" for key, value in rows.items()))  # noqa: T201


def _print_card(card: ModelCard, path: Path) -> None:
    recipe = card.recipe
    way = "A to B" if card.direction == "ab" else "B to A"
    others = "one of two" if len(recipe.directions) > 1 else "the only one"
    rows: dict[str, object] = {
        "file": path,
        "recipe": f"{recipe.name}, digest {recipe.digest}",
        "what it does": recipe.description,
        "codec": recipe.codec.kind,
        "trained": f"{card.step:,} steps, {card.images_seen:,} pictures seen, with Tintype {card.tintype_version}",
    }
    if recipe.method.kind == "classifier":
        rows |= {
            "model size": f"{recipe.data.size} px",
            "classes": len(card.classes),
            "accuracy": _accuracy(card, path),
        }
    elif "source" not in recipe.inputs:
        rows |= {
            "makes": f"{'pictures' if recipe.frames == 1 else f'clips of {recipe.frames} frames'} of "
            f"{recipe.data.size} px from {' and '.join(recipe.inputs)}",
            "classes": ", ".join(card.classes) or "none",
        }
    else:
        rows |= {
            "direction": f"{way} ({card.direction}), {others}",
            "model size": f"{recipe.data.size} px, sides in multiples of {card.multiple_of}",
            "calibrated strength": card.strength,
        }
        if recipe.enlargement > 1:
            rows["enlarges"] = f"{recipe.enlargement} times in width and height"
    rows["scores"] = card.scores.get("verdict", "none")
    if card.exported is not None:
        rows["form"] = _form(card.exported)
    _print_rows(rows)
    if found := card.scores.get("consistency"):
        try:
            consistency = TypeAdapter(Consistency).validate_python(found)
        except ValidationError as error:
            raise ModelFileError(f"{path}: its card is damaged (scores.consistency); export it again") from error
        print("\n".join(consistency_lines(consistency)))  # noqa: T201


def _form(made: Exported) -> str:
    """How an ONNX file was made, and how near it comes to torch."""
    words: list[str] = [made.form]
    if made.side is not None:
        words.append(f"for {made.side} x {made.side} px alone")
    if made.calibrated_on:
        words.append(f"calibrated on {counted(made.calibrated_on, 'picture')}")
    if made.difference is not None:
        words.append(f"differs from torch by at most {made.difference:.2g}")
    if made.loss is not None:
        words.append(f"loses {made.loss:.3f} dB of PSNR on {counted(made.pictures, 'picture')}")
    return ", ".join(words)


def _accuracy(card: ModelCard, path: Path) -> str:
    """How many pictures a classifier told right, as its scores say."""
    found = card.scores.get("accuracy")
    if found is None:
        return "not scored"
    try:
        accuracy = TypeAdapter(Interval).validate_python(found)
    except ValidationError as error:
        raise ModelFileError(f"{path}: its card is damaged (scores.accuracy); export it again") from error
    return percent(accuracy)


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
