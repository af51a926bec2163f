"""Weights of an ONNX graph stored in half precision, which halves the file; everything is still computed in float32.

A Cast stands behind each weight. ONNX Runtime carries it out once, when it opens the file.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

_SMALLEST = 256
"""Numbers that a tensor must have to be worth it: biases and constants stay as they are."""


def halve(graph: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with float16 weights; those that float16 cannot hold stay float32."""
    made = onnx.ModelProto()
    made.CopyFrom(graph)
    casts = []
    for tensor in made.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _SMALLEST or np.abs(values).max() > np.finfo(np.float16).max:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], name=f"{name}.cast", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return made
