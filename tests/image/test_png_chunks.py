"""Chunks of PNG files beside their pixels: against Pillow, and damaged ones."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from tintype.image.file import open_picture
from tintype.image.png_chunks import PngChunks, read_chunks


def png(info=None, **options):
    buffer = io.BytesIO()
    Image.new("L", (3, 2)).save(buffer, "PNG", pnginfo=info, **options)
    return buffer.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(kind, data, *, at_end=False):
    content = png()
    at = content.index(b"IEND") - 4 if at_end else 33
    return content[:at] + chunk(kind, data) + content[at:]


def test_texts_of_every_kind_are_read():
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Café")
    info.add_text("Comment", "long " * 500, zip=True)
    info.add_itxt("Author", "名", "zh", "作者")
    info.add_itxt("Source", "λ" * 900, zip=True)
    found = read_chunks(io.BytesIO(png(info)))
    assert found.texts == (("Title", "Café"), ("Comment", "long " * 500), ("Author", "名"), ("Source", "λ" * 900))


@pytest.mark.parametrize("at_end", [False, True])
def test_latin_letters_do_not_make_a_picture_unreadable(at_end):
    data = with_chunk(b"tEXt", "Schlüssel\0Größe".encode("latin-1"), at_end=at_end)
    assert open_picture(data).info.extras.text == (("Schlüssel", "Größe"),)


def test_density_and_frames_are_read():
    buffer = io.BytesIO()
    frames = [Image.new("L", (3, 2), value) for value in (0, 99)]
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:], dpi=(254, 508))
    found = read_chunks(buffer)
    assert found.frames == 2
    assert found.density == pytest.approx((10, 20))


def test_a_bomb_of_text_is_left_out():
    data = with_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000)))
    assert read_chunks(io.BytesIO(data)) == PngChunks()


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (b"tEXt", b"no end"),
        (b"tEXt", b"\0no keyword"),
        (b"zTXt", b"Comment\0\0nonsense"),
        (b"zTXt", b"Comment\0\0" + zlib.compress(b"cut short")[:-3]),
        (b"iTXt", b"Comment\0\0\0"),
        (b"iTXt", b"Comment\0\0\0\0\0\xff"),
        (b"pHYs", bytes(9)),
        (b"acTL", bytes(8)),
    ],
)
def test_damaged_chunks_are_left_out(kind, data):
    assert read_chunks(io.BytesIO(with_chunk(kind, data))) == PngChunks()


@given(st.sampled_from([b"tEXt", b"zTXt", b"iTXt", b"pHYs", b"acTL"]), st.binary(max_size=40), st.integers(20, 200))
def test_nothing_is_raised_by_whatever_a_file_holds(kind, data, length):
    assert read_chunks(io.BytesIO(with_chunk(kind, data)[:length])).frames >= 1
