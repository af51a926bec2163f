"""Files of every form come near to torch, say how near, and are not written where they do not."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from tests.conftest import make_picture

from tintype.errors import ModelFileError, UsageError
from tintype.image.array_picture import ArrayPicture
from tintype.image.color import luminance
from tintype.inference.exporting import Example, Examples, export_form
from tintype.inference.hints import Hint
from tintype.inference.modelfile import read_card
from tintype.inference.onnx import replace_card
from tintype.inference.runtime import OnnxRuntime
from tintype.inference.sizing import Sizing
from tintype.inference.torch_runtime import TorchRuntime
from tintype.inference.translator import Translator
from tintype.metrics.fidelity import psnr
from tintype.networks import build_generator
from tintype.recipe.data import HintsSpec

pytestmark = pytest.mark.usefixtures("graphs_once")


def example(seed):
    picture = make_picture(seed).astype(np.float32) / 255
    return Example(picture, picture)


EXAMPLES = Examples([example(seed) for seed in range(6)], [example(seed) for seed in range(6, 9)])


@pytest.fixture(scope="module")
def colouriser(make_card):
    card = make_card("lab", upsample="resize", stride=2)
    torch.manual_seed(0)
    return build_generator(card.recipe), card


@pytest.fixture(scope="module")
def files(colouriser, graphs_once, tmp_path_factory):
    """A file of each form, and what is said of it."""
    folder = tmp_path_factory.mktemp("forms")
    forms = {"fp32": Examples(), "fp16": EXAMPLES, "int8": EXAMPLES}
    return {
        form: (folder / f"{form}.onnx", export_form(*colouriser, folder / f"{form}.onnx", form, examples=examples))
        for form, examples in forms.items()
    }


@pytest.mark.parametrize(("form", "least"), [("fp32", 90), ("fp16", 60), ("int8", 40)])
def test_a_file_of_each_form_colours_as_torch_does(colouriser, files, form, least):
    module, card = colouriser
    picture = make_picture(20).astype(np.float32) / 255
    expected = Translator.from_runtime(TorchRuntime(module), card)(picture)
    assert psnr(Translator(files[form][0])(picture), expected) > least


def test_the_card_says_how_the_file_was_made_and_how_near_it_is(colouriser, files):
    for form, (path, made) in files.items():
        card = read_card(path)
        assert card.exported == made and made.form == form
        assert card.model_copy(update={"exported": None}) == colouriser[1]
    assert files["fp32"][1].loss is None and files["fp32"][1].difference < 1e-4
    assert files["fp16"][1].pictures == 3 and abs(files["fp16"][1].loss) < 0.01
    assert files["int8"][1].calibrated_on == 6 and files["int8"][1].agreement > 40


def weights(path):
    return [onnx.numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer]


def test_weights_of_half_precision_take_half_the_room(files):
    graph = onnx.load(files["fp16"][0]).graph
    kinds = {one.name: one.data_type for one in graph.initializer}
    assert TensorProto.FLOAT16 in kinds.values()
    assert {one.type.tensor_type.elem_type for one in (*graph.input, *graph.output)} == {TensorProto.FLOAT}
    whole, halved = (sum(value.nbytes for value in weights(files[form][0])) for form in ("fp32", "fp16"))
    assert halved < 0.6 * whole


def test_int8_weights_have_a_scale_for_each_channel(files):
    graph = onnx.load(files["int8"][0]).graph
    shapes = [one.dims for one in graph.initializer if one.data_type == TensorProto.INT8 and len(one.dims) == 4]
    scales = [list(one.dims) for one in graph.initializer if one.name.endswith("_scale")]
    assert shapes and all([shape[0]] in scales for shape in shapes)


def test_somebody_without_tintype_learns_how_to_use_the_file(files):
    found = {one.key: one.value for one in onnx.load(files["int8"][0]).metadata_props}
    data = json.loads(found["processing"])
    assert data["inputs"]["source"] == {
        "type": "float32",
        "shape": ["n", 1, "height", "width"],
        "channels": ["L*"],
        "range": [-1, 1],
    }
    assert data["exported"]["form"] == "int8" and data["exported"]["calibrated_on"] == 6
    assert (data["multiple_of"], data["output_stride"]) == (8, 2)
    assert "source = L*/50 - 1" in found["how_to_use"]
    assert "to multiples of 8 at the right and the bottom" in found["how_to_use"]
    assert "a* = 110 times channel 0" in found["how_to_use"]


def test_the_description_follows_the_card_when_that_is_replaced(files, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(files["int8"][0].read_bytes())
    card = read_card(path)
    replace_card(path, card.model_copy(update={"strength": 0.5}))
    assert read_card(path).strength == 0.5
    assert {one.key for one in onnx.load(path).metadata_props} == {"tintype", "processing", "how_to_use"}


def test_following_the_description_gives_what_the_network_gives_in_use(files):
    picture = make_picture(3).astype(np.float32) / 255
    lightness = luminance(np.moveaxis(picture, -1, 0)[None])
    source = lightness / 50 - 1
    source = np.pad(source, ((0, 0), (0, 0), (0, -40 % 8), (0, -48 % 8)), mode="reflect").astype(np.float32)
    by_hand = OnnxRuntime(files["fp32"][0])(source)[:, :, :20, :24]
    np.testing.assert_allclose(by_hand[0].transpose(1, 2, 0), Translator(files["fp32"][0]).network(picture), atol=1e-5)


def test_a_file_that_loses_more_than_is_allowed_is_not_written(colouriser, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"an earlier model")
    with pytest.raises(ModelFileError, match=r"not written: int8 loses .* dB of PSNR, more than -90; calibrate"):
        export_form(*colouriser, path, "int8", examples=EXAMPLES, limit=-90)
    assert path.read_bytes() == b"an earlier model"
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_convolutions_that_int8_would_harm_stay_float(colouriser, tmp_path, monkeypatch):
    monkeypatch.setattr("tintype.inference.quantised.HARM", 1e-3)
    made = export_form(*colouriser, tmp_path / "all.onnx", "int8", examples=EXAMPLES)
    assert made.left_in_float == 0
    monkeypatch.setattr("tintype.inference.quantised.HARM", 1e-5)
    some = export_form(*colouriser, tmp_path / "some.onnx", "int8", examples=EXAMPLES)
    assert some.left_in_float > 0
    assert some.agreement > made.agreement
    monkeypatch.setattr("tintype.inference.quantised.HARM", 0.0)
    with pytest.raises(ModelFileError, match="every convolution of this network would be harmed"):
        export_form(*colouriser, tmp_path / "none.onnx", "int8", examples=EXAMPLES)


def test_a_file_of_one_size_takes_pictures_of_all_shapes(colouriser, tmp_path):
    path = tmp_path / "model.onnx"
    made = export_form(*colouriser, path, side=24)
    assert made.side == 24
    shape = [one.dim_param or one.dim_value for one in onnx.load(path).graph.input[0].type.tensor_type.shape.dim]
    assert shape == ["n", 1, 24, 24]
    for size in ((40, 48), (100, 9), (5, 5)):
        assert Translator(path)(make_picture(0, *size)).shape == (*size, 3)


def test_a_file_of_one_size_that_makes_whole_pictures_works_in_tiles_of_it(make_card, tmp_path):
    card = make_card("rgb", levels=2)
    torch.manual_seed(0)
    path = tmp_path / "model.onnx"
    export_form(build_generator(card.recipe), card, path, side=128)
    translator = Translator(path)
    assert translator(make_picture(0, 150, 40)).shape == (150, 40, 3)
    assert translator(make_picture(0, 20, 40)).shape == (20, 40, 3)
    with pytest.raises(UsageError, match=r"tiles of 64 px: this model works in 128 px only"):
        translator.translate(ArrayPicture(make_picture(0, 150, 40)), settings=Sizing(tile=64)).pixels()


def test_where_the_truth_is_not_known_the_loss_is_that_of_a_model_of_30_db(colouriser, tmp_path):
    examples = Examples(EXAMPLES.calibration, [Example(one.source) for one in EXAMPLES.judged])
    made = export_form(*colouriser, tmp_path / "model.onnx", "int8", examples=examples)
    expected = 10 * np.log10(1 + 10 ** ((30 - made.agreement) / 10))
    assert made.loss == pytest.approx(expected, rel=0.5)


def test_int8_has_steps_for_hints(make_card, tmp_path):
    card = make_card("lab", upsample="resize", stride=2)
    data = card.recipe.data.model_copy(update={"hints": HintsSpec(mean=8)})
    card = card.model_copy(update={"recipe": card.recipe.model_copy(update={"data": data})})
    torch.manual_seed(0)
    module = build_generator(card.recipe)
    torch.nn.init.normal_(module.hints.weight)  # begins at 0, as if hints meant nothing
    export_form(module, card, tmp_path / "model.onnx", "int8", examples=EXAMPLES)
    source, hints = example(20).source, [Hint(12, 10, (0.9, 0.2, 0.1)), Hint(30, 25, (0.1, 0.3, 0.8))]
    file, whole = Translator(tmp_path / "model.onnx"), Translator.from_runtime(TorchRuntime(module), card)
    plain, ours, theirs = whole.predict(source), file.predict(source, hints=hints), whole.predict(source, hints=hints)
    assert psnr(ours.render(), theirs.render()) > 30 > 10 + psnr(plain.render(), theirs.render())
