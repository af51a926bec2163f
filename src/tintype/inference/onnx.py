"""Export to ONNX: one file that runs without torch, compared with torch before it takes its name."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
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
from tintype.inference.doubled import fold_doubling
from tintype.inference.modelfile import METADATA_KEY, ModelCard, card_to_json
from tintype.inference.runtime import INPUTS, OnnxRuntime
from tintype.inference.torch_runtime import TorchRuntime, evaluating
from tintype.inference.usage import usage_metadata
from tintype.recipe.networks import InputName

OPSET = 18  # the first with antialiased Resize and the lowest that the exporter writes natively
MAX_BYTES = int(1.9 * 2**30)  # protobuf ends at 2 GiB
RANDOM = ("Random", "Bernoulli", "Dropout", "Multinomial")


Shapes = dict[InputName, tuple[int, ...]]
"""Of each input, in the order of the network's arguments."""


@dataclass(frozen=True, slots=True)
class OnnxCheck:
    """How far ONNX Runtime was from torch, and on what."""

    max_difference: float  # of any value, in model space [-1, 1]
    shapes: tuple[Shapes, ...]  # of the random inputs


DIFFERENCE = 1e-3
"""Largest difference from torch that is let through unless told otherwise, in model space [-1, 1]."""


def export_onnx(
    module: nn.Module, card: ModelCard, path: Path, *, size: int | None = None, limit: float = DIFFERENCE
) -> OnnxCheck:
    """Write a generator as a `.onnx` file of dynamic batch, height and width that carries its card.

    What it takes is what `ModelCard.inputs` names, under these names: nothing in the file draws random numbers.

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
    graph, form = build_graph(module, card, path, size=size)
    graph = fold_doubling(graph)
    with atomic_path(path) as temporary:
        write_graph(graph, card, temporary)
        difference = compare(module, temporary, form)
        refuse_difference(difference, limit, path)
    return OnnxCheck(difference, form.shapes)


def build_graph(
    module: nn.Module, card: ModelCard, path: Path, *, size: int | None = None, side: int | None = None
) -> tuple[onnx.ModelProto, GraphForm]:
    """The graph of a network as float32, without a card, and what goes into it.

    Args:
        module: The network, on any device; it is left in the mode it was in.
        card: Of the network.
        path: What it is to be written to, for messages.
        size: See `export_onnx`.
        side: The one height and width that it is to take; default: any.

    Raises:
        ModelFileError: It draws random numbers, or would be too large.
    """
    form = _classifier_form(card) if card.recipe.generator.kind == "classifier" else _generator_form(card, size, side)
    graph = _to_onnx(module, form)
    random = sorted({node.op_type for node in graph.graph.node if node.op_type.startswith(RANDOM)})
    if random:
        raise ModelFileError(f"{path}: not written: the network draws random numbers in use ({', '.join(random)})")
    if graph.ByteSize() > MAX_BYTES:
        raise ModelFileError(
            f"{path}: not written: the network has {graph.ByteSize():,} bytes and one .onnx file holds {MAX_BYTES:,}; "
            "use .safetensors"
        )
    return graph, form


def write_graph(graph: onnx.ModelProto, card: ModelCard, path: Path) -> None:
    """Write a graph with its card and with what somebody without Tintype needs to use it."""
    onnx.helper.set_model_props(graph, {METADATA_KEY: card_to_json(card), **usage_metadata(card)})
    path.write_bytes(graph.SerializeToString())


def refuse_difference(difference: float, limit: float, path: Path) -> None:
    """Refuse a file that is too far from torch.

    Raises:
        ModelFileError: It is, or gives values that are not finite.
    """
    if not difference <= limit:
        raise ModelFileError(
            f"{path}: not written: ONNX Runtime differs from torch by {difference:.3g}, more than {limit:.3g}; "
            "use .safetensors"
        )


def replace_card(path: Path, card: ModelCard) -> None:
    """Give an exported model another card; its network stays as it was checked.

    Raises:
        OutputError: it cannot be written.
    """
    graph = onnx.load(path)
    with atomic_path(path) as temporary:
        write_graph(graph, card, temporary)


@dataclass(frozen=True, slots=True)
class GraphForm:
    """What goes into a graph and comes out of it.

    Attributes:
        inputs: Each input and the names of its dimensions; capitals have the length that the example has.
        outputs: Each output, likewise.
        example: Inputs that the network is traced on.
        shapes: Inputs on which the graph is compared with torch.
        classes: Number of classes that a `label` may name.
    """

    inputs: dict[InputName, str]
    outputs: dict[str, str]
    example: Shapes
    shapes: tuple[Shapes, ...]
    classes: int = 1


def _generator_form(card: ModelCard, size: int | None, fixed: int | None) -> GraphForm:
    recipe, multiple = card.recipe, card.multiple_of
    channels = build_codec(recipe, card.direction).source_channels
    side = -(-(size or recipe.data.size // recipe.enlargement) // multiple) * multiple
    latent = getattr(recipe.generator, "latent", 0)
    axes: dict[InputName, str] = {"source": "n C h w", "noise": "n K", "label": "n", "hints": "n C h w"}

    def shapes(n: int, height: int, width: int) -> Shapes:
        known: Shapes = {
            "source": (n, channels, height, width),
            "noise": (n, latent),
            "label": (n,),
            "hints": (n, 3, height, width),
        }
        return {name: known[name] for name in card.inputs}

    if fixed is not None:
        return GraphForm(
            inputs={name: axes[name].replace("h w", "H W") for name in card.inputs},
            outputs={"output": "n C H W"},
            example=shapes(2, fixed, fixed),
            shapes=(shapes(1, fixed, fixed), shapes(3, fixed, fixed)),
            classes=getattr(recipe.generator, "classes", 0) or 1,
        )
    return GraphForm(
        inputs={name: axes[name] for name in card.inputs},
        outputs={"output": "n C out_h out_w" if "source" in card.inputs else "n C H W"},
        # Sides of which no level is 1 long: the exporter takes sizes of 0 and 1 for constants.
        example=shapes(2, 2 * multiple, 3 * multiple),
        shapes=(shapes(1, side, side), shapes(3, multiple, 2 * multiple)),
        classes=getattr(recipe.generator, "classes", 0) or 1,
    )


def _classifier_form(card: ModelCard) -> GraphForm:
    channels, side = build_codec(card.recipe).source_channels, card.recipe.data.size
    return GraphForm(
        inputs={"source": "n C H W"},
        outputs={"features": "n K", "logits": "n CLASSES"},
        example={"source": (2, channels, side, side)},
        shapes=({"source": (1, channels, side, side)}, {"source": (3, channels, side, side)}),
    )


def _to_onnx(module: nn.Module, form: GraphForm) -> onnx.ModelProto:
    device = next(module.parameters()).device
    example = {
        name: torch.from_numpy(np.zeros(shape, INPUTS[name].dtype)).to(device) for name, shape in form.example.items()
    }
    named = {"hints": example.pop("hints")} if "hints" in example else {}  # what stands before them may be missing
    dynamic = tuple(
        {place: torch.export.Dim.DYNAMIC for place, name in enumerate(sides.split()) if name.islower()}
        for sides in form.inputs.values()
    )
    with _quiet(), evaluating(module), torch.inference_mode():
        program = torch.onnx.export(
            module,
            tuple(example.values()),
            kwargs=named,
            dynamo=True,
            dynamic_shapes=dynamic,
            input_names=list(form.inputs),
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
    ends = (*form.inputs.values(), *form.outputs.values())
    for value, names in zip((*graph.input, *graph.output), ends, strict=True):
        for dimension, name in zip(value.type.tensor_type.shape.dim, names.split(), strict=True):
            if name.islower():
                dimension.dim_param = name
    return model


def compare(module: nn.Module, path: Path, form: GraphForm) -> float:
    """Largest difference of a file from torch, in model space, on random inputs."""
    return max(_difference(module, path, shapes, form.classes) for shapes in form.shapes)


def _difference(module: nn.Module, path: Path, shapes: Shapes, classes: int) -> float:
    random = np.random.default_rng(0)
    draw: dict[InputName, Callable[[tuple[int, ...]], np.ndarray]] = {
        "source": lambda shape: random.uniform(-1, 1, shape),
        "noise": random.standard_normal,
        "label": lambda shape: random.integers(classes, size=shape),
        "hints": lambda shape: random.uniform(-1, 1, shape),
    }
    inputs: dict[str, np.ndarray] = {
        name: draw[name](shape).astype(INPUTS[name].dtype) for name, shape in shapes.items()
    }
    expected = TorchRuntime(module, next(module.parameters()).device).run(inputs)
    made = OnnxRuntime(path, provider="cpu").run(inputs)
    return max(float(np.abs(ours - theirs).max()) for ours, theirs in zip(made, expected, strict=True))


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
