"""What files say beside their pixels: kept in the bytes that they say it in."""

from __future__ import annotations

import io

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from tintype.image.file import open_picture

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PICTURE = Image.linear_gradient("L").resize((16, 12)).convert("RGB")
XMP = b"<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'/><?xpacket end='w'?>"


def extras(kind, image=PICTURE, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return open_picture(buffer.getvalue()).info.extras


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_a_profile_is_kept_byte_for_byte(kind):
    assert extras(kind, icc_profile=PROFILE).profile == PROFILE
    assert extras(kind).profile == b""


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_exif_is_kept_as_a_tiff_stream(kind):
    exif = Image.Exif()
    exif[0x010E] = "a ramp"
    exif[0x0131] = "nothing"
    assert extras(kind, exif=exif.tobytes()).exif == exif.tobytes().removeprefix(b"Exif\0\0")
    assert extras(kind).exif == b""


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_xmp_is_kept(kind):
    options = {"xmp": XMP}
    if kind == "PNG":
        options = {"pnginfo": PngImagePlugin.PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    if kind == "TIFF":
        options = {"tiffinfo": {700: XMP}}
    assert extras(kind, **options).xmp == XMP


def test_texts_of_a_png_are_kept():
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Whirlpool")
    info.add_text("A-key-with-dashes", "kept")
    assert dict(extras("PNG", pnginfo=info).text) == {"Title": "Whirlpool", "A-key-with-dashes": "kept"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_density_is_that_which_the_file_states(kind):
    stated = extras(kind, dpi=(300, 300))
    assert stated.density == pytest.approx((300 / 25.4,) * 2, rel=1e-3)
    assert stated.density_unit == ("cm" if kind == "PNG" else "in")
    assert extras(kind).density is None
    assert extras(kind).density_unit == ""


@pytest.mark.parametrize("unit", ["INCH", "CENTIMETER", "NONE"])
def test_the_unit_of_the_density_of_a_tiff_is_kept(unit):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((4, 4), np.uint8), resolution=(200, 100), resolutionunit=unit)
    found = open_picture(buffer.getvalue()).info.extras
    match unit:
        case "INCH":
            assert (found.density, found.density_unit) == (pytest.approx((200 / 25.4, 100 / 25.4)), "in")
        case "CENTIMETER":
            assert (found.density, found.density_unit) == (pytest.approx((20, 10)), "cm")
        case "NONE":
            assert (found.density, found.density_unit) == (None, "")


@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "packbits", "jpeg"])
def test_the_compression_of_a_tiff_is_known(compression):
    image = pyvips.Image.black(16, 16, bands=3).copy(interpretation="srgb")
    data = image.write_to_buffer(".tif", compression=compression)
    assert open_picture(data).info.extras.compression == compression


def test_other_formats_have_no_compression():
    assert extras("PNG").compression == ""
