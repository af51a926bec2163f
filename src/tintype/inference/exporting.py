"""Making an ONNX file of a trained network in one of several forms, and judging it before it takes its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, final

import numpy as np
import onnx
from torch import nn

from tintype.atomic import atomic_path
from tintype.errors import ModelFileError
from tintype.inference.doubled import fold_doubling
from tintype.inference.halved import halve
from tintype.inference.hints import Hint
from tintype.inference.modelfile import Exported, ModelCard
from tintype.inference.onnx import DIFFERENCE, build_graph, compare, refuse_difference, write_graph
from tintype.inference.quantised import Feed, quantise
from tintype.inference.runtime import OnnxRuntime
from tintype.inference.torch_runtime import TorchRuntime
from tintype.inference.translation import has_colour
from tintype.inference.translator import Translator
from tintype.metrics.fidelity import psnr

Form = Literal["fp32", "fp16", "int8"]

DIFFERENCES: dict[Form, float] = {"fp32": DIFFERENCE, "fp16": 0.05}
"""Largest difference from torch on random inputs that is let through, in model space; int8 is judged on pictures."""

LOSS = 0.5
"""Largest loss of mean PSNR that is let through unless told otherwise, in dB."""

ASSUMED = 30.0
"""Mean PSNR in dB that a model is taken to have where no truth is known, to tell what an error of its file costs."""


HINTS = 10
"""Points of a picture that a model is told the colour of."""


@final
@dataclass(frozen=True, slots=True)
class Example:
    """A picture in display space that a file is calibrated or judged on, `h w c`, and its truth where that is known."""

    source: np.ndarray
    truth: np.ndarray | None = None


@final
@dataclass(frozen=True, slots=True)
class Examples:
    """Pictures that int8 is calibrated on, and others that the file is judged on."""

    calibration: Sequence[Example] = field(default_factory=tuple)
    judged: Sequence[Example] = field(default_factory=tuple)


def export_form(
    module: nn.Module,
    card: ModelCard,
    path: Path,
    form: Form = "fp32",
    *,
    side: int | None = None,
    examples: Examples = Examples(),
    limit: float = LOSS,
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Write a network as a `.onnx` file whose card says how it was made and how near it comes to torch.

    Args:
        module: The network, on any device.
        card: Of the network.
        path: Replaced only by a file that has been judged.
        form: See `Exported`; int8 is for networks that translate pictures, and needs `examples.calibration`.
        side: The one height and width that it is to take; default: any.
        examples: Pictures; with `judged` ones the loss of PSNR is measured.
        limit: Largest loss of mean PSNR that is let through, in dB.
        progress: Called with the number of convolutions tried and that of all, for int8.

    Raises:
        ModelFileError: It lies too far from torch, cannot be int8, draws random numbers, or would be too large.
        OutputError: It cannot be written.
    """
    graph, shapes = build_graph(module, card, path, side=side)
    # The card decides how pictures are fitted to the network, so the file is judged with the one that it will have.
    made = Exported(form=form, side=side)
    card = card.model_copy(update={"exported": made})
    feeds: list[Feed] = []
    match form:
        case "fp32":
            graph = fold_doubling(graph)
        case "fp16":
            graph = halve(fold_doubling(graph))
        case "int8":
            feeds = _feeds(module, card, examples.calibration)
            graph, left = quantise(fold_doubling(graph, stored=True), feeds, progress)
            _require_int8(graph, path)
            made = made.model_copy(update={"calibrated_on": len(examples.calibration), "left_in_float": left})
    with atomic_path(path) as temporary:
        write_graph(graph, card, temporary)
        if form == "int8":
            difference = _difference(module, temporary, _feeds(module, card, examples.judged) or feeds)
        else:
            difference = compare(module, temporary, shapes)
            refuse_difference(difference, DIFFERENCES[form], path)
        made = made.model_copy(update={"difference": difference, **_judged(module, card, temporary, examples.judged)})
        if made.loss is not None and not made.loss <= limit:
            raise ModelFileError(
                f"{path}: not written: {form} loses {made.loss:.2f} dB of PSNR, more than {limit:g}; calibrate on more "
                "pictures like those it is for, use another form, or allow more with --limit"
            )
        write_graph(graph, card.model_copy(update={"exported": made}), temporary)
    return made


@final
class _Recorder:
    """Runs a network, and keeps what it was given."""

    name = "recorder"

    def __init__(self, runtime: TorchRuntime) -> None:
        self._runtime = runtime
        self.feeds: list[Feed] = []

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.run({"source": x})[0]

    def run(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        self.feeds.append({name: value.copy() for name, value in inputs.items()})
        return self._runtime.run(inputs)


def _feeds(module: nn.Module, card: ModelCard, examples: Sequence[Example]) -> list[Feed]:
    """What the network is given when pictures are translated."""
    recorder = _Recorder(_on_torch(module))
    translator = Translator.from_runtime(recorder, card)
    for number, one in enumerate(examples):
        translator.predict(one.source, hints=_hints(card, one, number)).render()
    return recorder.feeds


def _hints(card: ModelCard, example: Example, number: int) -> tuple[Hint, ...]:
    """What a model that takes hints is told of about half of the pictures: int8 must have steps for them, too.

    That is the true colour at some points; any colour, where there is no truth. Which half is drawn, so that evenly
    spaced pictures, as those that single convolutions are tried on, are of both kinds.
    """
    random = np.random.default_rng(number)
    if "hints" not in card.inputs or random.random() < 0.5:
        return ()
    height, width = example.source.shape[:2]
    rows, columns = random.integers(height, size=HINTS), random.integers(width, size=HINTS)
    colours = random.random((HINTS, 3)) if example.truth is None else example.truth[rows, columns]
    return tuple(
        Hint(x + 0.5, y + 0.5, (red, green, blue))
        for y, x, (red, green, blue) in zip(rows.tolist(), columns.tolist(), colours.tolist(), strict=True)
    )


def _on_torch(module: nn.Module) -> TorchRuntime:
    return TorchRuntime(module, next(module.parameters()).device)


def _require_int8(graph: onnx.ModelProto, path: Path) -> None:
    if not any(node.op_type == "QuantizeLinear" for node in graph.graph.node):
        raise ModelFileError(
            f"{path}: not written: every convolution of this network would be harmed too much by int8; use --fp16"
        )


def _difference(module: nn.Module, path: Path, feeds: Sequence[Feed]) -> float:
    file, runtime = OnnxRuntime(path, provider="cpu"), _on_torch(module)
    return max(float(np.abs(file.run(feed)[0] - runtime.run(feed)[0]).max()) for feed in feeds)


def _judged(module: nn.Module, card: ModelCard, path: Path, examples: Sequence[Example]) -> dict[str, object]:
    """Fields of `Exported` on how near results come to those of torch, and what that costs.

    Where no truth is known, the errors of the file are added to those of a model that reaches `ASSUMED`.
    """
    if not examples:
        return {}
    file, whole = Translator(path, provider="cpu"), Translator.from_runtime(_on_torch(module), card)
    agreement, squares, losses = [], [], []
    for number, one in enumerate(examples):
        told = _hints(card, one, number)
        ours, theirs = (translator.predict(one.source, hints=told).render() for translator in (file, whole))
        agreement.append(psnr(ours, theirs))
        squares.append(float(np.square(ours - theirs).mean()))
        if one.truth is not None and not (whole.codec.colourises and not has_colour(one.truth)):
            losses.append(psnr(theirs, one.truth) - psnr(ours, one.truth))
    loss = np.mean(losses) if losses else 10 * np.log10(1 + np.mean(squares) * 10 ** (ASSUMED / 10))
    return {"agreement": float(np.mean(agreement)), "loss": float(loss), "pictures": len(examples)}
