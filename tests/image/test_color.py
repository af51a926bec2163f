"""Colour spaces: agreement with scikit-image, inverses, the gamut, and the same results on numpy and torch."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage import color as reference

from tintype.image import color

channels = st.floats(0, 1, width=32)
pictures = hnp.arrays(np.float64, (3, 2, 2), elements=channels)


def cube(dtype=np.float64):
    """All colours of a 17-level cube as one picture `3 17 289`; squared levels, as most pictures are dark."""
    levels = np.linspace(0, 1, 17) ** 2
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij")).reshape(3, 17, 289).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lab_equals_that_of_scikit_image(dtype):
    lab = color.rgb_to_lab(cube(dtype))
    assert lab.dtype == dtype
    np.testing.assert_allclose(lab, reference.rgb2lab(cube(), channel_axis=0), atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rgb_of_lab_equals_that_of_scikit_image(dtype):
    lab = reference.rgb2lab(cube(), channel_axis=0)
    np.testing.assert_allclose(
        color.lab_to_rgb(lab.astype(dtype)),
        reference.lab2rgb(lab, channel_axis=0),
        atol=1e-4 if dtype == np.float32 else 1e-6,
    )


def test_xyz_equals_that_of_scikit_image():
    np.testing.assert_allclose(color.rgb_to_xyz(cube()), reference.rgb2xyz(cube(), channel_axis=0), atol=1e-7)


def test_transfer_function_has_the_fixed_points_of_the_standard():
    encoded = np.array([0.0, 0.04045, 0.5, 1.0])
    linear = np.array([0.0, 0.04045 / 12.92, 0.21404114, 1.0])
    np.testing.assert_allclose(color.srgb_to_linear(encoded), linear, atol=1e-8)
    np.testing.assert_allclose(color.linear_to_srgb(linear), encoded, atol=1e-5)


@given(pictures)
def test_rgb_comes_back_from_lab(rgb):
    np.testing.assert_allclose(color.lab_to_rgb(color.rgb_to_lab(rgb)), rgb, atol=1e-5)


@given(hnp.arrays(np.float64, (1, 2, 2), elements=channels))
def test_grey_comes_back_from_its_luminance(grey):
    np.testing.assert_allclose(color.luminance_to_grey(color.grey_to_luminance(grey)), grey, atol=1e-5)


@given(pictures)
def test_luminance_is_the_first_channel_of_lab(rgb):
    np.testing.assert_allclose(color.luminance(rgb), color.rgb_to_lab(rgb)[:1], atol=1e-9)


def test_luminance_of_a_repeated_grey_is_that_of_the_grey():
    grey = np.linspace(0, 1, 64).reshape(1, 8, 8)
    np.testing.assert_allclose(color.luminance(np.repeat(grey, 3, axis=0)), color.grey_to_luminance(grey), atol=1e-9)


@given(pictures)
def test_grey_of_kind_lab_keeps_the_luminance(rgb):
    grey = color.to_grey(rgb, "lab")
    np.testing.assert_allclose(color.grey_to_luminance(grey), color.luminance(rgb), atol=1e-4)


def test_grey_of_kind_rec601_weighs_the_encoded_values():
    primaries = np.eye(3).reshape(3, 3, 1)
    np.testing.assert_allclose(color.to_grey(primaries, "rec601").ravel(), [0.299, 0.587, 0.114])


labs = st.tuples(st.floats(0, 100), st.floats(-128, 128), st.floats(-128, 128))


@given(st.lists(labs, min_size=1, max_size=8))
def test_any_lab_is_brought_into_the_gamut_with_its_luminance_and_hue(colours):
    lab = np.array(colours).T.reshape(3, 1, -1)
    fitted = color.fit_gamut(lab)
    rgb = color.lab_to_rgb(fitted)
    assert rgb.min() > -1e-4
    assert rgb.max() < 1 + 1e-4
    np.testing.assert_array_equal(fitted[0], lab[0])
    np.testing.assert_allclose(fitted[1] * lab[2], fitted[2] * lab[1], atol=1e-6)  # on one ray from the grey axis
    assert (np.abs(fitted[1:]) <= np.abs(lab[1:])).all()
    np.testing.assert_allclose(color.luminance(color.lab_to_display(lab)), lab[:1], atol=0.05)


def test_chroma_is_lowered_no_further_than_needed():
    lab = np.array([50.0, 200.0, 0.0]).reshape(3, 1, 1)
    fitted = color.fit_gamut(lab)
    slightly_more = fitted * np.array([1, 1.002, 1.002]).reshape(3, 1, 1)
    assert color.lab_to_rgb(slightly_more).min() < 0 or color.lab_to_rgb(slightly_more).max() > 1


def margins(lab, factors):
    """By how much R, G and B of linear light, `n f 3`, are within [0, 1] at factors `n f` of the chroma of `n 3`."""
    scaled = lab[:, None] * np.stack((np.ones_like(factors), factors, factors), axis=-1)
    linear = color.srgb_to_linear(color.lab_to_rgb(np.moveaxis(scaled, -1, 0)))
    return np.minimum(linear, 1 - linear).min(0) + 1e-6


@settings(deadline=None)
@given(st.lists(labs, min_size=1, max_size=8), st.sampled_from([1.0, 4.0]))
def test_a_little_more_chroma_than_is_kept_would_not_fit(colours, strength):
    lab = np.array(colours) * (1, strength, strength)
    fitted = color.fit_gamut(lab.T.reshape(3, 1, -1)).reshape(3, -1).T
    chroma = np.linalg.norm(lab[:, 1:], axis=1)
    kept = np.linalg.norm(fitted[:, 1:], axis=1) / np.maximum(chroma, 1e-300)
    changed = (fitted != lab).any(1)
    within = lab[:, 0] < 99.99  # white itself lies outside by the rounding of the matrices
    dense = np.minimum(kept[:, None] + np.linspace(0, 1 / 4096, 65), 1)
    margin = margins(lab, dense)
    assert (margin[within, 0] > -1e-8).all()  # fits
    assert (margin[changed].min(1) < 1e-8).all()  # and is within 1/4096 of where it does not


def test_chroma_is_lowered_to_the_first_border_or_to_one_beyond_which_colours_fit_again():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 500)
    lightness = np.concatenate((np.linspace(0, 99.9, 250), np.linspace(0, 10, 250)))
    lab = np.stack((lightness, 160 * np.cos(angle), 160 * np.sin(angle)), axis=1)
    factors = np.linspace(0, 1, 2049)
    first = factors[(margins(lab, np.broadcast_to(factors, (500, 2049))) < 0).argmax(1)]
    fitted = color.fit_gamut(lab.T.reshape(3, 1, -1)).reshape(3, -1).T
    kept = np.linalg.norm(fitted[:, 1:], axis=1) / 160
    assert np.mean(np.abs(kept - first) <= 1 / 4096 + 1 / 2048) > 0.99
    assert (kept >= first - 1 / 4096 - 1 / 2048).all()


def test_the_order_of_pixels_in_memory_does_not_matter():
    lab = (np.random.default_rng(0).random((3, 5, 7)) - np.array([0, 0.5, 0.5]).reshape(3, 1, 1)) * 100
    display, count = color.lab_to_display_counted(lab)
    assert 0 < count < 35
    for axes in ((1, 2, 0), (2, 1, 0)):
        laid_out = np.ascontiguousarray(lab.transpose(axes)).transpose(np.argsort(axes))
        np.testing.assert_array_equal(color.lab_to_display_counted(laid_out)[0], display)
        np.testing.assert_array_equal(color.fit_gamut(laid_out), color.fit_gamut(lab))


def test_pixels_are_fitted_one_by_one_whatever_is_fitted_with_them(monkeypatch):
    rng = np.random.default_rng(0)
    lab = np.stack((rng.random((40, 50)) ** 2 * 100, *rng.uniform(-110, 110, (2, 40, 50)))).astype(np.float32)
    whole, count = color.lab_to_display_counted(lab)
    monkeypatch.setattr(color, "_BLOCK", 64)
    again, counted = color.lab_to_display_counted(lab)
    assert counted == count
    np.testing.assert_array_equal(again, whole)
    for row in range(0, 40, 13):
        np.testing.assert_array_equal(color.lab_to_display(lab[:, row : row + 1]), whole[:, row : row + 1])


def test_colours_within_the_gamut_stay_as_they_are():
    lab = color.rgb_to_lab(cube(np.float32) * 0.9 + 0.05)
    np.testing.assert_array_equal(color.fit_gamut(lab), lab)


def test_gamut_is_fitted_in_a_copy():
    lab = np.array([50.0, 200.0, 0.0], dtype=np.float32).reshape(1, 3, 1, 1)
    before = lab.copy()
    color.fit_gamut(lab)
    np.testing.assert_array_equal(lab, before)


def test_display_values_of_black_and_white_are_exact():
    lab = np.array([[0.0, 100.0], [0.0, 0.0], [0.0, 0.0]], dtype=np.float32).reshape(3, 1, 2)
    np.testing.assert_allclose(color.lab_to_display(lab)[:, 0].T, [[0, 0, 0], [1, 1, 1]], atol=1e-5)


@pytest.mark.parametrize(
    "function",
    [color.rgb_to_lab, color.luminance, color.lab_to_rgb, color.rgb_to_xyz, color.srgb_to_linear, color.linear_to_srgb],
)
def test_torch_gives_what_numpy_gives(function):
    batch = np.random.default_rng(0).random((2, 3, 5, 7), dtype=np.float32)
    result = function(torch.from_numpy(batch))
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result.numpy(), function(batch), atol=1e-4)


def test_torch_fits_the_gamut_as_numpy_does():
    lab = (np.random.default_rng(0).random((2, 3, 5, 7), dtype=np.float32) - 0.3) * 110 + 20
    tensor = torch.from_numpy(lab.copy())
    np.testing.assert_allclose(color.lab_to_display(tensor).numpy(), color.lab_to_display(lab), atol=4e-3)
    np.testing.assert_array_equal(tensor.numpy(), lab)


def test_a_large_batch_is_treated_like_its_pictures():
    lab = (np.random.default_rng(0).random((4, 3, 6, 6)) - 0.5) * 200
    lab[:, 0] = np.abs(lab[:, 0])
    together = color.fit_gamut(lab)
    for picture, fitted in zip(lab, together, strict=True):
        np.testing.assert_array_equal(color.fit_gamut(picture), fitted)


@settings(deadline=None)
@given(pictures)
def test_results_stay_in_float32(rgb):
    picture = rgb.astype(np.float32)
    results = (color.luminance(picture), color.lab_to_display(color.rgb_to_lab(picture)), color.to_grey(picture, "lab"))
    assert {result.dtype for result in results} == {np.dtype(np.float32)}


def test_half_a_megapixel_takes_well_under_a_second():
    rgb = np.random.default_rng(0).random((3, 600, 960), dtype=np.float32)
    start = time.perf_counter()
    color.luminance(rgb)
    color.lab_to_display(color.rgb_to_lab(rgb) * np.array([1, 1.2, 1.2], dtype=np.float32).reshape(3, 1, 1))
    assert time.perf_counter() - start < 1.5
