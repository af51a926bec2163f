"""Static int8 quantisation of an ONNX graph: convolutions between QuantizeLinear and DequantizeLinear, the rest float.

Weights are quantised by output channel, activations by tensor (Jacob et al. 2018), their ranges taken from calibration
pictures. Only convolutions are quantised: joining a decoder's maps with an encoder's in int8 would give both one scale,
and the outliers of the one would leave the other no steps. Of the convolutions, those stay float that harm the result
most by themselves, as few as keep the rest of the harm below `HARM`.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

HARM = 1.5e-5
"""Mean squared error in model space that quantised convolutions may add up to, by what each does alone: 54 dB."""

_TRIED_ON = 8
"""Pictures that the harm of single convolutions is measured on at most."""

Feed = Mapping[str, np.ndarray]
"""What a network is given, by input."""


def quantise(
    graph: onnx.ModelProto, feeds: Sequence[Feed], progress: Callable[[int, int], None] | None = None
) -> tuple[onnx.ModelProto, int]:
    """A copy of a float32 graph with int8 convolutions.

    Args:
        graph: From `build_graph`.
        feeds: What the network is given for calibration pictures, at least one.
        progress: Called with the number of convolutions tried alone, and that of all.

    Returns:
        The graph, and how many of its convolutions stayed float; all of them, where it has none that may be int8.
    """
    nodes = {node.name: node for node in graph.graph.node if node.op_type == "Conv"}
    if not nodes:
        return graph, 0
    some = feeds[:: -(-len(feeds) // _TRIED_ON)]
    wanted = _outputs(graph, some)
    ranges = _ranges(
        graph, feeds, sorted({name for node in nodes.values() for name in (node.input[0], node.output[0])})
    )

    def tried(layers: Sequence[str]) -> tuple[onnx.ModelProto, float]:
        made = _quantised(graph, some[0], [nodes[layer] for layer in layers], ranges)
        return made, _error(made, some, wanted)

    made, error = tried(list(nodes))
    if error <= HARM:
        return made, 0
    harm = {}
    for done, layer in enumerate(nodes):
        if progress is not None:
            progress(done, len(nodes))
        harm[layer] = tried([layer])[1]
    kept = sorted(nodes, key=harm.__getitem__)
    while kept and sum(harm[layer] for layer in kept) > HARM:
        kept.pop()
    while kept:
        made, error = tried(kept)
        if error <= HARM:
            return made, len(nodes) - len(kept)
        kept.pop()
    return graph, len(nodes)


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # untyped
    """Hands over one feed."""

    def __init__(self, feed: Feed) -> None:
        self._feeds = [dict(feed)]

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The feed; None: it was handed over."""
        return self._feeds.pop() if self._feeds else None


def _ranges(graph: onnx.ModelProto, feeds: Sequence[Feed], names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Smallest and largest value of each tensor over all feeds."""
    open_graph = onnx.ModelProto()
    open_graph.CopyFrom(graph)
    del open_graph.graph.output[:]
    open_graph.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    session = _session(open_graph)
    low, high = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for feed in feeds:
        values = session.run(None, dict(feed))
        low = np.minimum(low, [value.min() for value in values])
        high = np.maximum(high, [value.max() for value in values])
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(names)}


def _quantised(
    graph: onnx.ModelProto, feed: Feed, layers: Sequence[onnx.NodeProto], ranges: Mapping[str, tuple[float, float]]
) -> onnx.ModelProto:
    """The graph with some of its convolutions int8; the quantiser asks for a feed, though all ranges are given."""
    given = onnx.ModelProto()
    given.CopyFrom(graph)  # the quantiser changes what it is given
    overrides = {
        name: [{"rmin": np.float32(ranges[name][0]), "rmax": np.float32(ranges[name][1])}]
        for layer in layers
        for name in (layer.input[0], layer.output[0])
    }
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "model.onnx"
        quantize_static(
            given,
            str(path),
            _Reader(feed),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_quantize=[layer.name for layer in layers],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"TensorQuantOverrides": overrides},
        )
        return onnx.load(path)


def _session(graph: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _outputs(graph: onnx.ModelProto, feeds: Sequence[Feed]) -> list[np.ndarray]:
    session = _session(graph)
    return [session.run(None, dict(feed))[0] for feed in feeds]


def _error(graph: onnx.ModelProto, feeds: Sequence[Feed], wanted: Sequence[np.ndarray]) -> float:
    made = _outputs(graph, feeds)
    return float(np.mean([np.square(ours - theirs).mean() for ours, theirs in zip(made, wanted, strict=True)]))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantiser's advice about models of other makers from people who export one."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
