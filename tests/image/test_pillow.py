"""Pictures of Pillow keep pixels and alpha on their way in and out."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tintype.errors import UsageError
from tintype.image.picture import DecodedImage
from tintype.image.pillow import from_pillow, is_pillow, to_pillow

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.dstack([GREY, GREY[::-1], 255 - GREY])
ALPHA = np.flipud(GREY)


@pytest.mark.parametrize(
    ("mode", "array"),
    [
        ("L", GREY),
        ("RGB", COLOUR),
        ("LA", np.dstack([GREY, ALPHA])),
        ("RGBA", np.dstack([COLOUR, ALPHA])),
    ],
)
def test_what_goes_in_comes_out(mode, array):
    picture = Image.fromarray(array)
    assert picture.mode == mode
    image = from_pillow(picture)
    assert (image.alpha is not None) == mode.endswith("A")
    decoded = DecodedImage((image.pixels / 255).reshape(3, 4, -1).astype(np.float32), alpha=image.alpha)
    again = to_pillow(decoded)
    assert again.mode == mode
    np.testing.assert_array_equal(np.asarray(again), array)


@pytest.mark.parametrize(("mode", "channels"), [("1", 1), ("P", 3), ("CMYK", 3), ("YCbCr", 3), ("HSV", 3)])
def test_other_modes_become_grey_or_rgb(mode, channels):
    picture = Image.fromarray(COLOUR).convert(mode)
    image = from_pillow(picture)
    assert image.pixels.dtype == np.uint8 and image.alpha is None
    np.testing.assert_array_equal(image.pixels, np.asarray(picture.convert("L" if channels == 1 else "RGB")))


def test_a_transparent_colour_of_a_palette_is_alpha():
    picture = Image.fromarray(COLOUR).convert("P")
    picture.info["transparency"] = picture.getpixel((0, 0))
    alpha = from_pillow(picture).alpha
    assert alpha is not None and alpha[0, 0] == 0 and alpha.max() == 1


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_sixteen_bits_are_kept(mode):
    deep = (GREY.astype(np.uint16) * 257).astype(np.int32 if mode == "I" else np.uint16)
    image = from_pillow(Image.fromarray(deep))
    assert image.pixels.dtype == np.uint16 and image.bits == 16
    np.testing.assert_array_equal(image.pixels, deep)


def test_integers_beyond_sixteen_bits_are_refused():
    with pytest.raises(UsageError, match="mode I with values from 0 to 70000; give it values from 0 to 65535"):
        from_pillow(Image.fromarray(np.array([[0, 70000]], np.int32)))


def test_floats_stay_as_they_are():
    values = GREY.astype(np.float32) / 255
    np.testing.assert_array_equal(from_pillow(Image.fromarray(values)).pixels, values)


def test_nothing_else_is_a_picture_of_pillow():
    assert is_pillow(Image.new("L", (1, 1)))
    assert not any(map(is_pillow, (GREY, "picture.png", DecodedImage(GREY), None)))


def test_pillow_is_not_imported_to_find_out():
    program = (
        "import sys, numpy as np\nfrom tintype.image.pillow import is_pillow\n"
        "assert not is_pillow(np.zeros((2, 2)))\nassert 'PIL' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
