"""Pictures in a smaller size."""

from __future__ import annotations

import numpy as np
import pytest

from tintype.image.array_picture import ArrayPicture, gathered
from tintype.image.file import open_picture, write_image
from tintype.image.picture import DecodedImage
from tintype.image.resize import resize
from tintype.image.shrunk import ShrunkPicture


@pytest.fixture
def image():
    random = np.random.default_rng(0)
    alpha = np.zeros((30, 60), np.float32)
    alpha[:, 30:] = 1
    return DecodedImage(random.random((30, 60, 3), np.float32), alpha=alpha, bits=16)


def test_a_shrunk_picture_is_the_picture_in_another_size(image):
    shrunk = ShrunkPicture(ArrayPicture(image), 20)
    assert (shrunk.info.width, shrunk.info.height, shrunk.info.bits) == (20, 10, 16)
    assert shrunk.info.notes == ("reduced from 60 x 30 pixels",)
    for rows in (1, 3, 10):
        np.testing.assert_array_equal(gathered(shrunk.strips(rows), 10), np.clip(resize(image.pixels, 10, 20), 0, 1))


def test_alpha_is_reduced_with_it(image):
    strips = list(ShrunkPicture(ArrayPicture(image), 20).strips(10))
    alpha = strips[0].alpha
    assert alpha.shape == (10, 20)
    assert (alpha[:, :8] < 0.1).all() and (alpha[:, 12:] > 0.9).all()


def test_a_network_sees_the_same_as_of_the_whole(image):
    whole = ArrayPicture(image)
    np.testing.assert_array_equal(ShrunkPicture(whole, 20).reduced(8, 16), whole.reduced(8, 16))


def test_a_long_strip_keeps_a_pixel_across():
    shrunk = ShrunkPicture(ArrayPicture(np.zeros((1, 500), np.float32)), 50)
    assert (shrunk.info.width, shrunk.info.height) == (50, 1)


def test_of_a_fits_file_the_header_is_said_to_be_left_out(tmp_path):
    from tintype.image.array_picture import ArrayPicture
    from tintype.image.file import write_picture
    from tintype.image.picture import Strip

    pixels = np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30, 1)
    path = tmp_path / "a.fits"
    write_picture(path, iter([Strip(0, pixels)]), ArrayPicture(pixels), channels=1)
    shrunk = ShrunkPicture(open_picture(path), 15)
    assert shrunk.info.format == ""
    assert any("header of its FITS file" in note for note in shrunk.info.notes)
    write_image(tmp_path / "b.png", gathered(shrunk.strips(10), 10))
