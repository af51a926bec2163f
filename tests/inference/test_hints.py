"""Colours at points: how they are written down and refused, and where on the network's input they come to lie."""

from __future__ import annotations

import dataclasses
import json
import pickle

import numpy as np
import pytest

from tintype.errors import InputError, UsageError
from tintype.image.array_picture import ArrayPicture
from tintype.image.codec import on_picture
from tintype.image.color import rgb_to_lab
from tintype.image.file import read_image, write_image
from tintype.image.picture import PictureInfo
from tintype.inference.hints import (
    MAX_BYTES,
    MOST,
    Hint,
    check_hints,
    drawn_hints,
    hints_from_json,
    parse_hint,
    read_hints,
)
from tintype.inference.options import TranslateOptions, check_options, describe
from tintype.inference.translator import Translator
from tintype.inference.uncertainty import uncertainty

RED = Hint(4.5, 9.5, (1.0, 0.0, 0.0))


def test_a_hint_is_written_as_it_is_read():
    assert parse_hint("12,8.5,#3366cc") == Hint(12, 8.5, (0.2, 0.4, 0.8))
    assert parse_hint(" 0.5 , .5 , #FFFFFF ") == Hint(0.5, 0.5, (1, 1, 1))
    assert parse_hint(str(parse_hint("12,8.5,#3366cc"))) == parse_hint("12,8.5,#3366cc")
    assert pickle.loads(pickle.dumps(RED)) == RED


@pytest.mark.parametrize(
    "text", ["", "1,2", "1,2,red", "1;2;#ff0000", "1,2,#ff000", "nan,2,#ff0000", "1,2,#ff0000,3", "\u0661,2,#ff0000"]
)
def test_what_is_no_hint_is_refused_in_one_line(text):
    with pytest.raises(UsageError, match="give x,y,#rrggbb") as caught:
        parse_hint(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "colour"), [((np.inf, 1), (0, 0, 0)), ((1, np.nan), (0, 0, 0)), ((1, 1), (0, 0, 1.01)), ((1, 1), (0, 0))]
)
def test_a_hint_without_place_or_colour_cannot_be_made(place, colour):
    with pytest.raises(UsageError, match="hint at"):
        Hint(*place, colour)


def test_a_file_of_hints_is_a_json_list(tmp_path):
    path = tmp_path / "hints.json"
    path.write_text('[{"x": 12, "y": 8.5, "colour": "#3366CC"}, {"colour": "#ff0000", "x": 4.5, "y": 9.5}]')
    assert read_hints(path) == (Hint(12, 8.5, (0.2, 0.4, 0.8)), RED)
    with pytest.raises(InputError, match=r"absent\.json: cannot be read"):
        read_hints(tmp_path / "absent.json")


ONE = {"x": 1, "y": 2, "colour": "#ff0000"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps({"hints": [ONE]}), "valid array"),
        (json.dumps([ONE, {"x": 1, "y": 2}]), "hint 2, colour: Field required"),
        (json.dumps([ONE | {"x": "1"}]), "hint 1, x: .* valid number"),
        (json.dumps([ONE | {"x": True}]), "hint 1, x: .* valid number"),
        (json.dumps([ONE | {"y": float("nan")}]), "hint 1, y: .* finite"),
        ('[{"x": 1e999, "y": 2, "colour": "#ff0000"}]', "finite"),
        (json.dumps([ONE | {"colour": "red"}]), "hint 1, colour"),
        (json.dumps([ONE | {"a\nb": 1}]), "Extra inputs"),
        (json.dumps([ONE] * (MOST + 1)), "at most 1000"),
        ("[" * 10**5, "recursion"),
        ("", "Invalid JSON"),
        (b"\xff\xfe[]", "Invalid JSON"),
        (" " * (MAX_BYTES + 1), "longer than the 1,000,000 bytes"),
    ],
    ids=lambda value: "" if len(value) > 40 else None,
)
def test_other_files_are_refused_in_one_line(text, message):
    with pytest.raises(InputError, match=message) as caught:
        hints_from_json(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_square_lies_around_its_point_at_the_size_of_the_network(hinted_model):
    info, network = PictureInfo(width=200, height=100, channels=1), Translator(hinted_model).network
    side = network.card.recipe.data.hints.largest
    drawn = drawn_hints([Hint(62, 52, (1.0, 0.0, 0.0))], info, network, 20, 40)
    rows, columns = np.nonzero(drawn[..., 2])
    assert (rows.mean(), columns.mean(), len(rows)) == (10, 12, side**2)
    assert drawn.dtype == np.float32
    red = rgb_to_lab(np.array([1.0, 0, 0], np.float32).reshape(3, 1, 1))[1:, 0, 0] / 110
    assert drawn[10, 12] == pytest.approx([*red, 1])
    assert np.abs(drawn[drawn[..., 2] == 0]).max() == 0
    corners = [Hint(x, y, (0, 0, 1.0)) for x in (0, 200) for y in (0, 100)]
    drawn = drawn_hints(corners, info, network, 20, 40)
    assert drawn[0, 0, 2] == drawn[-1, -1, 2] == drawn[0, -1, 2] == drawn[-1, 0, 2] == 1
    assert drawn[..., 2].sum() == 4 * side**2, "at edges squares are as large as elsewhere"
    both = drawn_hints([Hint(60, 50, (1.0, 0.0, 0.0)), Hint(60, 50, (0.0, 0.0, 1.0))], info, network, 20, 40)
    assert both[10, 12, 1] < 0, "the later one lies on top"
    assert drawn_hints([RED], info, network, 5, 8)[..., 2].all(), "a picture may be smaller than a square"
    assert drawn_hints([], info, network, 20, 40) is None


@pytest.mark.parametrize("place", [(-0.5, 1), (1, -1), (20.5, 1), (1, 10.5)])
def test_a_hint_outside_is_refused_with_the_size_of_the_picture(place, hinted_model):
    picture = np.zeros((10, 20), np.uint8)
    with pytest.raises(UsageError, match=r"hint .*,#00ff00: lies outside picture, of 20 x 10 pixels"):
        Translator(hinted_model)(picture, hints=[Hint(*place, (0, 1, 0))])


def test_a_told_colour_is_in_the_result_where_it_was_set_and_others_are_not(hinted_model):
    translator, grey = Translator(hinted_model), np.full((32, 48), 128, np.uint8)
    result = translator(grey, hints=[Hint(24.5, 16.5, (0.8, 0.4, 0.4))])
    lab = on_picture(rgb_to_lab, result.astype(np.float32) / 255)
    assert lab[16, 24, 1] > 15
    assert np.abs(lab[:4, :, 1:]).max() < 1
    assert np.array_equal(translator(grey), np.repeat(grey[..., None], 3, axis=2))
    told = translator.predict(grey, hints=[Hint(24.5, 16.5, (0.8, 0.4, 0.4))]).render()
    assert np.array_equal(np.rint(told * 255).astype(np.uint8), result)


def test_orientations_show_hints_as_they_show_the_picture(hinted_model):
    translator = Translator(hinted_model)
    source, hints = np.random.default_rng(0).random((16, 24, 1), np.float32), np.zeros((16, 24, 3), np.float32)
    hints[3:5, 4:9] = (0.5, -0.25, 1)
    for orientations in (1, 2, 8):
        assert np.allclose(translator.network(source, orientations, hints), hints[..., :2], atol=1e-6)


def test_a_model_without_hints_refuses_them(onnx_model):
    translator = Translator(onnx_model)
    for use in (
        lambda: translator(np.zeros((16, 16), np.uint8), hints=[RED]),
        lambda: translator.predict(np.zeros((16, 16), np.uint8), hints=[RED]),
        lambda: check_options(TranslateOptions(hints=(RED,)), translator.card),
        lambda: uncertainty(translator, ArrayPicture(np.zeros((16, 16), np.uint8)), hints=[RED]),
    ):
        with pytest.raises(UsageError, match="was not trained with hints"):
            use()


def test_too_many_hints_are_refused(hinted_model):
    with pytest.raises(UsageError, match="1,001 hints: give at most 1,000"):
        check_hints([RED] * 1001, Translator(hinted_model).card)


def test_results_say_how_many_hints_they_were_made_with(hinted_model, tmp_path):
    translator = Translator(hinted_model)
    write_image(tmp_path / "grey.png", np.full((16, 24), 99, np.uint8))
    result = translator(read_image(tmp_path / "grey.png"), hints=[RED, RED])
    assert ("hints", "2") in result.provenance.settings
    assert "hints" not in dict(translator(tmp_path / "grey.png").provenance.settings)
    options = TranslateOptions(hints=(RED,))
    assert ("hints", "1") in describe(options, translator.card, hinted_model).settings
    assert pickle.loads(pickle.dumps(options)) == options
    assert dataclasses.replace(options, hints=()).hints == ()


def test_answers_agree_at_hints(hinted_model):
    picture = ArrayPicture(np.random.default_rng(0).random((16, 24)).astype(np.float32))
    spread = uncertainty(Translator(hinted_model), picture, hints=[RED])
    assert spread.max() < 1e-4, "this model says what it was told, however the picture is turned"


def test_boldness_makes_colours_stronger_but_not_those_that_were_told(hinted_model):
    plain = Translator(hinted_model)
    recipe = plain.card.recipe
    bold = recipe.model_copy(update={"inference": recipe.inference.model_copy(update={"boldness": 2.0})})
    card = plain.card.model_copy(update={"recipe": bold})
    source, hints = np.full((16, 16, 1), 0.5, np.float32), np.zeros((16, 16, 3), np.float32)
    hints[4:8, 4:8] = 0.3, -0.2, 1
    seen = []

    class Remembering:
        name = "remembers"

        def __call__(self, x):
            raise AssertionError

        def run(self, inputs):
            seen.append(inputs["hints"])
            return plain.runtime.run(inputs)

    made = Translator.from_runtime(Remembering(), card).network(source, hints=hints)
    np.testing.assert_allclose(made[4:8, 4:8], np.broadcast_to(np.float32([0.3, -0.2]), (4, 4, 2)), atol=1e-6)
    np.testing.assert_allclose(seen[0][0, :, 5, 5], [0.15, -0.1, 1], atol=1e-6)
