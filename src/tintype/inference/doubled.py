"""Nearest doubling and the convolution after it, as one convolution before the doubling, with the same result.

A 3x3 convolution of a picture whose pixels were doubled sees only 2x2 different pixels, which differ with the place of
an output pixel in its block of 2x2. So four 2x2 convolutions of the small picture, whose weights are sums of the old
ones, give the four pixels of a block: 16 multiplications in place of 36 (the sub-pixel form of Shi et al. 2016). They
are computed as one, on a map with a border, of which each takes its own part.

The sums are part of the graph, so that the file holds the old weights, which are fewer; a runtime works them out once,
when it opens the file.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

_ROWS = np.array([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], np.float64)
"""Which of 3 taps fall on which of 2 pixels, for the first and the second pixel of a block."""


def fold_doubling(given: onnx.ModelProto, *, stored: bool = False) -> onnx.ModelProto:
    """A copy of a float32 graph with every such pair rewritten.

    Args:
        given: Of any network.
        stored: Put the new weights into the file, for a quantiser, which looks for them there.
    """
    graph = onnx.ModelProto()
    graph.CopyFrom(given)
    nodes = list(graph.graph.node)
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in nodes:
        for name in node.input:
            users.setdefault(name, []).append(node)
    tensors = {tensor.name: tensor for tensor in graph.graph.initializer}
    made: list[onnx.NodeProto] = []
    folded: dict[str, onnx.NodeProto] = {}  # by the name of the convolution
    for node in nodes:
        after = users.get(node.output[0], [])
        if len(after) == 1 and _doubles(node, tensors) and _is_plain(after[0], node.output[0], tensors):
            folded[after[0].name] = node
    for node in nodes:
        if node.name in folded:
            made += _folded(graph, node, folded[node.name].input[0], tensors, stored)
        elif node.name not in {doubling.name for doubling in folded.values()}:
            made.append(node)
    del graph.graph.node[:]
    graph.graph.node.extend(made)
    _remove_unused(graph)
    return graph


def _doubles(node: onnx.NodeProto, tensors: dict[str, onnx.TensorProto]) -> bool:
    if node.op_type != "Resize" or len(node.input) < 3 or node.input[2] not in tensors:
        return False
    found = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    scales = numpy_helper.to_array(tensors[node.input[2]])
    return (
        found.get("mode", b"nearest") == b"nearest"
        and found.get("coordinate_transformation_mode") == b"asymmetric"
        and found.get("nearest_mode") == b"floor"
        and scales.tolist() == [1, 1, 2, 2]
    )


def _is_plain(node: onnx.NodeProto, source: str, tensors: dict[str, onnx.TensorProto]) -> bool:
    """Whether it is a 3x3 convolution of stride 1 that keeps the size."""
    if node.op_type != "Conv" or node.input[0] != source or node.input[1] not in tensors:
        return False
    found = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    return (
        list(tensors[node.input[1]].dims)[2:] == [3, 3]
        and list(found.get("pads", [])) == [1, 1, 1, 1]
        and set(found.get("strides", [1])) == set(found.get("dilations", [1])) == {1}
        and found.get("group", 1) == 1
        and found.get("auto_pad", b"NOTSET") == b"NOTSET"
    )


def _folded(
    graph: onnx.ModelProto, conv: onnx.NodeProto, source: str, tensors: dict[str, onnx.TensorProto], stored: bool
) -> list[onnx.NodeProto]:
    """What takes the place of a convolution and the doubling before it."""
    name, made = conv.name, []
    weight = numpy_helper.to_array(tensors[conv.input[1]])
    channels, channels_in = weight.shape[:2]
    sums = np.einsum("apy,bqx->yxabpq", _ROWS, _ROWS).reshape(9, 16).astype(np.float32)
    new: list[tuple[str, np.ndarray]] = []
    inputs = [source, f"{name}.weight"]
    if stored:
        blocks = (weight.reshape(-1, 9) @ sums).reshape(channels, channels_in, 4, 4).transpose(2, 0, 1, 3)
        new.append((f"{name}.weight", np.ascontiguousarray(blocks).reshape(-1, channels_in, 2, 2)))
    else:
        made += _sums(name, conv.input[1])
        new += [
            (f"{name}.sums", sums),
            (f"{name}.taps", np.array([channels * channels_in, 9])),
            (f"{name}.split", np.array([channels, channels_in, 4, 4])),
            (f"{name}.whole", np.array([4 * channels, channels_in, 2, 2])),
        ]
    if len(conv.input) > 2:
        new.append((f"{name}.bias", np.tile(numpy_helper.to_array(tensors[conv.input[2]]), 4)))
        inputs.append(f"{name}.bias")
    wide, parts = f"{name}.wide", [f"{name}.part{number}" for number in range(4)]
    made.append(helper.make_node("Conv", inputs, [wide], name=name, kernel_shape=[2, 2], pads=[1, 1, 1, 1]))
    new.append((f"{name}.axes", np.array([1, 2, 3])))
    large = np.iinfo(np.int64).max
    for number, part in enumerate(parts):
        row, column = divmod(number, 2)
        starts = np.array([number * channels, row, column])
        ends = np.array([(number + 1) * channels, large if row else -1, large if column else -1])
        new += [(f"{part}.starts", starts), (f"{part}.ends", ends)]
        given = [wide, f"{part}.starts", f"{part}.ends", f"{name}.axes"]
        made.append(helper.make_node("Slice", given, [part], name=part))
    joined = f"{name}.joined"
    made.append(helper.make_node("Concat", parts, [joined], name=joined, axis=1))
    made.append(
        helper.make_node("DepthToSpace", [joined], [conv.output[0]], name=f"{name}.blocks", blocksize=2, mode="DCR")
    )
    graph.graph.initializer.extend(numpy_helper.from_array(value, title) for title, value in new)
    return made


def _sums(name: str, weight: str) -> list[onnx.NodeProto]:
    """The new weights, made of the old ones."""
    return [
        helper.make_node("Reshape", [weight, f"{name}.taps"], [f"{name}.flat"], name=f"{name}.flat"),
        helper.make_node("MatMul", [f"{name}.flat", f"{name}.sums"], [f"{name}.summed"], name=f"{name}.summed"),
        helper.make_node("Reshape", [f"{name}.summed", f"{name}.split"], [f"{name}.blocks_last"], name=f"{name}.last"),
        helper.make_node(
            "Transpose", [f"{name}.blocks_last"], [f"{name}.blocks_first"], name=f"{name}.first", perm=[2, 0, 1, 3]
        ),
        helper.make_node("Reshape", [f"{name}.blocks_first", f"{name}.whole"], [f"{name}.weight"], name=f"{name}.new"),
    ]


def _remove_unused(graph: onnx.ModelProto) -> None:
    used = {name for node in graph.graph.node for name in node.input}
    kept = [tensor for tensor in graph.graph.initializer if tensor.name in used]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
