"""Directories and tags of TIFF files: against tifffile, and damaged ones."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from tintype.image import tiff, tiff_tags


def write(pages, **options):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, **options) as writer:
        for page in pages:
            writer.write(np.zeros((16, 16), np.uint8), photometric="minisblack", **page)
    return buffer.getvalue()


def reader(data):
    return tiff.reader(io.BytesIO(data))


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", "<>")
def test_all_tags_equal_those_of_tifffile(bigtiff, byteorder):
    data = write(
        [{"compression": "deflate", "resolution": (300, 200), "software": "nothing"}] * 3,
        bigtiff=bigtiff,
        byteorder=byteorder,
    )
    with tifffile.TiffFile(io.BytesIO(data)) as reference:
        for (layout, directory), page in zip(tiff.directories(reader(data)), reference.pages, strict=True):
            assert (layout.order, layout.big, directory.at) == (byteorder, bigtiff, page.offset)
            assert {number: (entry.kind, entry.count) for number, entry in directory.entries.items()} == {
                tag.code: (int(tag.dtype), len(tag.value) + 1 if tag.dtype == 2 else tag.count) for tag in page.tags
            }
            assert directory.entries[256].numbers(layout) == (16,)
            assert directory.entries[305].value == b"nothing\0"
            assert tiff_tags.compression(directory, layout) == "deflate"


def test_reduced_copies_are_no_whole_pages():
    data = write([{}, {"subfiletype": 1}, {}, {"subfiletype": 2}])
    assert tiff_tags.whole_pages(reader(data), 99) == [0, 2, 3]
    assert tiff_tags.whole_pages(reader(data), 3) == [0, 2]


def test_a_chain_that_bites_its_tail_ends():
    data = bytearray(write([{}, {}]))
    first, second = (directory.at for _, directory in tiff.directories(reader(data)))
    entries = struct.unpack_from("<H", data, second)[0]
    struct.pack_into("<I", data, second + 2 + 12 * entries, first)
    assert tiff_tags.whole_pages(reader(data), 99) == [0, 1]


def test_a_value_beyond_the_file_is_left_out():
    data = bytearray(write([{"software": "nothing"}]))
    at = data.index(struct.pack("<HH", 305, 2))
    struct.pack_into("<I", data, at + 8, 2**31)
    _, directory = tiff.find_directory(reader(data), 0)
    assert 305 not in directory.entries
    assert 256 in directory.entries


@pytest.mark.parametrize("data", [b"", b"II*", b"\x89PNG\r\n\x1a\n", b"II\x2b\0\x08\0\0\0", b"II\x2c\0\x08\0\0\0"])
def test_what_is_no_tiff_has_no_pages(data):
    assert tiff_tags.whole_pages(reader(data), 99) == []
    with pytest.raises(tiff.DamagedTiffError):
        tiff.find_directory(reader(data), 0)


@given(st.data())
def test_damage_is_passed_over(data):
    content = bytearray(write([{}, {"compression": "deflate"}], bigtiff=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    read_at = reader(bytes(content[: data.draw(st.integers(16, len(content)))]))
    pages = tiff_tags.whole_pages(read_at, 50)
    assert len(pages) <= 50
    if pages:
        layout, directory = tiff.find_directory(read_at, 0)
        assert isinstance(tiff_tags.compression(directory, layout), str)
        assert isinstance(tiff_tags.has_unspecified_channel(directory, layout), bool)
