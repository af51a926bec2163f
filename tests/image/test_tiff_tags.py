"""Tags of TIFF files: against tifffile, and damaged ones."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from tintype.image import tiff_tags


def write(pages, **options):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, **options) as writer:
        for page in pages:
            writer.write(np.zeros((16, 16), np.uint8), photometric="minisblack", **page)
    return buffer.getvalue()


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", "<>")
def test_all_tags_equal_those_of_tifffile(bigtiff, byteorder):
    data = write(
        [{"compression": "deflate", "resolution": (300, 200), "software": "nothing"}] * 3,
        bigtiff=bigtiff,
        byteorder=byteorder,
    )
    stream = io.BytesIO(data)
    layout = tiff_tags.read_layout(stream)
    assert (layout.order, layout.big) == (byteorder, bigtiff)
    with tifffile.TiffFile(io.BytesIO(data)) as reference:
        assert tiff_tags.page_offsets(stream, layout, 99) == [page.offset for page in reference.pages]
        for number, page in enumerate(reference.pages):
            tags = tiff_tags.read_page(stream, layout, number)
            assert {number: (tag.kind, tag.count) for number, tag in tags.items()} == {
                tag.code: (int(tag.dtype), len(tag.value) + 1 if tag.dtype == 2 else tag.count) for tag in page.tags
            }
            assert tiff_tags.numbers(tags[256], layout) == (16,)
            assert tags[305].value == b"nothing\0"
            assert tiff_tags.compression(tags, layout) == "deflate"


def test_reduced_copies_are_no_whole_pages():
    data = write([{}, {"subfiletype": 1}, {}, {"subfiletype": 2}])
    stream = io.BytesIO(data)
    assert tiff_tags.whole_pages(stream, tiff_tags.read_layout(stream), 99) == [0, 2, 3]


def test_a_chain_that_bites_its_tail_ends():
    data = bytearray(write([{}, {}]))
    stream = io.BytesIO(data)
    layout = tiff_tags.read_layout(stream)
    first, second = tiff_tags.page_offsets(stream, layout, 99)
    entries = struct.unpack_from("<H", data, second)[0]
    struct.pack_into("<I", data, second + 2 + 12 * entries, first)
    assert tiff_tags.page_offsets(io.BytesIO(data), layout, 99) == [first, second]


def test_a_value_beyond_the_file_is_left_out():
    data = bytearray(write([{"software": "nothing"}]))
    at = data.index(struct.pack("<HH", 305, 2))
    struct.pack_into("<I", data, at + 8, 2**31)
    stream = io.BytesIO(data)
    tags = tiff_tags.read_page(stream, tiff_tags.read_layout(stream), 0)
    assert 305 not in tags
    assert 256 in tags


@pytest.mark.parametrize("data", [b"", b"II*", b"\x89PNG\r\n\x1a\n", b"II\x2b\0\x08\0\0\0", b"II\x2c\0\x08\0\0\0"])
def test_what_is_no_tiff_has_no_layout(data):
    assert tiff_tags.read_layout(io.BytesIO(data)) is None


@given(st.data())
def test_damage_is_passed_over(data):
    content = bytearray(write([{}, {"compression": "deflate"}], bigtiff=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    stream = io.BytesIO(bytes(content[: data.draw(st.integers(16, len(content)))]))
    layout = tiff_tags.read_layout(stream)
    assert len(tiff_tags.whole_pages(stream, layout, 50)) <= 50
    tags = tiff_tags.read_page(stream, layout, 1)
    assert isinstance(tiff_tags.compression(tags, layout), str)
    assert isinstance(tiff_tags.has_unspecified_channel(tags, layout), bool)
