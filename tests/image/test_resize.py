"""Resizing against Pillow; rows of an enlarged picture are those of the whole, whichever are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.image.conftest import as_display

from tintype.image.resize import Resizing, resize

sides = st.integers(1, 40)


@given(rows=sides, columns=sides, height=st.integers(1, 90), width=st.integers(1, 90), cut=st.integers(1, 90))
@settings(max_examples=80, deadline=None)
def test_any_rows_equal_those_of_the_whole_to_the_last_bit(rows, columns, height, width, cut):
    picture = np.random.default_rng(rows).random((rows, columns, 2), dtype=np.float32)
    whole = resize(picture, height, width, "cubic")
    resizing = Resizing(picture, height, width, "cubic")
    strips = [resizing.rows(top, min(top + cut, height)) for top in range(0, height, cut)]
    np.testing.assert_array_equal(np.concatenate(strips), whole)


@pytest.mark.parametrize("size", [(20, 30), (37, 51), (64, 96)])
def test_reducing_equals_that_of_pillow(photo, size):
    pixels = as_display(photo)
    expected = np.stack(
        [np.asarray(Image.fromarray(pixels[..., i]).resize(size[::-1], Image.Resampling.LANCZOS)) for i in range(3)], -1
    )
    assert np.abs(resize(pixels, *size) - expected).mean() < 0.002


@pytest.mark.parametrize(
    ("kernel", "filter"), [("linear", Image.Resampling.BILINEAR), ("cubic", Image.Resampling.BICUBIC)]
)
def test_enlarging_equals_that_of_pillow(photo, kernel, filter):
    pixels = as_display(photo)
    expected = np.stack([np.asarray(Image.fromarray(pixels[..., i]).resize((301, 173), filter)) for i in range(3)], -1)
    assert np.abs(resize(pixels, 173, 301, kernel) - expected).mean() < 0.002


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 90), st.integers(1, 90))
def test_any_size_leads_to_any_other_and_constants_stay(height, width, new_height, new_width):
    resized = resize(np.full((height, width, 2), 0.3, dtype=np.float32), new_height, new_width)
    assert resized.shape == (new_height, new_width, 2)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, 0.3, atol=1e-5)


@pytest.mark.parametrize("size", [16, 50, 65, 200, 256])
def test_resizing_does_not_shift_the_picture(size):
    ramp = np.tile(np.arange(64, dtype=np.float32), (64, 1))[..., None]
    expected = (np.arange(size) + 0.5) * 64 / size - 0.5
    for axis, resized in enumerate((resize(ramp, size, size), resize(ramp.swapaxes(0, 1), size, size).swapaxes(0, 1))):
        middle = slice(size // 8, -size // 8)
        np.testing.assert_allclose(resized[size // 2, middle, 0], expected[middle], atol=0.03, err_msg=f"axis {axis}")


def test_a_very_long_picture_can_be_reduced_to_almost_nothing():
    np.testing.assert_allclose(resize(np.full((2, 5000, 1), 0.3, np.float32), 2, 3), 0.3, atol=1e-5)


def test_values_outside_display_space_survive():
    chroma = np.full((4, 4, 2), -80, dtype=np.float32)
    np.testing.assert_allclose(resize(chroma, 9, 7), -80, rtol=1e-5)
