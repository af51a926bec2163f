"""Batches without partners: which pictures they join, and that a batch follows from its step alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.data.dataset import PictureSet, open_data
from tintype.data.sampler import PairedSampler, PictureStore, UnpairedSampler
from tintype.image.file import write_image
from tintype.recipe import Recipe, load_recipe

CPU = torch.device("cpu")
COUNTS = st.integers(1, 40)


def recipe_of(batch_size: int = 1, seed: int = 0, codec: str = "{kind: rgb, source: grey3}", *more: str) -> Recipe:
    overrides = [f"training.batch_size={batch_size}", f"training.seed={seed}", f"codec={codec}", "data.size=16"]
    return load_recipe("tiny", ["method={kind: cyclegan}", *overrides, *more])


def uniform_store(count: int, side: int = 16) -> PictureStore:
    """Pictures of one value each, their number; no file behind them."""
    flat = np.repeat(np.arange(count, dtype=np.uint8), 3 * side * side)
    sides, offsets = np.full(count, side, np.int64), np.arange(count, dtype=np.int64) * 3 * side * side
    cache = SimpleNamespace(flat=flat, offsets=offsets, heights=sides, widths=sides, paired=False)
    store = PictureStore(cache)
    store._flat = lambda device: torch.from_numpy(flat)
    return store


def domains_of(count_a: int, count_b: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of pictures in A, and those of B after them."""
    return np.arange(count_a), np.arange(count_a, count_a + count_b)


def drawn(sampler: UnpairedSampler, steps: range) -> list[tuple[int, int]]:
    """Which pictures of A and B make each sample."""
    pairs = []
    for step in steps:
        parts = [((part[:, 0, 0, 0] + 1) * 127.5).round().int().tolist() for part in sampler.batch(step, CPU)]
        pairs += zip(*parts, strict=True)
    return pairs


@settings(deadline=None, max_examples=40)
@given(COUNTS, COUNTS, st.integers(0, 3))
def test_an_epoch_goes_once_through_the_larger_domain_and_evenly_through_the_smaller(count_a, count_b, seed):
    a, b = domains_of(count_a, count_b)
    sampler = UnpairedSampler(recipe_of(seed=seed), uniform_store(count_a + count_b), a, b)
    assert sampler.count == max(count_a, count_b)
    for epoch in range(2):
        orders = sampler._orders(epoch)
        for order, own in zip(orders, (count_a, count_b), strict=True):
            assert len(order) == sampler.count
            times = Counter(order.tolist())
            assert times.keys() == set(range(own))
            assert max(times.values()) - min(times.values()) <= 1


@settings(deadline=None, max_examples=40)
@given(COUNTS, st.integers(0, 3), st.integers(0, 5))
def test_no_sample_joins_a_picture_with_its_own_partner(count, seed, epoch):
    sampler = UnpairedSampler(recipe_of(seed=seed), uniform_store(count), np.arange(count), np.arange(count))
    a, b = sampler._orders(epoch)
    assert sorted(a) == sorted(b) == list(range(count))
    assert count == 1 or not (a == b).any()


def test_batches_hold_what_the_orders_say():
    sampler = UnpairedSampler(recipe_of(batch_size=3), uniform_store(12), *domains_of(5, 7))
    pairs = drawn(sampler, range(7))  # three epochs of seven
    for epoch in range(3):
        a, b = sampler._orders(epoch)
        assert pairs[7 * epoch : 7 * epoch + 7] == list(zip(a.tolist(), (b + 5).tolist(), strict=True))


def test_every_epoch_and_every_seed_joins_others():
    samplers = [UnpairedSampler(recipe_of(seed=seed), uniform_store(20), *domains_of(10, 10)) for seed in (0, 1)]
    epochs = [drawn(sampler, range(start, start + 10)) for sampler in samplers for start in (0, 10)]
    for domain in (0, 1):
        assert len({tuple(pair[domain] for pair in pairs) for pairs in epochs}) == 4
    assert len({tuple(sorted(pairs)) for pairs in epochs}) == 4


def test_the_smaller_domain_is_in_another_order_each_time_around():
    order = UnpairedSampler(recipe_of(), uniform_store(40), *domains_of(8, 32))._orders(0)[0].reshape(4, 8)
    assert len({tuple(turn) for turn in order.tolist()}) == 4


def test_a_batch_follows_from_its_step_whatever_was_asked_before():
    def sampler() -> UnpairedSampler:
        return UnpairedSampler(recipe_of(batch_size=3), uniform_store(13, side=20), *domains_of(6, 7))

    wanted, asked = sampler().batch(5, CPU), sampler()
    for step in (9, 0, 5, 2):
        batch = asked.batch(step, CPU)
        assert (step == 5) == all(map(torch.equal, batch, wanted))
    together = UnpairedSampler(recipe_of(batch_size=6), uniform_store(13, side=20), *domains_of(6, 7))
    assert drawn(together, range(3)) == drawn(sampler(), range(6))


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three pictures whose red tells the column and whose green the row."""
    folder = tmp_path_factory.mktemp("ramp")
    row, column = np.mgrid[0:40, 0:40].astype(np.uint8)
    for number in range(3):
        write_image(folder / f"{number}.png", np.stack([6 * column, 6 * row, np.full_like(row, 80 * number)], -1))
    return folder


def ramp_set(ramp: Path, *more: str) -> PictureSet:
    sides = "size: 16, load_size: 40, split: {test: 0, validation: 0}"
    data = f"data={{kind: unpaired, path: {ramp}, path_b: {ramp}, {sides}}}"
    return open_data(load_recipe("tiny", ["method={kind: cyclegan}", "codec={kind: rgb}", data, *more]))


def window(picture: torch.Tensor) -> tuple[int, int, bool]:
    """Left edge, top edge and whether mirrored, read off a cut of the ramp."""
    red, green = (torch.round((picture[channel] + 1) * 127.5 / 6).int() for channel in (0, 1))
    return int(red.min()), int(green.min()), bool(red[0, 0] > red[0, -1])


def test_crops_and_flips_of_the_two_domains_are_drawn_apart(ramp):
    data = ramp_set(ramp, "training.batch_size=60")
    windows = [[window(picture) for picture in part] for part in data.batch(0, CPU)]
    lefts, tops, mirrored = np.array(windows, dtype=int).transpose(2, 0, 1)
    for places in (lefts, tops, mirrored):
        assert abs(np.corrcoef(places)[0, 1]) < 0.4  # three standard deviations of what chance gives
    assert all(0.25 < share < 0.75 for share in mirrored.mean(axis=1))
    assert lefts.min() == tops.min() == 0 and lefts.max() == tops.max() == 24


def test_a_colour_folder_gives_grey_pictures_of_others_for_a(ramp):
    data = open_data(
        recipe_of(6, 0, "{kind: rgb, source: grey3}", f"data.path={ramp}", "data.split={test: 0, validation: 0}")
    )
    a, b = data.batch(0, CPU)
    assert a.shape == b.shape == (6, 3, 16, 16)
    torch.testing.assert_close(a[:, 0], a[:, 1], rtol=0, atol=0)
    torch.testing.assert_close(a[:, 0], a[:, 2], rtol=0, atol=0)
    assert (b[:, 0] - b[:, 1]).abs().max() > 0.1


def test_pairs_are_parted_and_each_domain_keeps_its_own_pictures(tmp_path):
    for number in range(6):
        for domain, value in (("A", 10 + number), ("B", 200 + number)):
            (tmp_path / domain).mkdir(exist_ok=True)
            write_image(tmp_path / domain / f"{number}.png", np.full((16, 16, 3), value, np.uint8))
    data = f"data={{kind: folders, path: {tmp_path}, size: 16, split: {{test: 0, validation: 0, near_duplicates: 0}}}}"
    pictures = open_data(load_recipe("tiny", ["method={kind: cyclegan}", "codec={kind: rgb}", data]))
    assert isinstance(pictures._sampler, UnpairedSampler)
    pairs = drawn(pictures._sampler, range(3))
    assert {a for a, _ in pairs} == set(range(10, 10 + pictures.count))
    assert {b for _, b in pairs} == set(range(200, 200 + pictures.count))
    assert all(a - 10 != b - 200 for a, b in pairs)


def test_a_method_that_learns_from_pairs_gets_them_cut_alike(ramp):
    data = open_data(
        load_recipe(
            "tiny", [f"data.path={ramp}", "data.size=16", "data.load_size=40", "codec={kind: rgb, source: grey}"]
        )
    )
    assert isinstance(data._sampler, PairedSampler)
    grey, colour = data.batch(0, CPU)
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    torch.testing.assert_close(grey[:, 0], (colour * weights).sum(1), rtol=0, atol=0.01)
