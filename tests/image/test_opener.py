"""What opens a picture file: pages, frames, limits, and what is not let in."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image

from tintype.errors import ImageError
from tintype.image.file import open_picture, read_image
from tintype.image.picture import Limits, Reading


def frames(count, size=(6, 4)):
    return [Image.new("RGB", size, (40 * n, 0, 0)) for n in range(count)]


def encode(images, kind, **options):
    buffer = io.BytesIO()
    images[0].save(buffer, kind, save_all=True, append_images=images[1:], **options)
    return buffer.getvalue()


def png(width, height, *, interlaced=False, extra=b""):
    """The head of a PNG that promises more than it holds."""
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, int(interlaced))
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + extra + body


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("page", range(3))
def test_any_page_of_a_tiff_can_be_read(page):
    picture = open_picture(encode(frames(3), "TIFF"), Reading(page=page))
    assert (picture.info.page, picture.info.pages) == (page, 3)
    assert picture.info.notes == (f"page {page + 1} of 3",)
    assert next(picture.strips(4)).pixels[0, 0, 0] == np.float32(40 * page / 255)


def test_pages_may_differ_in_size_and_depth():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(np.zeros((8, 9), np.uint8), photometric="minisblack")
        writer.write(np.full((20, 30, 3), 65535, np.uint16), photometric="rgb", compression="deflate")
    info = open_picture(buffer.getvalue(), Reading(page=1)).info
    assert (info.width, info.height, info.channels, info.bits) == (30, 20, 3, 16)
    assert info.extras.compression == "deflate"
    assert open_picture(buffer.getvalue()).info.extras.compression == "none"


def test_a_page_that_is_not_there_is_named():
    for page in (3, -1):
        with pytest.raises(ImageError, match=f"has 3 pages; page {page + 1}, counted from 1, is not among them"):
            open_picture(encode(frames(3), "TIFF"), Reading(page=page))
    with pytest.raises(ImageError, match="has 1 page; page 2,"):
        open_picture(encode(frames(1), "PNG"), Reading(page=1))


def test_the_levels_of_a_pyramid_are_no_pages(tmp_path):
    path = tmp_path / "pyramid.tif"
    pyvips.Image.black(300, 200).write_to_file(str(path), pyramid=True, tile=True, tile_width=64, tile_height=64)
    info = open_picture(path).info
    assert (info.width, info.pages, info.notes) == (300, 1, ())


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_frames_of_an_animation_are_counted(kind):
    data = encode(frames(5), kind)
    assert open_picture(data).info.notes == ("the first of 5 frames",)
    third = open_picture(data, Reading(page=2))
    assert third.info.notes == ("frame 3 of 5",)
    assert third.info.height == 4


def test_of_an_animated_png_only_the_first_frame_can_be_read():
    data = encode(frames(4), "PNG")
    info = open_picture(data).info
    assert (info.pages, info.notes) == (4, ("the first of 4 frames",))
    with pytest.raises(ImageError, match="of its 4 pages or frames only the first can be read; page 2 was asked for"):
        open_picture(data, Reading(page=2))


def test_a_sequence_of_avif_is_read_as_its_first_picture():
    info = open_picture(encode([image.resize((32, 32)) for image in frames(3)], "AVIF")).info
    assert info.notes == ("the first picture of a sequence",)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(pixels=23), "6 x 4 pixels, more than the 23 that are allowed"),
        (Limits(bytes=100), "bytes, more than the 100 that are allowed"),
        (Limits(frames=2), "3 pages or frames, more than the 2 that are allowed"),
    ],
)
def test_limits_are_checked_before_anything_is_decoded(tmp_path, limits, reason):
    path = tmp_path / "a.tif"
    path.write_bytes(encode(frames(3), "TIFF"))
    for source in (path, path.read_bytes()):
        with pytest.raises(ImageError, match=reason) as error:
            open_picture(source, Reading(limits=limits))
        assert "\n" not in str(error.value)


def test_every_page_is_held_against_the_limits():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(np.zeros((8, 9), np.uint8), photometric="minisblack")
        writer.write(np.zeros((80, 90), np.uint8), photometric="minisblack")
    with pytest.raises(ImageError, match="90 x 80 pixels, more than the 100 "):
        open_picture(buffer.getvalue(), Reading(page=1, limits=Limits(pixels=100)))


def test_what_can_only_be_decoded_as_a_whole_has_a_limit_of_its_own():
    assert open_picture(png(20_000, 20_000)).info.width == 20_000
    with pytest.raises(ImageError, match="where a picture can only be decoded as a whole; convert it to TIFF first"):
        open_picture(png(20_000, 20_000, interlaced=True))


def test_four_billion_frames_are_refused():
    data = png(4, 4, extra=chunk(b"acTL", struct.pack(">II", 2**32 - 1, 0)))
    with pytest.raises(ImageError, match="4,294,967,295 pages or frames"):
        open_picture(data)


def test_an_svg_loads_nothing_from_outside(tmp_path):
    Image.new("RGB", (20, 20), "red").save(tmp_path / "red.png")
    (tmp_path / "a.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="20" height="20">'
        f'<image xlink:href="red.png" width="20" height="20"/>'
        f'<image xlink:href="{(tmp_path / "red.png").as_uri()}" width="20" height="20"/></svg>'
    )
    decoded = read_image(tmp_path / "a.svg")
    assert (decoded.format, decoded.pixels.shape) == ("svg", (20, 20, 3))
    assert decoded.alpha.max() == 0


@pytest.mark.parametrize("suffix", [".v", ".mat", ".csv"])
def test_files_of_numbers_are_no_pictures(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    pyvips.Image.black(4, 4).write_to_file(str(path))
    with pytest.raises(ImageError, match="not in a known format"):
        open_picture(path)
