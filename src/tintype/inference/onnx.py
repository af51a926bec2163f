"""Export to ONNX: one file that runs without torch, compared with torch before it takes its name."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from tintype.atomic import atomic_path
from tintype.errors import ModelFileError
from tintype.image.codec import build_codec
from tintype.inference.modelfile import METADATA_KEY, ModelCard, card_to_json
from tintype.inference.runtime import OnnxRuntime
from tintype.inference.torch_runtime import TorchRuntime, evaluating

OPSET = 18  # the first with antialiased Resize and the lowest that the exporter writes natively
MAX_BYTES = int(1.9 * 2**30)  # protobuf ends at 2 GiB
RANDOM = ("Random", "Bernoulli", "Dropout", "Multinomial")


@dataclass(frozen=True, slots=True)
class OnnxCheck:
    """How far ONNX Runtime was from torch, and on what."""

    max_difference: float  # of any value, in model space [-1, 1]
    shapes: tuple[tuple[int, ...], ...]  # of the random inputs, n c h w


def export_onnx(
    module: nn.Module, card: ModelCard, path: Path, *, size: int | None = None, limit: float = 1e-3
) -> OnnxCheck:
    """Write a generator as a `.onnx` file of dynamic batch, height and width that carries its card.

    A classifier becomes one of dynamic batch, for pictures of the recipe's size, with the outputs `features` and
    `logits`.

    Args:
        module: The network, on any device; it is exported in evaluation mode and left in the mode it was in.
        card: Stored in the file's metadata.
        path: Replaced only by a file that has been checked.
        size: Side in pixels of the first picture to compare a generator with torch on; default: that of a
            training crop.
        limit: Largest difference from torch that is let through, in model space.

    Raises:
        ModelFileError: The file differs from torch by more than `limit`, draws random numbers, or would be too large.
        OutputError: It cannot be written.
    """
    form = _classifier_form(card) if card.recipe.generator.kind == "classifier" else _generator_form(card, size)
    model = _to_onnx(module, form)
    random = sorted({node.op_type for node in model.graph.node if node.op_type.startswith(RANDOM)})
    if random:
        raise ModelFileError(f"{path}: not written: the network draws random numbers in use ({', '.join(random)})")
    if model.ByteSize() > MAX_BYTES:
        raise ModelFileError(
            f"{path}: not written: the network has {model.ByteSize():,} bytes and one .onnx file holds {MAX_BYTES:,}; "
            "use .safetensors"
        )
    onnx.helper.set_model_props(model, {METADATA_KEY: card_to_json(card)})
    with atomic_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
        difference = max(_difference(module, temporary, shape) for shape in form.shapes)
        if not difference <= limit:
            raise ModelFileError(
                f"{path}: not written: ONNX Runtime differs from torch by {difference:.3g}, more than {limit:.3g}; "
                "use .safetensors"
            )
    return OnnxCheck(difference, form.shapes)


def replace_card(path: Path, card: ModelCard) -> None:
    """Give an exported model another card; its network stays as it was checked.

    Raises:
        OutputError: it cannot be written.
    """
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {METADATA_KEY: card_to_json(card)})
    with atomic_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


@dataclass(frozen=True, slots=True)
class _Form:
    """What goes into a graph and comes out of it.

    Attributes:
        example: Shape of the input that the network is traced on.
        sides: Names of the dimensions of the input; capitals have the length that the example has.
        outputs: Each output and the names of its dimensions, likewise.
        shapes: Inputs on which the graph is compared with torch.
    """

    example: tuple[int, ...]
    sides: str
    outputs: dict[str, str]
    shapes: tuple[tuple[int, ...], ...]


def _generator_form(card: ModelCard, size: int | None) -> _Form:
    multiple, channels = card.multiple_of, build_codec(card.recipe, card.direction).source_channels
    side = -(-(size or card.recipe.data.size // card.recipe.enlargement) // multiple) * multiple
    return _Form(
        # Sides of which no level is 1 long: the exporter takes sizes of 0 and 1 for constants.
        example=(2, channels, 2 * multiple, 3 * multiple),
        sides="n C h w",
        outputs={"output": "n C out_h out_w"},
        shapes=((1, channels, side, side), (3, channels, multiple, 2 * multiple)),
    )


def _classifier_form(card: ModelCard) -> _Form:
    channels, side = build_codec(card.recipe).source_channels, card.recipe.data.size
    return _Form(
        example=(2, channels, side, side),
        sides="n C H W",
        outputs={"features": "n K", "logits": "n CLASSES"},
        shapes=((1, channels, side, side), (3, channels, side, side)),
    )


def _to_onnx(module: nn.Module, form: _Form) -> onnx.ModelProto:
    example = torch.zeros(form.example, device=next(module.parameters()).device)
    dynamic = {place: torch.export.Dim.DYNAMIC for place, name in enumerate(form.sides.split()) if name.islower()}
    with _quiet(), evaluating(module), torch.inference_mode():
        program = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            dynamic_shapes=(dynamic,),
            input_names=["source"],
            output_names=list(form.outputs),
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    graph = model.graph
    # What the exporter notes down for its developers: paths of this machine's source files among it.
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.ClearField("doc_string")
    del graph.value_info[:]
    for value, names in zip((*graph.input, *graph.output), (form.sides, *form.outputs.values()), strict=True):
        for dimension, name in zip(value.type.tensor_type.shape.dim, names.split(), strict=True):
            if name.islower():
                dimension.dim_param = name
    return model


def _difference(module: nn.Module, path: Path, shape: tuple[int, ...]) -> float:
    x = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    expected = TorchRuntime(module, next(module.parameters()).device).outputs(x)
    return max(
        float(np.abs(ours - theirs).max()) for ours, theirs in zip(OnnxRuntime(path).outputs(x), expected, strict=True)
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks about libraries and its own internals from people who export a model."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
