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

    Args:
        module: The generator, on any device; it is exported in evaluation mode and left in the mode it was in.
        card: Stored in the file's metadata.
        path: Replaced only by a file that has been checked.
        size: Side in pixels of the first picture to compare with torch; default: the recipe's `data.size`.
        limit: Largest difference from torch that is let through, in model space.

    Raises:
        ModelFileError: The file differs from torch by more than `limit`, draws random numbers, or would be too large.
        OutputError: It cannot be written.
    """
    multiple, channels = card.multiple_of, build_codec(card.recipe, card.direction).source_channels
    model = _to_onnx(module, channels, multiple)
    random = sorted({node.op_type for node in model.graph.node if node.op_type.startswith(RANDOM)})
    if random:
        raise ModelFileError(f"{path}: not written: the network draws random numbers in use ({', '.join(random)})")
    if model.ByteSize() > MAX_BYTES:
        raise ModelFileError(
            f"{path}: not written: the network has {model.ByteSize():,} bytes and one .onnx file holds {MAX_BYTES:,}; "
            "use .safetensors"
        )
    onnx.helper.set_model_props(model, {METADATA_KEY: card_to_json(card)})
    side = -(-(size or card.recipe.data.size) // multiple) * multiple
    shapes = ((1, channels, side, side), (3, channels, multiple, 2 * multiple))
    with atomic_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
        difference = max(_difference(module, temporary, shape) for shape in shapes)
        if not difference <= limit:
            raise ModelFileError(
                f"{path}: not written: ONNX Runtime differs from torch by {difference:.3g}, more than {limit:.3g}; "
                "use .safetensors"
            )
    return OnnxCheck(difference, shapes)


def replace_card(path: Path, card: ModelCard) -> None:
    """Give an exported model another card; its network stays as it was checked.

    Raises:
        OutputError: it cannot be written.
    """
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {METADATA_KEY: card_to_json(card)})
    with atomic_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def _to_onnx(module: nn.Module, channels: int, multiple: int) -> onnx.ModelProto:
    # Sides of which no level is 1 long: the exporter takes sizes of 0 and 1 for constants.
    example = torch.zeros(2, channels, 2 * multiple, 3 * multiple, device=next(module.parameters()).device)
    dynamic = torch.export.Dim.DYNAMIC
    with _quiet(), evaluating(module), torch.inference_mode():
        program = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            dynamic_shapes=({0: dynamic, 2: dynamic, 3: dynamic},),
            input_names=["source"],
            output_names=["output"],
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
    for value, names in ((graph.input[0], "n c h w"), (graph.output[0], "n c out_h out_w")):
        for dimension, name in zip(value.type.tensor_type.shape.dim, names.split(), strict=True):
            if name != "c":
                dimension.dim_param = name
    return model


def _difference(module: nn.Module, path: Path, shape: tuple[int, ...]) -> float:
    x = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    expected = TorchRuntime(module, next(module.parameters()).device)(x)
    return float(np.abs(OnnxRuntime(path)(x) - expected).max())


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
