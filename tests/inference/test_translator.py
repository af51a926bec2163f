"""Pictures of every size, depth and kind keep what the translator promises to keep."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.color import rgb2lab

from tintype.errors import ImageError, MissingExtraError, ModelFileError, UsageError
from tintype.image.file import DecodedImage, write_image
from tintype.inference.colourise import network_size
from tintype.inference.modelfile import write_safetensors
from tintype.inference.network import over_orientations
from tintype.inference.translator import Translator

LEVELS = {np.uint8: 255, np.uint16: 65535, np.float32: 1, np.float64: 1}


@pytest.fixture(scope="module")
def translators(make_card, fake_network):
    def make(codec, **options):
        card = make_card(codec, **options)
        network = fake_network(card, {"lab": 2, "gray": 1}.get(codec, 3))
        return Translator.from_runtime(network, card)

    return make


@pytest.fixture(scope="module")
def colouriser(translators):
    return translators("lab", stride=2)


def picture(height, width, channels, dtype=np.float32, seed=0):
    values = np.random.default_rng(seed).random((height, width, channels))
    return (values * LEVELS[dtype]).astype(dtype)


def lightness(image):
    """L* by scikit-image of `h w 3`, `h w 1` or `h w` in the array's own range."""
    grey = image.reshape((*image.shape[:2], -1)) / LEVELS[image.dtype.type]
    return rgb2lab(np.broadcast_to(grey, (*grey.shape[:2], 3)).astype(np.float64))[..., 0]


@given(height=st.integers(1, 70), width=st.integers(1, 70), channels=st.sampled_from([1, 3]), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_every_size_comes_back_with_its_own_luminance(colouriser, height, width, channels, seed):
    image = picture(height, width, channels, seed=seed)
    result = colouriser(image)
    assert result.shape == (height, width, 3)
    assert result.min() >= 0
    assert result.max() <= 1
    np.testing.assert_allclose(lightness(result), lightness(image), atol=0.02)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.uint8, 0.5), (np.uint16, 0.02), (np.float64, 0.02)])
@pytest.mark.parametrize("strength", [0.0, 1.0, 3.0])
def test_every_depth_keeps_its_type_and_luminance_within_rounding(colouriser, dtype, tolerance, strength):
    image = picture(40, 33, 1, dtype)
    result = colouriser(image, strength=strength)
    assert result.dtype == dtype
    assert result.shape == (40, 33, 3)
    np.testing.assert_allclose(lightness(result), lightness(image), atol=tolerance)


@given(height=st.integers(1, 70), width=st.integers(1, 70), channels=st.sampled_from([1, 3]))
@settings(max_examples=30, deadline=None)
@pytest.mark.parametrize("codec", ["rgb", "grey-to-rgb", "gray"])
def test_models_of_whole_pictures_keep_every_size(translators, codec, height, width, channels):
    result = translators(codec)(picture(height, width, channels))
    assert result.shape == (height, width, 1 if codec == "gray" else 3)


def test_models_of_whole_pictures_see_them_at_their_own_size(translators):
    translator = translators("rgb")
    image = picture(21, 40, 3)
    result = translator(image)
    assert translator.runtime.shapes == [(1, 3, 24, 40)]
    mean = (image * 2 - 1).mean(axis=2)
    expected = np.stack([mean * factor for factor in (0.6, -0.3, -1.2)], axis=2) / 2 + 0.5
    np.testing.assert_allclose(result, np.clip(expected, 0, 1), atol=1e-6)


def test_a_colouriser_sees_the_shorter_side_at_model_size_whatever_the_picture(colouriser):
    seen = {}
    for height, width in ((16, 16), (160, 160), (4, 4), (100, 50), (50, 100), (1, 1), (1, 1000)):
        colouriser(picture(height, width, 1))
        seen[height, width] = colouriser.runtime.shapes[-1]
    assert seen == {
        (16, 16): (1, 1, 16, 16),
        (160, 160): (1, 1, 16, 16),
        (4, 4): (1, 1, 16, 16),
        (100, 50): (1, 1, 32, 16),
        (50, 100): (1, 1, 16, 32),
        (1, 1): (1, 1, 16, 16),
        (1, 1000): (1, 1, 8, 128),
    }


@given(height=st.integers(1, 10**6), width=st.integers(1, 10**6))
def test_the_network_never_sees_more_than_its_share(make_card, height, width):
    card = make_card("lab", stride=2)
    small_height, small_width = network_size(height, width, card)
    assert small_height % 2 == small_width % 2 == 0
    assert 2 <= min(small_height, small_width) <= 16
    assert max(small_height, small_width) <= 8 * 16


def test_hue_follows_the_network_and_chroma_the_strength(colouriser):
    image = np.full((32, 32), 0.6, np.float32)
    chroma = {}
    for strength in (0.0, 0.5, 1.0):
        lab = rgb2lab(colouriser(image, strength=strength).astype(np.float64))
        np.testing.assert_allclose(lab, np.broadcast_to(lab[0, 0], lab.shape), atol=0.01)
        chroma[strength] = lab[0, 0, 1:]
    expected = 110 * (lightness(image)[0, 0] / 50 - 1) * np.array([0.6, -0.3])
    np.testing.assert_allclose(chroma[1.0], expected, atol=0.02)
    np.testing.assert_allclose(chroma[0.5], expected / 2, atol=0.02)
    np.testing.assert_allclose(chroma[0.0], 0, atol=0.02)


def test_one_prediction_serves_many_strengths(colouriser):
    image = picture(20, 30, 1)
    before = len(colouriser.runtime.shapes)
    prediction = colouriser.predict(image)
    rendered = {strength: prediction.render(strength) for strength in (0.3, 1.0, 1.5)}
    assert len(colouriser.runtime.shapes) == before + 1
    for strength, result in rendered.items():
        np.testing.assert_array_equal(result, colouriser(image, strength=strength))


def test_pictures_larger_than_a_strip_have_no_seams(colouriser):
    image = np.full((700, 900), 0.4, np.float32)
    result = colouriser(image)
    np.testing.assert_allclose(result, np.broadcast_to(result[0, 0], result.shape), atol=1e-6)


def test_the_same_picture_gives_the_same_result_in_every_form(colouriser, tmp_path):
    image = picture(19, 23, 1, np.uint8)
    path = tmp_path / "grey.png"
    write_image(path, image)
    expected = colouriser(image)
    np.testing.assert_array_equal(colouriser(image[..., 0]), expected)
    np.testing.assert_array_equal(colouriser(np.repeat(image, 3, axis=2)).astype(int), expected.astype(int))
    for given_as in (path, str(path)):
        decoded = colouriser(given_as)
        assert isinstance(decoded, DecodedImage)
        np.testing.assert_array_equal(np.rint(decoded.pixels * 255), expected)


def test_depth_alpha_and_origin_of_a_decoded_picture_are_kept(colouriser, tmp_path):
    alpha = np.linspace(0, 1, 12 * 9, dtype=np.float32).reshape(12, 9)
    image = DecodedImage(picture(12, 9, 1), alpha, 16, "png", tmp_path / "a.png")
    result = colouriser(image)
    assert (result.bits, result.format, result.path) == (16, "png", image.path)
    np.testing.assert_array_equal(result.alpha, alpha)
    assert result.pixels.shape == (12, 9, 3)


def test_a_picture_is_not_changed_by_being_translated(colouriser):
    image = picture(16, 16, 3)
    copy = image.copy()
    colouriser(image)
    np.testing.assert_array_equal(image, copy)


def test_only_pictures_with_colour_lose_it_and_only_to_models_that_make_colour(translators, colouriser):
    grey, colour = picture(8, 8, 1), picture(8, 8, 3)
    assert colouriser.loses_colour(colour)
    assert translators("grey-to-rgb").loses_colour(colour)
    assert not translators("rgb").loses_colour(colour)
    assert not translators("gray").loses_colour(colour)
    assert not colouriser.loses_colour(grey)
    assert not colouriser.loses_colour(np.repeat(grey, 3, axis=2) * np.array([1, 0.99, 1], np.float32))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((1, 3, 4, 4), np.float32),
        np.zeros((0, 4), np.uint8),
        np.zeros((4, 4), bool),
        np.zeros((4, 4), np.int32),
        np.zeros((4, 4), complex),
    ],
)
def test_arrays_that_are_no_pictures_are_refused_in_one_line(colouriser, image):
    with pytest.raises(UsageError, match="is no picture") as error:
        colouriser(image)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 255.0, -1.0])
def test_values_that_display_space_does_not_have_are_refused_in_one_line(colouriser, value):
    image = picture(8, 8, 3)
    image[3, 4, 1] = value
    with pytest.raises(ImageError, match=r"in \[0, 1\]") as error:
        colouriser(image)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("strength", [-0.1, float("nan"), float("inf")])
def test_strengths_that_mean_nothing_are_refused(colouriser, strength):
    with pytest.raises(UsageError, match="strength"):
        colouriser(picture(8, 8, 1), strength=strength)


def test_strength_is_refused_where_no_chroma_is_predicted(translators):
    with pytest.raises(UsageError, match="does not predict chroma"):
        translators("rgb")(picture(8, 8, 3), strength=0.5)


def test_a_network_that_breaks_its_cards_promise_is_named(make_card):
    card = make_card("lab")

    class Wrong:
        name = "wrong"

        def __init__(self, output):
            self.output = output

        def __call__(self, x):
            return self.output

    with pytest.raises(ModelFileError, match=r"\(1, 3, 16, 16\)"):
        Translator.from_runtime(Wrong(np.zeros((1, 3, 16, 16), np.float32)), card)(picture(16, 16, 1))
    with pytest.raises(ModelFileError, match="not finite"):
        Translator.from_runtime(Wrong(np.full((1, 2, 16, 16), np.nan, np.float32)), card)(picture(16, 16, 1))


def test_a_missing_picture_is_an_image_error(colouriser, tmp_path):
    with pytest.raises(ImageError, match=r"none\.png"):
        colouriser(tmp_path / "none.png")


def test_without_torch_a_safetensors_model_says_what_to_install(make_card, tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    write_safetensors(path, {"w": np.zeros(3, np.float32)}, make_card())
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "tintype.inference.torch_runtime", raising=False)
    with pytest.raises(MissingExtraError, match=r'pip install "tintype\[train\]"') as error:
        Translator(path)
    assert "\n" not in str(error.value)
    (tmp_path / "model.onnx").touch()
    with pytest.raises(MissingExtraError, match=r"model\.onnx"):
        Translator(path)


@pytest.mark.parametrize("orientations", [1, 2, 8])
def test_the_mean_over_orientations_turns_every_answer_back(orientations):
    x = np.random.default_rng(0).uniform(-1, 1, (1, 1, 6, 4)).astype(np.float32)
    np.testing.assert_allclose(over_orientations(lambda batch: 2 * batch, x, orientations), 2 * x, atol=1e-6)


def test_the_mean_over_orientations_is_the_same_for_a_turned_picture():
    def lopsided(batch: np.ndarray) -> np.ndarray:
        return batch * np.linspace(0, 1, batch.shape[3], dtype=np.float32)

    x = np.random.default_rng(0).uniform(-1, 1, (1, 1, 6, 4)).astype(np.float32)
    mean = over_orientations(lopsided, x, 8)
    turned = over_orientations(lopsided, np.ascontiguousarray(np.rot90(x, 1, (2, 3))), 8)
    np.testing.assert_allclose(np.rot90(mean, 1, (2, 3)), turned, atol=1e-6)
    assert np.abs(mean - lopsided(x)).max() > 0.1


def test_boldness_is_a_factor_on_what_the_network_says(make_card, fake_network):
    card = make_card()
    recipe = card.recipe
    bold = recipe.model_copy(update={"inference": recipe.inference.model_copy(update={"boldness": 1.5})})
    source = np.random.default_rng(0).random((16, 24, 1), dtype=np.float32)
    plain = Translator.from_runtime(fake_network(card, 2), card).network(source)
    made = Translator.from_runtime(fake_network(card, 2), card.model_copy(update={"recipe": bold})).network(source)
    np.testing.assert_allclose(made, 1.5 * plain, rtol=1e-6)


@pytest.mark.parametrize(
    ("mode", "made"), [("L", "RGB"), ("RGB", "RGB"), ("LA", "RGBA"), ("RGBA", "RGBA"), ("I;16", "RGB")]
)
def test_a_picture_of_pillow_gives_another_that_holds_the_same_as_an_array(colouriser, mode, made):
    array = picture(12, 9, 1, np.uint16 if mode == "I;16" else np.uint8)[..., 0]
    given = Image.fromarray(array) if mode == "I;16" else Image.fromarray(array).convert(mode)
    if made == "RGBA":
        given.putalpha(Image.fromarray(255 - array))
    result = colouriser(given, strength=0.5)
    assert isinstance(result, Image.Image) and (result.mode, result.size) == (made, given.size)
    values = np.asarray(result)
    expected = colouriser(array, strength=0.5)
    if mode == "I;16":
        expected = np.rint(expected / 257)
    np.testing.assert_array_equal(values[..., :3], expected)
    if made == "RGBA":
        np.testing.assert_array_equal(values[..., 3], 255 - array)


def test_a_model_that_makes_grey_pictures_gives_grey_ones_of_pillow(translators):
    made = translators("gray")(Image.fromarray(picture(16, 16, 1, np.uint8)[..., 0]))
    assert made.mode == "L"
