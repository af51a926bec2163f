from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from tintype.data.transform import cut, draw_placement, epoch_order, sample_generator
from tintype.recipe.data import AugmentSpec

PLAIN = AugmentSpec(flip=False)


def store(pictures: list[np.ndarray]) -> tuple[torch.Tensor, ...]:
    sizes = [picture.size for picture in pictures]
    flat = torch.from_numpy(np.concatenate([picture.ravel() for picture in pictures]))
    tables = [np.cumsum([0, *sizes[:-1]]), [p.shape[0] for p in pictures], [p.shape[1] for p in pictures]]
    return flat, *(torch.tensor(np.array(table)) for table in tables)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(seed=st.integers(0, 2**40), epoch=st.integers(0, 10**6), height=st.integers(8, 40), width=st.integers(8, 40))
def test_a_plain_window_is_a_part_of_the_picture_byte_for_byte(seed: int, epoch: int, height: int, width: int) -> None:
    pixels = picture(height, width)
    placement = draw_placement(PLAIN, 8, height, width, sample_generator(seed, epoch, 0))
    top, left = (round(middle - 3.5) for middle in placement.centre)
    window = cut(*store([pixels]), [placement], 8)
    expected = torch.from_numpy(pixels[top : top + 8, left : left + 8]).permute(2, 0, 1) / 255
    assert 0 <= top <= height - 8
    assert 0 <= left <= width - 8
    assert torch.equal(window[0], expected)


def test_flips_and_quarter_turns_give_exactly_the_eight_orientations() -> None:
    pixels = picture(8, 8)
    spec = AugmentSpec(flip=True, flip_vertical=True, quarter_turns=True)
    placements = [draw_placement(spec, 8, 8, 8, sample_generator(0, 0, index)) for index in range(100)]
    flat, offsets, heights, widths = store([pixels])
    windows = cut(flat, offsets.repeat(100), heights.repeat(100), widths.repeat(100), placements, 8)
    seen = {(window.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy().tobytes() for window in windows}
    turned = [np.rot90(pixels, k) for k in range(4)]
    assert seen == {np.ascontiguousarray(p).tobytes() for t in turned for p in (t, t[:, ::-1])}


def test_windows_come_from_the_right_picture_of_the_store() -> None:
    pictures = [np.full((8 + n, 9, 3), 10 * n, np.uint8) for n in range(5)]
    placements = [draw_placement(AugmentSpec(zoom=1.5), 8, *p.shape[:2], sample_generator(0, 0, 0)) for p in pictures]
    windows = cut(*store(pictures), placements, 8)
    assert [round(float(window.mean()) * 255) for window in windows] == [0, 10, 20, 30, 40]


def test_free_rotation_and_zoom_interpolate_as_scipy_does() -> None:
    pixels = picture(30, 34)
    placement = draw_placement(AugmentSpec(angle=40, zoom=2), 16, 30, 34, sample_generator(3, 1, 4))
    window = cut(*store([pixels]), [placement], 16)[0].numpy()
    v, u = np.mgrid[0:16, 0:16] - 7.5
    (a, b), (c, d) = placement.matrix
    where = [placement.centre[0] + a * v + b * u, placement.centre[1] + c * v + d * u]
    for channel in range(3):
        expected = map_coordinates(pixels[..., channel].astype(float), where, order=1, mode="reflect") / 255
        np.testing.assert_allclose(window[channel], expected, atol=1e-5)


def test_a_sample_depends_on_seed_epoch_and_index_alone() -> None:
    def numbers(*key: int) -> list[float]:
        return sample_generator(*key).random(3).tolist()

    assert numbers(1, 2, 3) == numbers(1, 2, 3)
    assert (
        len({tuple(numbers(*key)) for key in [(1, 2, 3), (2, 2, 3), (1, 3, 3), (1, 2, 4), (0, 12, 3), (3, 2, 1)]}) == 6
    )


def test_switching_one_change_off_leaves_the_others_as_they_were() -> None:
    both = draw_placement(AugmentSpec(flip=True, zoom=1), 8, 20, 20, sample_generator(0, 0, 0))
    one = draw_placement(AugmentSpec(flip=False, zoom=1), 8, 20, 20, sample_generator(0, 0, 0))
    assert both.centre == one.centre


@pytest.mark.parametrize("count", [1, 7, 100])
def test_an_epoch_visits_every_picture_once_and_each_in_another_order(count: int) -> None:
    orders = [epoch_order(5, epoch, count) for epoch in range(2)]
    assert all(sorted(order) == list(range(count)) for order in orders)
    assert count < 5 or orders[0].tolist() != orders[1].tolist()
