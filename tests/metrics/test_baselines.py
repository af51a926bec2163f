import numpy as np
import pytest
from pydantic import ValidationError
from skimage.color import rgb2lab

from tintype.errors import DataError
from tintype.metrics.baselines import (
    BaselineConstants,
    colouring_baselines,
    fit_baselines,
    translation_baselines,
)

CONSTANTS = BaselineConstants(
    mean_chroma=(5.0, -8.0),
    luminance_to_chroma=tuple((level / 10, -level / 20) for level in range(101)),
    mean_rgb=(0.2, 0.3, 0.4),
)


def colour_pictures(count=3, seed=0):
    return np.random.default_rng(seed).random((count, 20, 16, 3)).astype(np.float32)


def test_constants_are_the_means_of_scikit_images_lab():
    pictures = colour_pictures()
    lab = rgb2lab(pictures).reshape(-1, 3)
    constants = fit_baselines(pictures)
    assert constants.mean_chroma == pytest.approx(lab[:, 1:].mean(axis=0), abs=1e-3)
    assert constants.mean_rgb == pytest.approx(pictures.reshape(-1, 3).mean(axis=0), abs=1e-6)
    near_50 = lab[np.rint(lab[:, 0]) == 50]
    assert len(near_50) > 3
    assert constants.luminance_to_chroma[50] == pytest.approx(near_50[:, 1:].mean(axis=0), abs=1e-2)


def test_rows_without_pixels_are_interpolated_and_ends_held():
    dark, light = np.full((2, 2, 3), (0.3, 0.1, 0.1)), np.full((2, 2, 3), (0.8, 0.8, 0.9))
    table = np.array(fit_baselines([dark, light]).luminance_to_chroma)
    low, high = np.rint([rgb2lab(dark)[0, 0, 0], rgb2lab(light)[0, 0, 0]]).astype(int)
    np.testing.assert_allclose(table[: low + 1], np.broadcast_to(rgb2lab(dark)[0, 0, 1:], (low + 1, 2)), atol=1e-2)
    np.testing.assert_allclose(table[high:], np.broadcast_to(rgb2lab(light)[0, 0, 1:], (101 - high, 2)), atol=1e-2)
    np.testing.assert_allclose(np.diff(table[low : high + 1], n=2, axis=0), 0, atol=1e-6)


def test_the_table_is_indexed_by_the_grey_that_the_task_makes():
    blue = np.full((2, 2, 3), (0.1, 0.1, 0.9))
    other = np.full((2, 2, 3), (0.5, 0.5, 0.5))
    by_lab, by_rec601 = (fit_baselines([blue, other], grey=grey).luminance_to_chroma for grey in ("lab", "rec601"))
    grey = 0.299 * 0.1 + 0.587 * 0.1 + 0.114 * 0.9
    assert by_rec601[round(rgb2lab([grey] * 3)[0])] == pytest.approx(rgb2lab(blue)[0, 0, 1:], abs=1e-2)
    assert by_lab[round(rgb2lab(blue)[0, 0, 0])] == pytest.approx(rgb2lab(blue)[0, 0, 1:], abs=1e-2)


def test_a_set_without_pictures_has_no_constants():
    with pytest.raises(DataError, match="no training pictures"):
        fit_baselines([])


def test_colouring_baselines_keep_luminance_and_add_the_chroma_they_promise():
    source = np.linspace(0.35, 0.65, 30).reshape(5, 6, 1)
    outputs = colouring_baselines(source, CONSTANTS)
    assert list(outputs) == ["grey copy", "mean chroma", "luminance to chroma"]
    luminance = rgb2lab(np.repeat(source, 3, axis=-1))[..., 0]
    np.testing.assert_array_equal(outputs["grey copy"], np.repeat(source, 3, axis=-1))
    constant, looked_up = rgb2lab(outputs["mean chroma"]), rgb2lab(outputs["luminance to chroma"])
    np.testing.assert_allclose(constant[..., 0], luminance, atol=1e-2)
    np.testing.assert_allclose(looked_up[..., 0], luminance, atol=1e-2)
    np.testing.assert_allclose(constant[..., 1:], np.broadcast_to((5, -8), (5, 6, 2)), atol=2e-2)
    np.testing.assert_allclose(looked_up[..., 1:], luminance[..., None] * (0.1, -0.05), atol=2e-2)
    assert all(output.min() >= 0 and output.max() <= 1 for output in outputs.values())


def test_translation_baselines_are_the_source_and_one_colour():
    source = colour_pictures(1)[0]
    outputs = translation_baselines(source, CONSTANTS)
    assert list(outputs) == ["identity", "mean colour"]
    np.testing.assert_array_equal(outputs["identity"], source)
    np.testing.assert_array_equal(outputs["mean colour"], np.broadcast_to((0.2, 0.3, 0.4), source.shape))


def test_without_constants_only_the_baselines_that_need_none_are_left():
    assert list(colouring_baselines(np.zeros((4, 4, 1)), None)) == ["grey copy"]
    assert list(translation_baselines(np.zeros((4, 4, 3)), None)) == ["identity"]


def test_the_mean_colour_is_the_best_constant_in_squared_error():
    pictures = colour_pictures()
    best = np.array(fit_baselines(pictures).mean_rgb)
    error = np.mean((pictures - best) ** 2)
    assert all(error < np.mean((pictures - (best + shift)) ** 2) for shift in (-0.01, 0.01))


def test_constants_survive_json_and_refuse_a_short_table():
    assert BaselineConstants.model_validate_json(CONSTANTS.model_dump_json()) == CONSTANTS
    with pytest.raises(ValidationError, match="luminance_to_chroma"):
        BaselineConstants(mean_chroma=(0, 0), luminance_to_chroma=((0, 0),) * 100, mean_rgb=(0, 0, 0))
