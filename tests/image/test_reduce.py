"""Reduction by a whole factor: that of libvips, for batches of numpy and torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tintype.errors import UsageError
from tintype.image.reduce import reduced
from tintype.image.resize import resize


@pytest.mark.parametrize("scale", [2, 3, 4])  # from 8 on libvips averages blocks first
@pytest.mark.parametrize("size", [(24, 36), (12, 12)])
def test_it_is_the_bicubic_reduction_of_libvips(scale: int, size: tuple[int, int]) -> None:
    pictures = np.random.default_rng(0).random((2, 3, *size), dtype=np.float32)
    made = reduced(pictures, scale)
    for picture, small in zip(pictures, made, strict=True):
        expected = resize(np.moveaxis(picture, 0, -1), size[0] // scale, size[1] // scale, "cubic")
        np.testing.assert_allclose(np.moveaxis(small, 0, -1), expected, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_torch_gives_what_numpy_gives_and_a_plain_picture_stays(scale: int) -> None:
    picture = np.random.default_rng(1).random((1, 3, 48, 24), dtype=np.float32)
    small = reduced(torch.from_numpy(picture), scale)
    assert small.shape == (1, 3, 48 // scale, 24 // scale)
    np.testing.assert_allclose(small.numpy(), reduced(picture, scale), atol=1e-6)
    np.testing.assert_allclose(reduced(np.full((1, 48, 48), 0.3), scale), 0.3, atol=1e-12)


def test_a_size_that_the_factor_does_not_divide_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match="pictures of 50 px a side cannot be reduced 4 times"):
        reduced(np.zeros((1, 48, 50)), 4)
