"""What `tintype inspect` prints: what a model says about itself, or how a picture was made."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from tintype.arguments import chosen_direction, counted
from tintype.errors import ModelFileError, UsageError
from tintype.inference.bundled import bundled_card, bundled_name, model_path
from tintype.inference.modelfile import MODEL_SUFFIXES, Exported, ModelCard, find_model, read_card, require_direction
from tintype.metrics.classification import percent
from tintype.metrics.interval import Interval
from tintype.metrics.scores import Consistency, Row
from tintype.metrics.table import consistency_lines, row_lines


def inspect_file(file: Path, direction: str | None, as_json: bool) -> None:
    """Print what a model says about itself and, of one of Tintype's own, its card; or how a picture was made."""
    bundled = bundled_name(file)
    file = model_path(file)
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
        return
    _print_card(card, path)
    if bundled is not None:
        _print_markdown(bundled_card(bundled))


def _print_markdown(text: str) -> None:
    """Laid out on a terminal; elsewhere as it stands."""
    console = Console()
    if console.is_terminal:
        from rich.markdown import Markdown

        console.print(Markdown(text))
    else:
        print(f"\n{text.rstrip()}")  # noqa: T201


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
        "file": f"{path}, {path.stat().st_size / 1e6:.1f} MB",
        "recipe": f"{recipe.name}, digest {recipe.digest}",
        "what it does": recipe.description,
        "codec": recipe.codec.kind,
        "trained": f"{card.step:,} steps, {card.images_seen:,} pictures seen, seed {recipe.training.seed}, "
        f"with Tintype {card.tintype_version}",
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
    if "source" in recipe.inputs and (table := _part(tuple[Row, ...], card, "rows", path)):
        # what not every row of a card has that came from anywhere is left out
        common = tuple(dataclasses.replace(row, more={}) for row in table)
        print("\n".join(["", *row_lines(common, None)]))  # noqa: T201
    if consistency := _part(Consistency, card, "consistency", path):
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
    accuracy = _part(Interval, card, "accuracy", path)
    return "not scored" if accuracy is None else percent(accuracy)


def _part(kind: Any, card: ModelCard, name: str, path: Path) -> Any:  # noqa: ANN401 - what the kind says
    """A part of the scores of a card; None where it has none.

    Raises:
        ModelFileError: It is none.
    """
    found = card.scores.get(name)
    if found is None:
        return None
    try:
        return TypeAdapter(kind).validate_python(found)
    except ValidationError as error:
        raise ModelFileError(f"{path}: its card is damaged (scores.{name}); export it again") from error
