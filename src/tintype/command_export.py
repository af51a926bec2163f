"""What `tintype export` does and prints: a model as an ONNX file of some form, and the pictures it is judged on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from tintype.arguments import chosen_direction, counted
from tintype.console import Reporter
from tintype.data.dataset import Pair, PictureSet
from tintype.data.source import ENDS
from tintype.errors import DataError, ImageError, TintypeError, UsageError
from tintype.image.codec import build_codec
from tintype.image.file import find_pictures, read_thumbnail
from tintype.inference.bundled import model_path
from tintype.inference.exporting import ASSUMED, LOSS, Example, Examples, Form, export_form
from tintype.inference.modelfile import Exported, ModelCard, find_model, require_direction
from tintype.inference.torch_runtime import load_network
from tintype.training.held_out import own_pictures
from tintype.training.rundir import RunDir

_CALIBRATION, _JUDGED = 100, 50
"""Pictures that are calibrated on, and that the file is judged on, at most."""


@final
@dataclass(frozen=True, slots=True)
class Asked:
    """The options of the command as they were typed."""

    model: Path
    out: Path
    direction: str | None
    int8: bool
    fp16: bool
    size: str
    calibrate: Path | None
    limit: float | None


def export(asked: Asked) -> None:
    """Write a model as ONNX and say how near it comes to torch."""
    wanted = chosen_direction(asked.direction)
    model = model_path(asked.model, ".safetensors")
    path = find_model(model, wanted)
    if model.is_dir():
        path = path.with_suffix(".safetensors")
    if path.suffix != ".safetensors":
        raise UsageError(f"{model}: only .safetensors models are exported; give that file or its run folder")
    if asked.out.suffix != ".onnx":
        raise UsageError(f"--out {asked.out}: must end in .onnx")
    form = _form(asked)
    if asked.limit is not None and form != "int8" and asked.calibrate is None:
        raise UsageError("--limit: has no effect without pictures to measure the loss on; give --calibrate DIR too")
    network, card = load_network(path)
    require_direction(card, path, wanted)
    side = _side(asked.size, card)
    translates = card.recipe.generator.kind != "classifier" and "source" in card.inputs
    if not translates and (form == "int8" or asked.calibrate is not None):
        option = "--int8" if form == "int8" else "--calibrate"
        raise UsageError(f"{option}: is for models that translate pictures; leave it out for {path}")
    with Reporter() as say:
        examples = Examples()
        if asked.calibrate is not None:
            say.begin("reading pictures to calibrate on", None)
            examples = _of_folder(asked.calibrate, card, say)
        elif form == "int8":
            say.begin("reading pictures to calibrate on", None)
            examples = _of_run(path, card)
        say.begin("trying int8 on convolutions" if form == "int8" else "exporting", None)
        made = export_form(
            network,
            card,
            asked.out,
            form,
            side=side,
            examples=examples,
            limit=LOSS if asked.limit is None else asked.limit,
            progress=say.update,
        )
    print("\n".join(_lines(asked.out, made, any(one.truth is not None for one in examples.judged))))  # noqa: T201


def _form(asked: Asked) -> Form:
    if asked.int8 and asked.fp16:
        raise UsageError("--int8 --fp16: give one of the two")
    return "int8" if asked.int8 else "fp16" if asked.fp16 else "fp32"


def _side(given: str, card: ModelCard) -> int | None:
    if given == "dynamic":
        return None
    if not given.isascii() or not given.isdigit() or not 0 < int(given) <= 2**14:
        raise UsageError(f"--size {given}: give a number of pixels up to {2**14:,}, or dynamic")
    side, multiple = int(given), card.multiple_of
    if "source" not in card.inputs or card.recipe.generator.kind == "classifier":
        raise UsageError(f"--size {given}: this model has one size already; leave the option out")
    if side % multiple:
        raise UsageError(f"--size {given}: must be a multiple of {multiple}, as {-(-side // multiple) * multiple} is")
    return side


def _lines(out: Path, made: Exported, with_truth: bool) -> Iterator[str]:
    size = f"{out.stat().st_size / 1e6:.1f} MB"
    taken = f"pictures of {made.side} x {made.side} px" if made.side else "pictures of any size"
    yield f"{out}: {made.form}, {size}, takes {taken}"
    yield f"{out}: differs from torch by at most {made.difference:.2g}"
    if made.form == "int8":
        layers = counted(made.left_in_float, "convolution")
        yield f"{out}: calibrated on {counted(made.calibrated_on, 'picture')}; {layers} left in float"
    if made.loss is not None:
        than = "against the truth" if with_truth else f"for a model of {ASSUMED:g} dB, the truth is not known"
        yield (
            f"{out}: loses {made.loss:.3f} dB of PSNR ({than}) on {counted(made.pictures, 'picture')}; "
            f"its results and those of torch agree to {made.agreement:.1f} dB"
        )


def _size(card: ModelCard) -> int:
    return card.recipe.evaluation.size or card.recipe.data.size


def _of_folder(folder: Path, card: ModelCard, say: Reporter) -> Examples:
    """Pictures of a user: every fourth is judged on, the others are calibrated on; of fewer than four all are both.

    In colour they are the truth of a model that makes colour.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; --calibrate takes a folder of pictures")
    paths = find_pictures(folder)
    total = _CALIBRATION + _JUDGED
    if len(paths) > total:
        paths = [paths[number * len(paths) // total] for number in range(total)]
    side = _size(card) // card.recipe.enlargement
    colourises = build_codec(card.recipe, card.direction).colourises
    examples = []
    for done, path in enumerate(paths, start=1):
        try:
            picture = _centre(read_thumbnail(path, side), side).astype(np.float32) / 255
        except ImageError as error:
            say.line(f"left out: {error}")
            continue
        examples.append(Example(picture, picture if colourises and picture.shape[2] == 3 else None))
        say.update(done, len(paths))
    if not examples:
        raise DataError(f"{folder}: holds no readable picture to calibrate on")
    if len(examples) < 4:
        return Examples(examples, examples)
    return Examples([one for number, one in enumerate(examples) if number % 4 != 3], examples[3::4])


def _centre(picture: np.ndarray, side: int) -> np.ndarray:
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    return picture[top : top + side, left : left + side]


def _of_run(path: Path, card: ModelCard) -> Examples:
    """Training pictures of the run that a model belongs to, to calibrate on, and held-out ones to judge on."""
    try:
        pictures = own_pictures(RunDir(path.parent))
    except TintypeError as error:
        raise DataError(
            f"{path}: its training pictures are not at hand to calibrate int8 on ({error}); give --calibrate DIR"
        ) from error
    part = next((one for one in ("validation", "test") if getattr(pictures.split, one)), "train")
    return Examples(
        list(_examples(pictures, card, "train", _CALIBRATION)), list(_examples(pictures, card, part, _JUDGED))
    )


def _examples(pictures: PictureSet, card: ModelCard, part: str, count: int) -> Iterator[Example]:
    if pictures.has_pairs:
        for pair in pictures.pictures(part, _size(card), count):
            yield _example(pair, card)
    else:
        for one in pictures.domain(ENDS[card.direction][0], part, _size(card), count):
            yield Example(one.picture)


def _example(pair: Pair, card: ModelCard) -> Example:
    source, truth = (pair.source, pair.target) if card.direction == "ab" else (pair.target, pair.source)
    return Example(source, np.broadcast_to(truth, (*truth.shape[:2], 3)))
