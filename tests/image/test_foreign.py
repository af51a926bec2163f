"""Pictures that libvips cannot read: through Pillow and pillow-heif, and without them."""

from __future__ import annotations

import importlib
import io
import struct

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from tests.image.conftest import encode

from tintype.errors import ImageError
from tintype.image import foreign
from tintype.image.file import open_picture, read_header, read_image, read_thumbnail
from tintype.image.picture import Limits, Reading

RAMP = np.dstack([*np.meshgrid(np.arange(0, 256, 8), np.arange(0, 256, 16)), np.full((16, 32), 90)]).astype(np.uint8)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def heif(samples, mode, **options):
    picture = pillow_heif.from_bytes(mode, samples.shape[1::-1], np.ascontiguousarray(samples).tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, quality=-1, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("kind", "name"), [("BMP", "bmp"), ("DIB", "dib"), ("JPEG2000", "jp2"), ("TGA", "tga")])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_formats_of_pillow_are_read_exactly(tmp_path, kind, name, mode):
    image = Image.fromarray(RAMP).convert(mode)
    path = tmp_path / f"a.{name}"
    path.write_bytes(encode(image, kind))
    decoded = read_image(path)
    np.testing.assert_allclose(
        decoded.pixels, np.asarray(image, np.float32).reshape(*RAMP.shape[:2], -1) / 255, atol=1e-7
    )
    assert (decoded.format, decoded.bits, decoded.alpha) == (name, 8, None)
    header = read_header(path)
    assert (header.width, header.height, header.format) == (32, 16, name)
    small = read_thumbnail(path, 8)
    assert small.shape == (8, 16, 1 if mode == "L" else 3)


def test_palettes_bits_and_alpha_are_expanded(tmp_path):
    indexed = Image.fromarray(RAMP).quantize(16)
    expected = np.asarray(indexed.convert("RGB"), np.float32) / 255
    np.testing.assert_allclose(read_image(encode(indexed, "BMP")).pixels, expected, atol=1e-7)
    bitmap = Image.fromarray(RAMP).convert("1")
    np.testing.assert_array_equal(read_image(encode(bitmap, "BMP")).pixels[..., 0], np.asarray(bitmap))
    image = Image.fromarray(RAMP)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    (tmp_path / "a.tga").write_bytes(encode(image, "TGA"))
    decoded = read_image(tmp_path / "a.tga")
    np.testing.assert_allclose(decoded.alpha, np.asarray(image.getchannel("A"), np.float32) / 255, atol=1e-7)


def test_jpeg_2000_keeps_sixteen_bits_of_grey_and_its_profile():
    ramp = np.arange(0, 65536, 128, dtype=np.uint16).reshape(16, 32)
    decoded = read_image(encode(Image.fromarray(ramp), "JPEG2000"))
    assert decoded.bits == 16
    np.testing.assert_array_equal(np.rint(decoded.pixels[..., 0].astype(np.float64) * 65535), ramp)


def test_density_and_exif_are_kept():
    exif = Image.Exif()
    exif[0x010E] = "a ramp"
    extras = read_image(heif(RAMP, "RGB", exif=exif.tobytes(), icc_profile=PROFILE)).extras
    assert extras.profile == PROFILE
    assert extras.exif[:4] in (b"II*\0", b"MM\0*")
    assert b"a ramp" in extras.exif
    bmp = read_image(encode(Image.fromarray(RAMP), "BMP", dpi=(254, 254))).extras
    assert bmp.density == pytest.approx((10, 10), rel=0.01)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_heic_is_read(mode):
    image = Image.fromarray(RAMP).convert(mode)
    decoded = read_image(heif(np.asarray(image), mode))
    assert (decoded.format, decoded.bits) == ("heif", 8)
    assert (decoded.alpha is not None) == (mode == "RGBA")
    expected = np.asarray(image.convert("L" if mode == "L" else "RGB"), np.float32).reshape(16, 32, -1) / 255
    np.testing.assert_allclose(decoded.pixels, expected, atol=0.05)  # chroma is stored at half the size


@pytest.mark.parametrize("bits", [10, 12])
def test_heic_of_ten_or_twelve_bits_counts_as_sixteen_and_its_white_is_white(bits, monkeypatch):
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
    samples = np.full((16, 32), 65535, np.uint16)
    samples[:, :16] = 0
    decoded = read_image(heif(samples, "L;16"))
    assert decoded.bits == 16
    assert decoded.pixels.min() == 0
    assert decoded.pixels.max() == 1


@pytest.mark.parametrize(
    ("data", "library"), [(heif(RAMP, "RGB"), "pillow-heif"), (encode(Image.fromarray(RAMP), "BMP"), "Pillow")]
)
def test_a_missing_library_is_named_with_the_way_to_get_it(monkeypatch, data, library):
    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr(foreign, "importlib", type("Nothing", (), {"import_module": staticmethod(refuse)}))
    with pytest.raises(ImageError, match=rf"needs {library}; install it: pip install 'tintype\[formats\]'"):
        open_picture(data)


def test_netpbm_needs_no_library(monkeypatch):
    monkeypatch.setattr(importlib, "import_module", None)
    assert read_image(b"P5 1 1 255 \xff").pixels.item() == 1


def test_a_bomb_is_refused_before_it_is_decoded():
    data = bytearray(encode(Image.fromarray(RAMP), "BMP"))
    data[18:26] = struct.pack("<ii", 60_000, 60_000)
    with pytest.raises(ImageError, match="60000 x 60000 pixels, more than the 268,435,456 that are allowed"):
        open_picture(bytes(data))
    with pytest.raises(ImageError, match="32 x 16 pixels, more than the 500 "):
        open_picture(heif(RAMP, "RGB"), Reading(limits=Limits(pixels_in_memory=500)))


@pytest.mark.parametrize("head", [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\xc5\xd0\xd3\xc6", b"\x00\x00\x01\x00\x01\x00"])
def test_other_formats_of_pillow_stay_closed(head):
    with pytest.raises(ImageError, match="not in a known format"):
        open_picture(head + bytes(200))


FORMS = {
    "bmp": encode(Image.fromarray(RAMP), "BMP"),
    "dib": encode(Image.fromarray(RAMP).quantize(16), "DIB"),
    "jp2": encode(Image.fromarray(RAMP), "JPEG2000"),
    "heic": heif(RAMP, "RGB"),
    "psd": b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 2, 4, 8, 3) + bytes(12) + b"\0\0" + bytes(range(24)),
}


def test_psd_is_read_as_it_was_merged():
    pixels = read_image(FORMS["psd"]).pixels
    np.testing.assert_allclose(pixels[0, 1] * 255, [1, 9, 17], atol=1e-4)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_one_line(form, data):
    content = bytearray(FORMS[form])
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        read_image(content, Reading(limits=Limits(pixels=10_000, pixels_in_memory=10_000)))
    except ImageError as error:
        assert str(error).isprintable()
