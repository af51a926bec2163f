"""Rows of an enlarged picture are those of the whole, whichever are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

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


@pytest.mark.parametrize(
    ("kernel", "other"), [("linear", Image.Resampling.BILINEAR), ("cubic", Image.Resampling.BICUBIC)]
)
def test_enlarging_equals_that_of_pillow(kernel, other):
    picture = np.random.default_rng(0).random((30, 45), dtype=np.float32)
    expected = np.asarray(Image.fromarray(picture).resize((211, 97), other))
    inner = (slice(8, -8), slice(12, -12))  # Pillow leaves out what lies beyond the border, we repeat the border
    np.testing.assert_allclose(resize(picture[..., None], 97, 211, kernel)[..., 0][inner], expected[inner], atol=2e-3)
