"""Rows from Python: they arrive as they are, and what goes wrong comes out where the rows are made."""

from __future__ import annotations

import _thread
import threading
import time

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.image.rows import RowLayout, save_rows


def collect(layout, rows):
    images = []
    save_rows(layout, rows, lambda image: images.append(image.numpy()))
    return images[0].reshape(layout.height, layout.width, layout.bands)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "uint32", "float32"])
@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    bands=st.integers(1, 4),
    rows=st.integers(1, 90),
    seed=st.integers(0, 99),
)
def test_samples_arrive_as_they_are(kind, height, width, bands, rows, seed):
    random = np.random.default_rng(seed)
    picture = random.integers(0, 2**32, (height, width, bands)).astype(kind)
    strips = (picture[top : top + rows] for top in range(0, height, rows))
    arrived = collect(RowLayout(width, height, bands, kind), strips)
    assert arrived.dtype == kind
    np.testing.assert_array_equal(arrived, picture)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError("broken")])
def test_what_the_rows_raise_comes_out_and_the_thread_ends(error, tmp_path):
    def rows():
        yield np.zeros((10, 100, 3), np.uint8)
        raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        save_rows(RowLayout(100, 50, 3, "uint8"), rows(), lambda image: image.pngsave(str(tmp_path / "a.png")))
    assert not any(thread.name == "save" for thread in threading.enumerate())


def test_what_the_save_raises_comes_out_before_all_rows_are_made():
    made = []

    def rows():
        for top in range(1000):
            made.append(top)
            yield np.zeros((100, 100, 1), np.uint8)

    with pytest.raises(pyvips.Error, match="No such file"):
        save_rows(RowLayout(100, 100_000, 1, "uint8"), rows(), lambda image: image.tiffsave("/no/such/folder/a.tif"))
    assert len(made) < 1000


def test_too_few_rows_are_an_error():
    rows = iter([np.zeros((10, 10, 1), np.uint8)])
    with pytest.raises(pyvips.Error):
        collect(RowLayout(10, 100, 1, "uint8"), rows)


def test_an_interruption_while_the_save_ends_waits_for_it():
    ended = []

    def save(image):
        image.avg()
        _thread.interrupt_main()
        time.sleep(0.2)
        ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        save_rows(RowLayout(4, 4, 1, "uint8"), iter([np.zeros((4, 4, 1), np.uint8)]), save)
    assert ended
