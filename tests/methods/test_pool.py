"""The image pool: what it hands out, and that it follows from (seed, step) alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tintype.methods.pool import ImagePool


def numbered(*numbers: int) -> torch.Tensor:
    """Pictures `n 1 1 1` that tell which they are."""
    return torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1, 1)


def numbers(pictures: torch.Tensor) -> list[int]:
    return [int(number) for number in pictures.flatten()]


def test_while_it_fills_up_pictures_come_back_as_they_are():
    pool = ImagePool(5, seed=0, stream=0)
    for step, some in enumerate(([1, 2], [3, 4])):
        assert numbers(pool.exchange(numbered(*some), step)) == some
    assert pool.exchange(numbered(5), 2).item() == 5
    assert numbers(torch.stack(pool.pictures)) == [1, 2, 3, 4, 5]


def test_once_full_it_exchanges_about_half_and_all_places_alike():
    pool = ImagePool(4, seed=1, stream=0)
    exchanged, places = 0, [0] * 4
    for step in range(2000):
        before = numbers(torch.stack(pool.pictures)) if pool.pictures else []
        (came,) = numbers(pool.exchange(numbered(step), step))
        if len(before) == 4 and came != step:
            exchanged += 1
            places[before.index(came)] += 1
            assert pool.pictures[before.index(came)].item() == step
    assert len(pool.pictures) == 4
    assert 900 < exchanged < 1100  # 998 on average, standard deviation 22
    assert all(200 < count < 300 for count in places)


def test_a_pool_with_the_same_pictures_goes_on_the_same_whatever_was_before():
    straight, resumed, other = (ImagePool(3, seed, stream=7) for seed in (0, 0, 1))
    for step in range(10):
        straight.exchange(numbered(2 * step, 2 * step + 1), step)
    for pool in (resumed, other):
        pool.pictures = [picture.clone() for picture in straight.pictures]
    tails = [
        [numbers(pool.exchange(numbered(2 * step, 2 * step + 1), step)) for step in range(10, 40)]
        for pool in (straight, resumed, other)
    ]
    assert tails[0] == tails[1] != tails[2]


def test_streams_draw_apart():
    tails = []
    for stream in (0, 1):
        pool = ImagePool(2, seed=0, stream=stream)
        tails.append([numbers(pool.exchange(numbered(step), step)) for step in range(40)])
    assert tails[0] != tails[1]


def test_a_pool_of_no_size_hands_through():
    pool, pictures = ImagePool(0, seed=0, stream=0), numbered(1, 2)
    assert pool.exchange(pictures, 0) is pictures
    assert pool.pictures == []


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_memory_layout_is_kept_and_no_gradient_is(layout):
    pool = ImagePool(3, seed=0, stream=0)
    pictures = torch.rand(2, 3, 4, 5).contiguous(memory_format=layout).requires_grad_()
    for step in range(6):
        out = pool.exchange(pictures, step)
        assert out.is_contiguous(memory_format=layout)
        assert not out.requires_grad
    assert not any(picture.requires_grad for picture in pool.pictures)


def test_what_is_done_to_pictures_outside_does_not_reach_those_inside():
    pool = ImagePool(2, seed=0, stream=0)
    given_in = numbered(1, 2)
    came = pool.exchange(given_in, 0)
    given_in.fill_(-1)
    came.fill_(-2)
    assert numbers(torch.stack(pool.pictures)) == [1, 2]


@given(st.integers(0, 6), st.lists(st.integers(1, 5), min_size=1, max_size=20), st.integers(0, 2**40))
def test_every_picture_that_comes_out_was_put_in_before_and_none_is_in_twice(size, batches, seed):
    pool, put = ImagePool(size, seed, stream=3), 0
    for step, count in enumerate(batches):
        out = pool.exchange(numbered(*range(put, put + count)), step)
        put += count
        assert out.shape == (count, 1, 1, 1)
        assert set(numbers(out)) <= set(range(put))
        held = [int(picture.item()) for picture in pool.pictures]
        assert len(set(held)) == len(held) == min(size, put)
        assert set(held) <= set(range(put))


class Peer:
    """One of two processes that is told what both have."""

    def __init__(self, rank: int) -> None:
        self.rank, self.whole = rank, torch.empty(0)

    def gather(self, values: torch.Tensor) -> torch.Tensor:
        assert torch.equal(values, self.whole.chunk(2)[self.rank])
        return self.whole


def test_the_pools_of_several_processes_are_the_pool_of_one() -> None:
    one, peers = ImagePool(5, 0, 1), (Peer(0), Peer(1))
    pools = [ImagePool(5, 0, 1, peer) for peer in peers]
    for step in range(6):
        pictures = torch.rand(4, 3, 2, 2, generator=torch.Generator().manual_seed(step))
        shown = one.exchange(pictures, step)
        for peer, pool, own, wanted in zip(peers, pools, pictures.chunk(2), shown.chunk(2), strict=True):
            peer.whole = pictures
            assert torch.equal(pool.exchange(own, step), wanted)
            assert all(map(torch.equal, pool.pictures, one.pictures))
    assert len(one.pictures) == 5
