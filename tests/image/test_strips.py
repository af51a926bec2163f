"""Open pictures: strips, reduced copies, memory, and damage in every form that a picture may have."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
import pyvips
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.image.conftest import display_p3, encode

from tintype.errors import ImageError
from tintype.image.file import open_picture, read_image
from tintype.image.resize import resize


def tiff(samples, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, **options)
    return buffer.getvalue()


def in_every_form(photo):
    """The photo, or what is like it, in the forms that take different ways through the reader."""
    exif = Image.Exif()
    exif[0x0112] = 6
    alpha = photo.copy()
    alpha.putalpha(Image.linear_gradient("L").resize(photo.size))
    deep = (np.asarray(photo).astype(np.uint16) * 257)[::-1]
    return {
        "jpeg": encode(photo, "JPEG"),
        "turned": encode(photo, "JPEG", exif=exif),
        "progressive": encode(photo, "JPEG", progressive=True),
        "p3": display_p3(photo),
        "grey": encode(photo.convert("L"), "PNG"),
        "alpha": encode(alpha, "PNG"),
        "cmyk": encode(photo.convert("CMYK"), "TIFF"),
        "webp": encode(photo, "WEBP"),
        "avif": encode(photo, "AVIF"),
        "gif": encode(photo.convert("P"), "GIF"),
        "deep": tiff(deep, photometric="rgb", tile=(16, 16)),
        "float": tiff(np.asarray(photo, np.float32) / 200 - 0.1, photometric="rgb"),
    }


FORMS = ["jpeg", "turned", "progressive", "p3", "grey", "alpha", "cmyk", "webp", "avif", "gif", "deep", "float"]


@pytest.mark.parametrize("form", FORMS)
def test_strips_of_any_height_make_the_picture_and_can_be_read_again(photo, form):
    picture = open_picture(in_every_form(photo)[form])
    info = picture.info
    whole = next(iter(picture.strips(info.height)))
    assert whole.pixels.shape == (info.height, info.width, info.channels)
    assert (whole.alpha is not None) == info.has_alpha
    for rows in (1, 7, 64):
        strips = list(picture.strips(rows))
        assert [strip.top for strip in strips] == list(range(0, info.height, rows))
        np.testing.assert_array_equal(np.concatenate([strip.pixels for strip in strips]), whole.pixels)
        if info.has_alpha:
            np.testing.assert_array_equal(np.concatenate([strip.alpha for strip in strips]), whole.alpha)


@pytest.mark.parametrize("size", [(10, 17), (3, 90), (70, 33), (200, 300), (200, 20)])
@pytest.mark.parametrize("form", FORMS)
def test_a_reduced_copy_equals_the_resized_picture(photo, form, size):
    data = in_every_form(photo)[form]
    reduced = open_picture(data).reduced(*size)
    assert reduced.dtype == np.float32
    tolerance = 2e-2 if form == "p3" else 2e-6  # a network sees what libvips makes of a profile, which clips
    np.testing.assert_allclose(reduced, np.clip(resize(read_image(data).pixels, *size), 0, 1), atol=tolerance)


def test_a_deep_picture_is_not_reduced_in_eight_bits():
    ramp = np.tile(np.linspace(30000, 30200, 64).astype(np.uint16), (64, 1))
    reduced = open_picture(tiff(ramp, photometric="minisblack")).reduced(32, 32)
    assert len(np.unique(np.rint(reduced[16] * 65535))) == 32


def test_values_beyond_white_are_told_once_they_were_met(photo):
    picture = open_picture(in_every_form(photo)["float"])
    assert picture.info.notes == ()
    for _ in picture.strips(16):
        pass
    assert picture.info.notes == ("values outside [0, 1] were clipped",)


def test_a_large_picture_is_read_in_little_memory(tmp_path):
    path = tmp_path / "large.tif"
    pyvips.Image.black(6000, 6000, bands=3).copy(interpretation="srgb").write_to_file(str(path))
    script = """
import resource, sys
from tintype.image.file import open_picture
picture = open_picture(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(strip.pixels.shape[0] for strip in picture.strips(40))
picture.reduced(64, 64)
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    result = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    rows, megabytes = map(int, result.stdout.split())
    assert rows == 6000
    assert megabytes < 220  # the picture has 108 MB, its float array 432


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_one_line(photo, form, data):
    content = bytearray(in_every_form(photo)[form])
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(0, len(content)))])
    for read in (read_image, lambda content: open_picture(content).reduced(9, 9)):
        try:
            read(content)
        except ImageError as error:
            assert str(error).startswith("picture given as bytes: ")
            assert "\n" not in str(error)
