"""What the longer commands do and print; `cli.py` holds their names and options."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from tintype.atomic import atomic_path
from tintype.console import Reporter
from tintype.errors import ModelFileError, UsageError
from tintype.inference.modelfile import find_model, read_card, require_direction
from tintype.metrics.scores import Consistency, consistency_lines
from tintype.recipe.schema import Direction

Choice = TypeVar("Choice", bound=str)


def translate_files(
    inputs: list[str], model: Path, out: Path, strength: float, direction: str | None, overwrite: bool, as_json: bool
) -> int:
    """Translate, print a line for each file that needs one, and return the exit code: 1 if a file failed."""
    from tintype.inference.batch import plan_batch, run_batch
    from tintype.inference.translator import Translator

    translator = Translator(model, _direction(direction))
    plan = plan_batch(inputs, out)
    count: Counter[str] = Counter()
    with Reporter() as say:
        work = run_batch(plan, translator, strength=strength, overwrite=overwrite)
        say.begin("translating", len(plan.jobs))
        for result in work:
            count[result.status] += 1
            say.update(count.total(), len(plan.jobs), result.input.name)
            if as_json:
                print(json.dumps(dataclasses.asdict(result), default=str))  # noqa: T201
            if result.status == "failed":
                say.line(f"failed: {result.reason}")
            else:
                for warning in result.warnings:
                    say.line(f"{result.input}: {warning}")
        say.end()
        parts = [f"{_pictures(count['done'])} translated into {out}"]
        if count["kept"]:
            parts.append(f"{count['kept']} kept as they were there already (--overwrite replaces them)")
        if plan.passed_over:
            parts.append(f"{plan.passed_over} other file{'s' * (plan.passed_over != 1)} passed over")
        if count["failed"]:
            parts.append(f"{count['failed']} failed")
        say.line(", ".join(parts))
        if not plan.jobs:
            raise UsageError(f"{', '.join(inputs)}: no pictures in there")
    return 1 if count["failed"] else 0


def _direction(given: str | None) -> Direction | None:
    return None if given is None else _one_of("--direction", given, get_args(Direction))


def _one_of(option: str, given: str, choices: tuple[Choice, ...]) -> Choice:
    for choice in choices:
        if choice == given:
            return choice
    raise UsageError(f"{option} {given}: choose {', '.join(choices[:-1])} or {choices[-1]}")


def _pictures(count: int) -> str:
    return f"{count} picture{'s' * (count != 1)}"


def evaluate_model(
    model: Path, data: Path | None, direction: str | None, size: int | None, json_file: Path | None
) -> None:
    """Print the table of scores; write them as JSON where that is asked for."""
    from tintype import api
    from tintype.evaluation import format_scores

    wanted = _direction(direction)
    with Reporter() as say:
        say.begin("scoring pictures", None)
        scores = api.evaluate(model, data, direction=wanted, size=size, progress=say.update)
    text = json.dumps(scores.to_dict(), indent=1)
    if json_file is not None and str(json_file) == "-":
        print(text)  # noqa: T201
        return
    print(format_scores(scores))  # noqa: T201
    if json_file is not None:
        with atomic_path(json_file) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")


def export_model(model: Path, out: Path, direction: str | None) -> None:
    """Write a model as ONNX and say how far it is from torch."""
    from tintype.inference.onnx import export_onnx
    from tintype.inference.torch_runtime import load_network

    wanted = _direction(direction)
    path = find_model(model, wanted)
    if model.is_dir():
        path = path.with_suffix(".safetensors")
    if path.suffix != ".safetensors":
        raise UsageError(f"{model}: only .safetensors models are exported; give that file or its run folder")
    if out.suffix != ".onnx":
        raise UsageError(f"--out {out}: must end in .onnx")
    network, card = load_network(path)
    require_direction(card, path, wanted)
    check = export_onnx(network, card, out)
    print(f"{out}: differs from torch by at most {check.max_difference:.2g}")  # noqa: T201


def import_model(source: Path, out: Path, net: str | None, epoch: str | None, reference_mode: bool) -> None:
    """Write the model of a foreign checkpoint and say what was found in it."""
    from tintype.inference.reference import import_reference

    imported = import_reference(source, out, net=net, epoch=epoch, batch_statistics=reference_mode)
    for note in imported.notes:
        print(note, file=sys.stderr)  # noqa: T201
    print(f"{out}: {imported.layout}, from {imported.checkpoint}")  # noqa: T201


def inspect_model(file: Path, direction: str | None, as_json: bool) -> None:
    """Print a model's card."""
    wanted = _direction(direction)
    path = find_model(file, wanted)
    card = read_card(path)
    require_direction(card, path, wanted)
    if as_json:
        print(card.model_dump_json(indent=1))  # noqa: T201
        return
    recipe = card.recipe
    way = "A to B" if card.direction == "ab" else "B to A"
    others = "one of two" if len(recipe.directions) > 1 else "the only one"
    rows = {
        "file": path,
        "recipe": f"{recipe.name}, digest {recipe.digest}",
        "what it does": recipe.description,
        "direction": f"{way} ({card.direction}), {others}",
        "codec": recipe.codec.kind,
        "trained": f"{card.step:,} steps, {card.images_seen:,} pictures seen, with Tintype {card.tintype_version}",
        "model size": f"{recipe.data.size} px, sides in multiples of {card.multiple_of}",
        "calibrated strength": card.strength,
        "scores": card.scores.get("verdict", "none"),
    }
    print("\n".join(f"{key + ':':<21}{value}" for key, value in rows.items()))  # noqa: T201
    if found := card.scores.get("consistency"):
        try:
            consistency = TypeAdapter(Consistency).validate_python(found)
        except ValidationError as error:
            raise ModelFileError(f"{path}: its card is damaged (scores.consistency); export it again") from error
        print("\n".join(consistency_lines(consistency)))  # noqa: T201


def check_data(folder: Path, kind: str | None, sheet: Path | None, as_json: bool) -> None:
    """Print what is in a folder of pictures; draw the contact sheet where that is asked for."""
    from tintype.data.check import Kind, check_folder, draw_sheet

    chosen: Kind | None = None if kind is None else _one_of("--kind", kind, get_args(Kind))
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
    from tintype.recipe.schema import SplitSpec

    arrays = out.suffix.lower() == ".npz"
    if arrays and picture_format is not None:
        raise UsageError(f"--format {picture_format}: leave it out, an .npz file holds arrays")
    files = _one_of("--format", picture_format or "png", get_args(PictureFormat))
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
            say.line(f"{_pictures(made.enlarged)} with a shorter side below {size} pixels enlarged")
        if arrays and not crop:
            say.line("cropped to the centre square: the pictures of an array have one size")
    print(f"{out}: {', '.join(f'{name} {count}' for name, count in made.counts.items())}")  # noqa: T201
    return 1 if made.unreadable else 0
