"""What the tests of pictures share: a photograph, files of it, results as a translator gives them, their readers."""

from __future__ import annotations

import io
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import ExifTags, Image

from tintype.image.encode import write_strips
from tintype.image.picture import PictureInfo, Strip, Writing
from tintype.image.provenance import Provenance

MARK = Provenance("0.1.0", "a.onnx", "colour-small", "0123", "4567", 4000, "ab", "colour", (("strength", "1.0"),))


HUBBLE = Path(str(resources.files("tintype") / "data" / "bundled" / "hubble" / "heic0108a.jpg"))


@pytest.fixture(scope="session")
def photo():
    with Image.open(HUBBLE) as image:
        return image.convert("RGB").crop((40, 30, 160, 110))


def encode(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def as_display(image):
    return np.asarray(image, dtype=np.float32).reshape(image.height, image.width, -1) / 255


def display_p3(image):
    """A PNG with an embedded Display P3 profile that shows the same colours."""
    srgb = pyvips.Image.new_from_array(np.asarray(image)).copy(interpretation="srgb")
    return srgb.icc_transform("p3", input_profile="srgb").write_to_buffer(".png")


def write(target, pixels, /, *, alpha=None, channels=3, writing=Writing(), mark=MARK, open_page=None, **facts):
    """Write display pixels in strips of a few rows, as the result of a source of which these facts are known."""
    height, width = pixels.shape[:2]
    info = PictureInfo(width, height, **{"channels": channels, "has_alpha": alpha is not None} | facts)
    parts = (slice(top, top + 7) for top in range(0, height, 7))
    strips = (Strip(part.start, pixels[part], None if alpha is None else alpha[part]) for part in parts)
    return write_strips(target, strips, info, channels=channels, writing=writing, provenance=mark, open_page=open_page)


def some_pixels(height=40, width=50, channels=3, seed=0):
    return np.random.default_rng(seed).random((height, width, channels), dtype=np.float32)


def check_one_line(error, start):
    message = str(error.value)
    assert message.startswith(start)
    assert "\n" not in message
    assert len(message) < 400


def make_exif():
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Some Camera"
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.Exif).update({0xA002: 4000, 0xA003: 3000, 0x829A: 0.004, 0x927C: b"Maker\0note" * 9})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 31.0, 12.25)})
    return exif.tobytes().removeprefix(b"Exif\0\0")


def describe(path):
    """Make, orientation, history, Exif and GPS of a file, as Pillow reads them."""
    with Image.open(path) as image:
        exif = image.getexif()
        main = tuple(exif.get(tag) for tag in (ExifTags.Base.Make, ExifTags.Base.Orientation, 0x9213))
        return main, dict(exif.get_ifd(ExifTags.IFD.Exif)), dict(exif.get_ifd(ExifTags.IFD.GPSInfo))
