"""PBM, PGM, PPM and PFM: against Pillow, and damaged ones."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tintype.errors import ImageError, LimitError
from tintype.image.file import open_picture, read_image
from tintype.image.picture import Limits, Reading

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (5, 9, 3), np.uint8)


def written_by_pillow(image):
    buffer = io.BytesIO()
    image.save(buffer, "PPM")
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "1"])
def test_files_of_pillow_come_back_exactly(mode):
    image = Image.fromarray(RGB).convert(mode)
    decoded = read_image(written_by_pillow(image))
    expected = np.asarray(image.convert("RGB" if mode == "RGB" else "L"), np.float32).reshape(5, 9, -1) / 255
    np.testing.assert_allclose(decoded.pixels, expected, atol=1e-7)
    assert (decoded.format, decoded.bits, decoded.floating) == ("ppm", 8, False)


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_kept(channels):
    samples = RNG.integers(0, 65536, (4, 7, channels), np.uint16)
    kind = b"P5" if channels == 1 else b"P6"
    decoded = read_image(kind + b"\n# 7 4\n7 4\n65535\n" + samples.astype(">u2").tobytes())
    assert decoded.bits == 16
    np.testing.assert_array_equal(np.rint(decoded.pixels.astype(np.float64) * 65535), samples)


def test_floating_point_samples_are_stored_from_the_bottom_up():
    samples = RNG.random((4, 7, 3), np.float32)
    for scale, order in ((b"-1.0", "<f4"), (b"1.0", ">f4")):
        decoded = read_image(b"PF\n7 4\n" + scale + b"\n" + samples[::-1].astype(order).tobytes())
        assert (decoded.bits, decoded.floating) == (32, True)
        np.testing.assert_array_equal(decoded.pixels, samples)


def test_the_largest_value_is_white():
    decoded = read_image(b"P5 3 1 100 " + bytes([0, 50, 100]))
    np.testing.assert_allclose(decoded.pixels[0, :, 0], [0, 0.5, 1], atol=0.5 / 255)
    deep = read_image(b"P5 3 1 1023 " + np.array([0, 341, 1023], ">u2").tobytes())
    np.testing.assert_allclose(deep.pixels[0, :, 0], [0, 1 / 3, 1], atol=1e-5)


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (b"P1 # a bitmap\n4 1\n0 1\n10", [1, 0, 0, 1]),
        (b"P1\n4 1\n0110\n", [1, 0, 0, 1]),
        (b"P2\n4 1 # wide\n255\n0 255\n255 # more\n0\n", [0, 1, 1, 0]),
        (b"P4\n4 1\n\x60", [1, 0, 0, 1]),
    ],
)
def test_text_and_bits_are_read(data, values):
    np.testing.assert_array_equal(read_image(data).pixels[0, :, 0], values)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"P6 -3 4 255 ", "its size is -3 x 4"),
        (b"P6 3 x 255 ", "its header holds no numbers"),
        (b"P6 3", "its header is damaged or cut short"),
        (b"P6 3 4 0 ", "its largest value is 0; needed: 1 to 65535"),
        (b"P6 3 4 70000 ", "its largest value is 70000"),
        (b"P6 3 4 255 abc", "it is cut short"),
        (b"P2 2 1 255 3 ", "it is cut short"),
        (b"P2 2 1 255 3 -4 ", "a sample is no number"),
        (b"P1 2 1 02", "a sample is neither 0 nor 1"),
        (b"P5 2 1 90 ab", "a sample is above the largest value of 90"),
        (b"P2 2 1 10 3 11", "a sample is above the largest value of 10"),
        (b"P3 6000 6000 255 ", "108,000,000 samples as text, more than the 16,777,216"),
        (b"Pf 2 1 x ", "its header holds no numbers"),
    ],
)
def test_damaged_files_are_refused_with_a_reason(data, reason):
    with pytest.raises(ImageError, match=reason) as error:
        open_picture(data)
    assert str(error.value).startswith("picture given as bytes: not a readable picture (")


def test_a_header_that_promises_too_many_pixels_is_refused_by_its_limit():
    with pytest.raises(LimitError, match="99999999 x 99999999 pixels, more than the 268,435,456"):
        open_picture(b"P5 99999999 99999999 255 ")


@given(st.sampled_from([b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf", b"PF"]), st.binary(max_size=60))
def test_nothing_but_an_image_error_comes_out(kind, rest):
    try:
        read_image(kind + b" 2 1 " + rest)
    except ImageError as error:
        assert "\n" not in str(error)


def test_the_limit_of_pixels_is_heeded():
    with pytest.raises(ImageError, match="more than the 10 "):
        open_picture(written_by_pillow(Image.fromarray(RGB)), Reading(limits=Limits(pixels_in_memory=10)))
