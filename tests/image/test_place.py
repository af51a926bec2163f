"""Pictures come to lie where they were put, whole or shared between pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tintype.image.place import placed

PICTURE = np.arange(1, 7, dtype=np.float32).reshape(1, 2, 3)


def at(y: float, x: float) -> np.ndarray:
    return np.array([[y, x]], dtype=np.float32)


def test_on_whole_pixels_a_picture_stays_as_it_is() -> None:
    frame = placed(PICTURE, at(2, 1), 6)
    assert frame.shape == (1, 6, 6)
    np.testing.assert_array_equal(frame[0, 2:4, 1:4], PICTURE[0])
    assert frame.sum() == PICTURE.sum()


def test_between_pixels_it_is_shared_and_nothing_is_lost() -> None:
    frame = placed(PICTURE, at(2.25, 1), 6)
    np.testing.assert_allclose(frame[0, 2:5, 1], [0.75 * 1, 0.25 * 1 + 0.75 * 4, 0.25 * 4])
    assert frame.sum() == pytest.approx(PICTURE.sum())


def test_what_reaches_beyond_the_frame_is_cut_off_so_that_it_cuts_out_too() -> None:
    np.testing.assert_array_equal(placed(PICTURE, at(-1, -1), 2)[0], [[5, 6], [0, 0]])


def test_numpy_and_torch_agree_for_many_corners_at_once() -> None:
    random = np.random.default_rng(0)
    pictures, corners = random.random((4, 5, 8, 8), np.float32), random.uniform(0, 7, (4, 5, 2)).astype(np.float32)
    ours = placed(pictures, corners, 16)
    assert ours.shape == (4, 5, 16, 16)
    theirs = placed(torch.from_numpy(pictures), torch.from_numpy(corners), 16)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-6)
