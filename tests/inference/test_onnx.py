"""Exported networks agree with torch at every size and batch, and carry nothing but the network and its card."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import tintype
from tintype.errors import ModelFileError, OutputError
from tintype.inference.modelfile import card_to_json
from tintype.inference.onnx import export_onnx
from tintype.inference.runtime import OnnxRuntime
from tintype.inference.torch_runtime import TorchRuntime
from tintype.inference.translator import Translator
from tintype.networks import build_generator
from tintype.recipe.networks import UNetSpec


@pytest.fixture(
    scope="module",
    params=[("batch", "transposed", 1), ("instance", "resize", 2), ("instance", "transposed", 4)],
    ids=lambda param: "-".join(map(str, param)),
)
def exported(request, make_card, tmp_path_factory):
    norm, upsample, stride = request.param
    card = make_card("lab", norm=norm, upsample=upsample, stride=stride)
    torch.manual_seed(0)
    module = build_generator(card.recipe)
    with torch.no_grad():  # as after training: nothing is left at a value that could hide a mistake
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.normal_(0, 0.05)
                part.running_var.uniform_(0.5, 1.5)
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    return module, card, path, export_onnx(module, card, path)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("size", [(16, 16), (40, 24)])
def test_onnx_gives_what_torch_gives(exported, batch, size):
    module, card, path, _ = exported
    x = np.random.default_rng(1).uniform(-1, 1, (batch, 1, *size)).astype(np.float32)
    expected = TorchRuntime(module)(x)
    assert expected.shape == (batch, 2, size[0] // card.output_stride, size[1] // card.output_stride)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(OnnxRuntime(path)(x), expected, atol=1e-4)


def test_the_file_carries_its_card_and_stands_alone(exported):
    module, card, path, check = exported
    assert OnnxRuntime(path).card == card
    assert check.max_difference < 1e-4
    assert [shapes["source"][0] for shapes in check.shapes] == [1, 3]
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]
    assert module.training
    assert Translator(path)(np.zeros((13, 9), np.uint8)).shape == (13, 9, 3)


def test_the_file_tells_nothing_of_the_machine_that_wrote_it(exported):
    data = exported[2].read_bytes()
    for folder in (Path(tintype.__file__).parent, Path(torch.__file__).parent, Path.home()):
        assert str(folder).encode() not in data


def test_the_file_is_valid_and_its_sizes_are_open(exported):
    model = onnx.load(exported[2])
    onnx.checker.check_model(model, full_check=True)
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    assert [dimension.dim_param or dimension.dim_value for dimension in dimensions] == ["n", 1, "h", "w"]
    assert model.opset_import[0].version >= 18


class Painter(nn.Module):
    """A picture, noise and a class in, in this order; none of them without a trace in what comes out."""

    def __init__(self):
        super().__init__()
        self.layer, self.shift, self.tint = nn.Conv2d(1, 2, 1), nn.Linear(8, 2), nn.Embedding(4, 2)

    def forward(self, x, z, label):
        return self.layer(x) + (self.shift(z) * self.tint(label))[:, :, None, None]


@pytest.fixture
def of_three_inputs(monkeypatch):
    monkeypatch.setattr(UNetSpec, "inputs", ("source", "noise", "label"))
    monkeypatch.setattr(UNetSpec, "classes", 4, raising=False)


@pytest.mark.usefixtures("of_three_inputs")
def test_inputs_go_by_name_into_the_file_and_into_torch(make_card, tmp_path):
    module, path, random = Painter(), tmp_path / "model.onnx", np.random.default_rng(2)
    check = export_onnx(module, make_card(), path)
    assert check.max_difference < 1e-5
    assert check.shapes[1] == {"source": (3, 1, 8, 16), "noise": (3, 8), "label": (3,)}
    inputs = {  # in another order than the network's
        "label": np.array([3, 0, 1]),
        "noise": random.normal(size=(3, 8)).astype(np.float32),
        "source": random.uniform(-1, 1, (3, 1, 4, 6)).astype(np.float32),
    }
    given = [torch.from_numpy(inputs[name]) for name in ("source", "noise", "label")]
    expected = module(*given).detach().numpy()
    for runtime in (OnnxRuntime(path), TorchRuntime(module)):
        np.testing.assert_allclose(runtime.run(inputs)[0], expected, atol=1e-5)
    shapes = {
        one.name: [dimension.dim_param or dimension.dim_value for dimension in one.type.tensor_type.shape.dim]
        for one in onnx.load(path).graph.input
    }
    assert shapes == {"source": ["n", 1, "h", "w"], "noise": ["n", 8], "label": ["n"]}
    with pytest.raises(ModelFileError, match=r"takes source and noise and label, got source; use it"):
        OnnxRuntime(path)(inputs["source"])


@pytest.mark.usefixtures("of_three_inputs")
def test_a_file_without_an_input_of_its_recipe_is_refused(make_card, onnx_model, tmp_path):
    model = onnx.load(onnx_model)  # takes a picture alone
    onnx.helper.set_model_props(model, {"tintype": card_to_json(make_card())})
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelFileError, match=r"float32 source `n c h w` and float32 noise `n k` and int64 label `n`"):
        OnnxRuntime(tmp_path / "model.onnx")


class Network(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.layer = nn.Conv2d(1, 2, 1)

    def forward(self, x):
        y = self.layer(x)
        if self.kind == "random":
            return y + torch.rand_like(y)
        return y / 0 if self.kind == "not finite" else y


def test_a_file_that_differs_from_torch_is_not_written(make_card, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"an earlier model")
    with pytest.raises(ModelFileError, match="differs from torch"):
        export_onnx(Network("plain"), make_card(), path, limit=-1.0)
    with pytest.raises(ModelFileError, match="differs from torch by nan"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        export_onnx(Network("not finite"), make_card(), path)
    assert path.read_bytes() == b"an earlier model"
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_a_network_that_draws_random_numbers_is_not_written(make_card, tmp_path):
    with pytest.raises(ModelFileError, match="random numbers"):
        export_onnx(Network("random"), make_card(), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_missing_is_an_output_error(make_card, tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        export_onnx(Network("plain"), make_card(), tmp_path / "none" / "model.onnx")
