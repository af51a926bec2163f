"""A small card and a network that needs no torch, for everything in inference that only passes pictures along."""

from __future__ import annotations

import numpy as np
import pytest

from tintype.inference import bundled
from tintype.inference.modelfile import METADATA_KEY, ModelCard, card_to_json
from tintype.recipe.data import ColourData, FoldersData, HintsSpec
from tintype.recipe.networks import InitSpec, UNetSpec
from tintype.recipe.schema import GrayCodec, LabCodec, Recipe, RgbCodec, TrainingSpec


def make_card(codec="lab", *, size=16, stride=1, levels=3, norm="batch", upsample="transposed", **fields):
    match codec:
        case "lab":
            data, spec = ColourData(size=size), LabCodec(chroma_size=size // stride)
        case "gray":
            data, spec = FoldersData(size=size), GrayCodec()
        case "rgb" | "grey-to-rgb":
            data, spec = FoldersData(size=size), RgbCodec(source="rgb" if codec == "rgb" else "grey")
    recipe = Recipe(
        name="small",
        data=data,
        codec=spec,
        generator=UNetSpec(
            filters=4, levels=levels, norm=norm, upsample=upsample, init=InitSpec(kind="kaiming", gain=1.0)
        ),
        training=TrainingSpec(steps=1),
    )
    known = {
        "tintype_version": "0.1.0",
        "recipe": recipe,
        "step": 7,
        "images_seen": 28,
        "multiple_of": recipe.generator_multiple,
        "output_stride": recipe.output_stride,
        "tiling": "exact",
    }
    return ModelCard(**(known | fields))


class FakeNetwork:
    """Stands for a network: mixes channels by fixed numbers and averages over the stride; notes what it was given."""

    name = "fake"

    def __init__(self, card, channels_out, scale=1.0):
        self.card, self.channels_out, self.scale, self.shapes = card, channels_out, scale, []

    def __call__(self, x):
        assert x.dtype == np.float32
        assert x.shape[2] % self.card.multiple_of == 0 and x.shape[3] % self.card.multiple_of == 0
        self.shapes.append(x.shape)
        n, c, h, w = x.shape
        s = self.card.output_stride
        small = x.reshape(n, c, h // s, s, w // s, s).mean((3, 5))
        planes = [small.mean(1) * self.scale * (0.6 - 0.9 * i) for i in range(self.channels_out)]
        return np.stack(planes, axis=1).astype(np.float32)


@pytest.fixture(name="make_card", scope="session")
def make_card_fixture():
    return make_card


@pytest.fixture(name="fake_network", scope="session")
def fake_network_fixture():
    return FakeNetwork


def write_model(path, codec="lab", **fields):
    """An ONNX model of one 1 x 1 convolution, which a process loads at once."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    card = make_card(codec, **fields)
    inputs, outputs = (1, 2) if codec == "lab" else (3, 3)
    weights = numpy_helper.from_array(np.full((outputs, inputs, 1, 1), 0.05, np.float32), "w")
    shapes = ([n, c, h, w] for n, c, h, w in (("n", inputs, "h", "w"), ("n", outputs, "h", "w")))
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in zip("xy", shapes, strict=True)
    )
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Tanh", ["c"], ["y"])]
    graph = helper.make_graph(nodes, "small", [x], [y], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: card_to_json(card)})
    onnx.save(model, path)
    return path


def write_bundled(folder, monkeypatch):
    """Small models and cards in place of those that come with Tintype; the steps of each are its number."""
    for number, name in enumerate(bundled.BUNDLED):
        write_model(folder / f"{name}.onnx", step=number)
        (folder / f"{name}.md").write_text(f"# {name}\n\nLearnt from é.\n", encoding="utf-8")
    monkeypatch.setattr(bundled, "FOLDER", folder)
    return folder


def noisy_card(noise="input", codec="lab", **fields):
    """The card of a model with noise; z has 2 numbers."""
    card = make_card(codec, **fields)
    spec = UNetSpec(
        filters=4, levels=3, norm="instance", dropout=0.5, noise=noise, latent=2, init=card.recipe.generator.init
    )
    return card.model_copy(update={"recipe": card.recipe.model_copy(update={"generator": spec})})


def write_noisy_model(path):
    """An ONNX model of L* and noise whose chroma is the noise times 0.1, which a process loads at once."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("source", ["n", 1, "h", "w"]), ("noise", ["n", 2]), ("output", ["n", 2, "h", "w"]))
    ]
    constants = [
        numpy_helper.from_array(np.array([2, 3]), "axes"),
        numpy_helper.from_array(np.float32(0.1), "tenth"),
        numpy_helper.from_array(np.float32(0), "zero"),
    ]
    nodes = [
        helper.make_node("Unsqueeze", ["noise", "axes"], ["pixel"]),
        helper.make_node("Mul", ["pixel", "tenth"], ["tint"]),
        helper.make_node("Mul", ["source", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "tint"], ["output"]),
    ]
    graph = helper.make_graph(nodes, "small", ends[:2], ends[2:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: card_to_json(noisy_card())})
    onnx.save(model, path)
    return path


def write_hinted_model(path):
    """An ONNX model of L* and hints whose chroma is that of the hints where there are any, else 0."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    card = make_card()
    data = card.recipe.data.model_copy(update={"hints": HintsSpec(mean=8)})
    card = card.model_copy(update={"recipe": card.recipe.model_copy(update={"data": data})})
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, "h", "w"])
        for name, channels in (("source", 1), ("hints", 3), ("output", 2))
    ]
    constants = [
        numpy_helper.from_array(np.array(value), name) for name, value in (("begin", [0]), ("end", [2]), ("axis", [1]))
    ]
    constants.append(numpy_helper.from_array(np.float32(0), "zero"))
    nodes = [
        helper.make_node("Slice", ["hints", "begin", "end", "axis"], ["chroma"]),
        helper.make_node("Mul", ["source", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "chroma"], ["output"]),
    ]
    graph = helper.make_graph(nodes, "small", ends[:2], ends[2:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: card_to_json(card)})
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session")
def hinted_model(tmp_path_factory):
    return write_hinted_model(tmp_path_factory.mktemp("hinted") / "model.onnx")


@pytest.fixture(scope="session")
def onnx_model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("onnx") / "model.onnx")
