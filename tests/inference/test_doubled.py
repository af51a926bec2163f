"""Doubling and the convolution after it become one convolution with the same result and fewer multiplications."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tintype.inference.doubled import fold_doubling
from tintype.inference.halved import halve

RANDOM = np.random.default_rng(0)


def made(mode="nearest", scales=(1, 1, 2, 2), kernel=3, pads=1, strides=1, bias=True, twice=False):
    """A graph of doubling and convolution, `n 3 h w -> n 5 2h 2w`."""
    tensors = {
        "scales": np.array(scales, np.float32),
        "w": RANDOM.normal(size=(5, 3, kernel, kernel)).astype(np.float32),
        "b": RANDOM.normal(size=5).astype(np.float32),
    }
    nodes = [
        helper.make_node(
            "Resize",
            ["x", "", "scales"],
            ["large"],
            name="resize",
            mode=mode,
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        helper.make_node(
            "Conv", ["large", "w", "b"][: 2 + bias], ["c"], name="conv", pads=[pads] * 4, strides=[strides] * 2
        ),
        helper.make_node("Add", ["c", "c"], ["y"], name="add"),
    ]
    outputs = ["y", "large"] if twice else ["y"]
    graph = helper.make_graph(
        nodes + ([helper.make_node("Relu", ["large"], ["z"], name="relu")] if twice else []),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [
            helper.make_tensor_value_info("z" if name == "large" else name, TensorProto.FLOAT, [None] * 4)
            for name in outputs
        ],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def run(model, x):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (7, 4)])
def test_the_result_is_the_same_to_the_edges(stored, bias, size):
    model, x = made(bias=bias), RANDOM.normal(size=(2, 3, *size)).astype(np.float32)
    folded = fold_doubling(model, stored=stored)
    onnx.checker.check_model(folded)
    assert "Resize" not in {node.op_type for node in folded.graph.node}
    np.testing.assert_allclose(run(folded, x), run(model, x), atol=1e-5)


def test_the_file_holds_the_old_weights_unless_it_is_to_be_quantised():
    model = made()
    shapes = {name: list(one.dims) for name, one in _tensors(fold_doubling(model)).items()}
    assert shapes["w"] == [5, 3, 3, 3] and "conv.weight" not in shapes and "scales" not in shapes
    shapes = {name: list(one.dims) for name, one in _tensors(fold_doubling(model, stored=True)).items()}
    assert shapes["conv.weight"] == [20, 3, 2, 2] and "w" not in shapes
    assert [node.op_type for node in model.graph.node] == ["Resize", "Conv", "Add"], "what was given stays"


def test_its_weights_may_be_stored_in_half_precision(monkeypatch):
    monkeypatch.setattr("tintype.inference.halved._SMALLEST", 130)
    model, x = made(), RANDOM.normal(size=(1, 3, 5, 6)).astype(np.float32)
    halved = halve(fold_doubling(model))
    assert _tensors(halved)["w.half"].data_type == TensorProto.FLOAT16
    np.testing.assert_allclose(run(halved, x), run(model, x), atol=0.02)


@pytest.mark.parametrize(
    "other",
    [
        {"mode": "linear"},
        {"scales": (1, 1, 3, 3)},
        {"kernel": 5, "pads": 2},
        {"pads": 0},
        {"strides": 2},
        {"twice": True},
    ],
    ids=lambda other: next(iter(other)),
)
def test_anything_else_stays_as_it_is(other):
    model = made(**other)
    assert [node.op_type for node in fold_doubling(model).graph.node] == [node.op_type for node in model.graph.node]


def _tensors(model):
    return {tensor.name: tensor for tensor in model.graph.initializer}
