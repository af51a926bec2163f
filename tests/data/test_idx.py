"""Pictures in idx files: what is written is read, and nothing hostile gets further than one line."""

from __future__ import annotations

import gzip
import shutil
import struct

import numpy as np
import pytest
from tests.conftest import write_idx

from tintype.data.cache import decode_item
from tintype.data.check import check_folder
from tintype.data.idx import read_idx
from tintype.data.source import find_items
from tintype.errors import DataError
from tintype.recipe.data import LabelledData

PICTURES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.fixture
def folder(tmp_path):
    """Three pictures of 4 x 5 pixels."""
    write_idx(tmp_path / f"{PICTURES}.gz", np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
    write_idx(tmp_path / LABELS, np.array([11, 0, 2], np.uint8))
    return tmp_path


def find(folder):
    return find_items(LabelledData(path=str(folder)))


def test_pictures_come_with_their_classes_and_the_split_of_their_files(idx_set):
    items = find(idx_set)
    assert len(items) == 84
    assert [(item.name, item.split, item.label) for item in (items[0], items[24], items[-1])] == [
        ("test/000000", "test", "0"),
        ("train/000000", "train", "0"),
        ("train/000059", "train", "2"),
    ]


def test_packed_and_plain_files_go_together_and_labels_sort_as_numbers(folder):
    items = find(folder)
    assert [item.label for item in items] == ["11", "00", "02"]
    pixels, source, _ = decode_item(items[1], 4)
    assert source is None
    np.testing.assert_array_equal(pixels, np.repeat(np.arange(20, 40, dtype=np.uint8).reshape(4, 5, 1), 3, axis=2))


def test_the_check_of_a_folder_knows_them(idx_set):
    report = check_folder(idx_set)
    assert (report.kind, report.pictures, report.splits) == ("labelled", 84, {"test": 24, "train": 60})
    assert report.classes == {"0": 28, "1": 28, "2": 28}
    assert set(report.modes) == {"idx, b-w, 8 bits"} or all("idx" in mode for mode in report.modes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with nothing, needed is 00 00 08 03"),
        (b"\x00\x00\x08\x01" + bytes(12), "begins with 00 00 08 01"),
        (b"\x00\x00\x0d\x03" + bytes(12), "begins with 00 00 0d 03"),
        (b"\x00\x00\x08\x03" + struct.pack(">3I", 2, 4, 4) + bytes(31), "fewer than the 32 bytes"),
        (b"\x00\x00\x08\x03" + struct.pack(">3I", 2, 4, 4) + bytes(33), "more than the 32 bytes"),
        (b"\x00\x00\x08\x03" + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 9), "no set of pictures"),
        (b"\x00\x00\x08\x03" + struct.pack(">3I", 0, 4, 4), "no set of pictures"),
        (b"\x00\x00\x08\x03" + struct.pack(">3I", 1, 4, 4)[:-1], "no idx file"),
    ],
    ids=["empty", "labels", "floats", "short", "long", "vast", "none", "header cut"],
)
@pytest.mark.parametrize("packed", [True, False])
def test_a_damaged_file_ends_in_one_line(tmp_path, content, message, packed):
    path = tmp_path / (PICTURES + ".gz" * packed)
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=message) as error:
        read_idx(path, 3)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_what_is_no_gzip_or_cut_short_ends_in_one_line(tmp_path):
    path = tmp_path / f"{PICTURES}.gz"
    path.write_bytes(b"no gzip at all")
    with pytest.raises(DataError, match=r"cannot be read \(Not a gzipped file"):
        read_idx(path, 3)
    write_idx(path, np.random.default_rng(0).integers(0, 256, (3, 40, 50), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"damaged or cut short"):
        read_idx(path, 3)


def test_a_small_file_that_unpacks_to_very_much_is_not_unpacked(tmp_path):
    path = tmp_path / f"{PICTURES}.gz"
    with gzip.open(path, "wb") as stream:
        stream.write(b"\x00\x00\x08\x03" + struct.pack(">3I", 1, 4, 4))
        for _ in range(64):
            stream.write(bytes(2**20))
    with pytest.raises(DataError, match="more than the 16 bytes"):
        read_idx(path, 3)


def test_labels_of_another_number_are_refused(folder):
    write_idx(folder / LABELS, np.array([1, 2], np.uint8))
    with pytest.raises(DataError, match="has 2 labels for 3 pictures"):
        find(folder)


def test_pictures_without_labels_are_refused_and_those_of_a_test_alone_are_known_as_such(folder):
    (folder / LABELS).rename(folder / "t10k-labels-idx1-ubyte")
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte\.gz does not lie beside it"):
        find(folder)
    (folder / f"{PICTURES}.gz").rename(folder / "t10k-images-idx3-ubyte.gz")
    assert {item.split for item in find(folder)} == {"test"}


def test_two_files_of_one_part_are_refused(folder):
    shutil.copy(folder / f"{PICTURES}.gz", folder / f"emnist-{PICTURES}.gz")
    with pytest.raises(DataError, match="two files hold the pictures of train"):
        find(folder)
