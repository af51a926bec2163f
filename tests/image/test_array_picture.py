"""Pictures in memory behave as open files do."""

from __future__ import annotations

import numpy as np
import pytest

from tintype.image.array_picture import ArrayPicture, gathered
from tintype.image.picture import DecodedImage


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_strips_put_together_are_the_picture_in_display_space(dtype):
    values = np.random.default_rng(0).random((23, 17, 3))
    scale = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    picture = ArrayPicture((values * scale).astype(dtype))
    result = gathered(picture.strips(5), 23)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, (values * scale).astype(dtype) / scale, atol=1e-6)


def test_what_a_decoded_picture_says_is_known_and_alpha_goes_along():
    alpha = np.linspace(0, 1, 12, dtype=np.float32).reshape(4, 3)
    picture = ArrayPicture(DecodedImage(np.zeros((4, 3, 1), np.float32), alpha, 16, "tiff"))
    info = picture.info
    assert (info.height, info.width, info.channels, info.bits, info.format) == (4, 3, 1, 16, "tiff")
    assert info.has_alpha
    np.testing.assert_array_equal(np.concatenate([strip.alpha for strip in picture.strips(3)]), alpha)


def test_a_reduced_picture_is_antialiased_and_in_range():
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    reduced = ArrayPicture(stripes).reduced(16, 16)
    assert reduced.shape == (16, 16, 1)
    np.testing.assert_allclose(reduced[:, 3:-3], 0.5, atol=0.01)
    edge = ArrayPicture(np.repeat([[0, 1]], 2, axis=0).astype(np.float32)).reduced(20, 20)
    assert edge.min() >= 0
    assert edge.max() <= 1
