"""Exif blocks and TIFF directories: what Pillow reads in them before and after, and what damage does."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from tintype.image.exif import from_tiff, into_tiff, revise
from tintype.image.tiff import DamagedTiffError, reader

MAKER_NOTE = b"SomeCamera\0" + bytes(range(200))
THUMBNAIL = b"\xff\xd8 a small picture \xff\xd9"
MARK = "Tintype 1.0: colour was predicted by a.onnx"


def make_exif(order="<", orientation=6, thumbnail=True):
    """A block as cameras write it: IFD0, Exif with a maker note, GPS, and a thumbnail at the end."""
    exif = Image.Exif()
    exif.endian = order
    exif[ExifTags.Base.Make] = "Some Camera"
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.XResolution] = 72.5
    exif.get_ifd(ExifTags.IFD.Exif).update({0xA002: 4000, 0xA003: 3000, 0x829A: 0.004, 0x927C: MAKER_NOTE})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 31.0, 12.25)})
    block = bytearray(exif.tobytes().removeprefix(b"Exif\0\0"))
    if thumbnail:
        block += bytes(len(block) % 2)
        directory = struct.pack(order + "H", 2)
        directory += struct.pack(order + "HHII", 0x201, 4, 1, len(block) + 30)
        directory += struct.pack(order + "HHII", 0x202, 4, 1, len(THUMBNAIL)) + bytes(4)
        first = struct.unpack_from(order + "I", block, 4)[0]
        count = struct.unpack_from(order + "H", block, first)[0]
        struct.pack_into(order + "I", block, first + 2 + 12 * count, len(block))
        block += directory + THUMBNAIL
    return bytes(block)


def read(block):
    """All tags by directory, as Pillow reads them."""
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + block)
    parts = {"main": dict(exif)}
    for part in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, ExifTags.IFD.IFD1):
        parts[part.name] = dict(exif.get_ifd(part))
    for pointer in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        parts["main"].pop(pointer, None)
    return parts


@pytest.mark.parametrize("order", ["<", ">"])
def test_only_what_must_changes(order):
    block = make_exif(order)
    before, after = read(block), read(revise(block, 640, 480, MARK))
    assert before["IFD1"]
    assert after["IFD1"] == {}
    assert after["main"] == before["main"] | {ExifTags.Base.Orientation: 1, 0x9213: MARK}
    assert after["Exif"] == before["Exif"] | {0xA002: 640, 0xA003: 480}
    assert after["GPSInfo"] == before["GPSInfo"]


def test_maker_notes_stay_where_they_are_and_the_thumbnail_is_gone():
    block = make_exif()
    revised = revise(block, 640, 480, MARK)
    assert revised.index(MAKER_NOTE) == block.index(MAKER_NOTE)
    assert THUMBNAIL not in revised


def test_a_size_above_16_bits_fits_where_a_small_one_stood():
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[0xA002] = 10  # SHORT
    revised = read(revise(exif.tobytes().removeprefix(b"Exif\0\0"), 70_000, 1, ""))
    assert revised["Exif"] == {0xA002: 70_000}


def test_the_mark_of_an_earlier_run_is_replaced_and_a_history_of_others_is_kept():
    block = make_exif()
    once = revise(block, 640, 480, MARK)
    assert revise(once, 640, 480, MARK) == once
    again = revise(once, 640, 480, "Tintype 2.0: picture")
    assert read(again)["main"][0x9213] == "Tintype 2.0: picture"
    exif = Image.Exif()
    exif[0x9213] = "scanned in 1999"
    foreign = exif.tobytes().removeprefix(b"Exif\0\0")
    for _ in range(2):
        foreign = revise(foreign, 1, 1, MARK)
        assert read(foreign)["main"][0x9213] == f"scanned in 1999\n{MARK}"


def test_without_exif_the_mark_stands_alone():
    assert read(revise(b"", 1, 1, MARK))["main"] == {0x9213: MARK}
    assert revise(b"", 1, 1, "") == b""


@settings(max_examples=300, deadline=None)
@given(data=st.data())
@example(data=None)
def test_damaged_blocks_are_errors_of_one_kind_or_readable(data):
    if data is None:
        with pytest.raises(DamagedTiffError):
            revise(b"nonsense", 1, 1, MARK)
        return
    block = bytearray(make_exif(data.draw(st.sampled_from("<>"))))
    for _ in range(data.draw(st.integers(1, 6))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(block[: data.draw(st.integers(0, len(block)))])
    for read_block in (lambda: revise(damaged, 640, 480, MARK), lambda: from_tiff(reader(io.BytesIO(damaged)))):
        try:
            result = read_block()
        except DamagedTiffError:
            continue
        assert len(result) < 50_000


def test_directories_in_a_circle_end():
    circle = b"II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 254, 4, 1, 1, 8)  # a reduced copy that follows itself
    with pytest.raises(DamagedTiffError, match="circle"):
        from_tiff(reader(io.BytesIO(circle)))


def test_values_that_overlap_do_not_fill_memory():
    entries = b"".join(struct.pack("<HHII", 40_000 + i, 7, 2**20, 8) for i in range(4000))
    bomb = b"II*\0\x08\0\0\0" + struct.pack("<H", 4000) + entries + bytes(2**20 + 100)
    assert len(from_tiff(reader(io.BytesIO(bomb)))) < 20 * 2**20


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tags_go_into_a_tiff_and_come_out_of_it(order, big):
    file = io.BytesIO()
    Image.new("L", (30, 20)).save(file, "TIFF", big_tiff=big)
    block = revise(make_exif(order), 30, 20, MARK)
    into_tiff(file, [block], has_density=True)
    expected = read(block)
    with Image.open(io.BytesIO(file.getvalue())) as image:
        exif = image.getexif()
        assert image.size == (30, 20)
        assert exif.get_ifd(ExifTags.IFD.Exif) == expected["Exif"]
        assert exif.get_ifd(ExifTags.IFD.GPSInfo) == expected["GPSInfo"]
        assert {tag: exif[tag] for tag in expected["main"]} == expected["main"]
    gathered = read(from_tiff(reader(file)))
    assert {tag: gathered["main"][tag] for tag in expected["main"]} == expected["main"]
    assert (gathered["Exif"], gathered["GPSInfo"]) == (expected["Exif"], expected["GPSInfo"])
    assert ExifTags.Base.StripOffsets not in gathered["main"]
