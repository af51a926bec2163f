"""Picture files: against Pillow, there and back, and what damaged or odd files lead to."""

from __future__ import annotations

import errno
import io
import os
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from tintype.errors import OutputError, UsageError
from tintype.image.file import (
    PICTURE_SUFFIXES,
    DecodedImage,
    find_pictures,
    picture_suffix,
    read_header,
    read_image,
    write_image,
)
from tintype.image.resize import resize

HUBBLE = Path(str(resources.files("tintype") / "data" / "bundled" / "hubble" / "heic0108a.jpg"))


@pytest.fixture(scope="module")
def photo():
    with Image.open(HUBBLE) as image:
        return image.convert("RGB").crop((40, 30, 160, 110))


def encode(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def as_display(image):
    return np.asarray(image, dtype=np.float32).reshape(image.height, image.width, -1) / 255


def check_one_line(error, start):
    message = str(error.value)
    assert message.startswith(start)
    assert "\n" not in message
    assert len(message) < 400


def test_find_pictures_goes_by_suffix_sorts_and_passes_hidden_files_over(tmp_path):
    for name in ("b.PNG", "a/z.jpeg", "a/notes.txt", ".hidden.png", ".cache/x.png", "a/c.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path)] == [
        "a/c.tif",
        "a/z.jpeg",
        "b.PNG",
    ]


def test_a_hidden_parent_does_not_hide_the_folder_that_was_named(tmp_path):
    folder = tmp_path / ".cache"
    folder.mkdir()
    (folder / "a.png").touch()
    assert find_pictures(folder) == [folder / "a.png"]


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("m31.fits", ".fits"),
        ("M31.FITS.GZ", ".fits.gz"),
        ("v1.2.fit.bz2", ".fit.bz2"),
        ("archive.gz", ""),
        ("photo.old.jpeg", ".jpeg"),
        ("photo.jpeg.old", ""),
        ("jpeg", ""),
        (".fits.gz", ""),
    ],
)
def test_the_suffix_of_a_picture_counts_its_compression(name, suffix):
    assert picture_suffix(Path("a.png") / name) == suffix
    assert suffix in PICTURE_SUFFIXES | {""}


def test_compressed_fits_files_are_found(tmp_path):
    for name in ("a.fits.gz", "b.tar.gz", "c.fts.bz2"):
        (tmp_path / name).touch()
    assert [path.name for path in find_pictures(tmp_path)] == ["a.fits.gz", "c.fts.bz2"]


# --- writing ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("written")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_samples_come_back_exactly(folder, suffix, dtype, data):
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3])))
    samples = data.draw(hnp.arrays(dtype, shape))
    bits = np.iinfo(dtype).bits
    path = folder / f"samples{suffix}"
    write_image(path, samples / np.float32(np.iinfo(dtype).max), bits=bits)
    decoded = read_image(path)
    assert decoded.bits == bits
    np.testing.assert_array_equal(np.rint(decoded.pixels.astype(np.float64) * np.iinfo(dtype).max), samples)
    write_image(path, samples)  # integers as they are, at their own depth
    np.testing.assert_array_equal(read_image(path).pixels, decoded.pixels)


def test_samples_are_rounded_and_clipped(tmp_path):
    write_image(tmp_path / "a.png", np.array([[100.4, 100.6, -20.0, 300.0]]) / 255)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), [[100, 101, 0, 255]])


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_formats_are_close_at_8_bits(photo, tmp_path, suffix):
    path = tmp_path / f"photo{suffix}"
    write_image(path, as_display(photo), bits=16)
    decoded = read_image(path)
    assert decoded.bits == 8
    assert np.abs(decoded.pixels - as_display(photo)).mean() < 0.02


def test_jpeg_keeps_chroma_at_full_resolution(tmp_path):
    write_image(tmp_path / "a.jpg", np.zeros((16, 16, 3), np.float32))
    with Image.open(tmp_path / "a.jpg") as image:
        assert {layer[1:3] for layer in image.layer} == {(1, 1)}


@pytest.mark.parametrize(("suffix", "kept"), [(".png", True), (".tif", True), (".webp", True), (".jpg", False)])
def test_alpha_is_written_where_the_format_holds_it(tmp_path, suffix, kept):
    alpha = np.tile(np.linspace(0, 1, 16, dtype=np.float32), (16, 1))
    path = tmp_path / f"a{suffix}"
    write_image(path, DecodedImage(pixels=np.full((16, 16, 3), 0.5, np.float32), alpha=alpha))
    decoded = read_image(path)
    assert (decoded.alpha is not None) == kept
    if kept:
        np.testing.assert_allclose(decoded.alpha, alpha, atol=0.01)


@pytest.mark.parametrize(("bits", "written"), [(8, 8), (16, 16), (32, 16)])
def test_a_decoded_image_is_written_at_its_own_depth(tmp_path, bits, written):
    write_image(tmp_path / "a.png", DecodedImage(pixels=np.zeros((2, 2, 1), np.float32), bits=bits))
    assert read_header(tmp_path / "a.png").bits == written


def test_an_unknown_suffix_lists_what_can_be_written(tmp_path):
    for name in ("a.bmp", "a"):
        with pytest.raises(OutputError, match=r"\.png, \.tif, \.tiff, \.jpg, \.jpeg or \.webp"):
            write_image(tmp_path / name, np.zeros((2, 2)))


@pytest.mark.parametrize(
    "array", [np.zeros((2, 2, 2)), np.zeros(4), np.zeros((0, 3, 3)), np.zeros((2, 2), int), np.zeros((2, 2), bool)]
)
def test_arrays_that_are_no_pictures_are_refused(tmp_path, array):
    with pytest.raises(UsageError, match="not a picture"):
        write_image(tmp_path / "a.png", array)


def test_a_missing_folder_is_an_output_error(tmp_path):
    with pytest.raises(OutputError) as error:
        write_image(tmp_path / "missing" / "a.png", np.zeros((2, 2)))
    check_one_line(error, f"{tmp_path / 'missing' / 'a.png'}: cannot be written (No such file or directory)")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_image(path, np.zeros((2, 2)))
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_image(path, np.ones((2, 2)))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_picture_too_large_for_its_format_is_an_output_error(tmp_path):
    with pytest.raises(OutputError) as error:
        write_image(tmp_path / "a.webp", np.zeros((1, 20_000)))
    check_one_line(error, f"{tmp_path / 'a.webp'}: cannot be written (")


# --- resizing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(20, 30), (37, 51), (64, 96)])
def test_reducing_equals_that_of_pillow(photo, size):
    pixels = as_display(photo)
    expected = np.stack(
        [np.asarray(Image.fromarray(pixels[..., i]).resize(size[::-1], Image.Resampling.LANCZOS)) for i in range(3)], -1
    )
    assert np.abs(resize(pixels, *size) - expected).mean() < 0.002


@pytest.mark.parametrize(
    ("kernel", "filter"), [("linear", Image.Resampling.BILINEAR), ("cubic", Image.Resampling.BICUBIC)]
)
def test_enlarging_equals_that_of_pillow(photo, kernel, filter):
    pixels = as_display(photo)
    expected = np.stack([np.asarray(Image.fromarray(pixels[..., i]).resize((301, 173), filter)) for i in range(3)], -1)
    assert np.abs(resize(pixels, 173, 301, kernel) - expected).mean() < 0.002


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 90), st.integers(1, 90))
def test_any_size_leads_to_any_other_and_constants_stay(height, width, new_height, new_width):
    resized = resize(np.full((height, width, 2), 0.3, dtype=np.float32), new_height, new_width)
    assert resized.shape == (new_height, new_width, 2)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, 0.3, atol=1e-5)


@pytest.mark.parametrize("size", [16, 50, 65, 200, 256])
def test_resizing_does_not_shift_the_picture(size):
    ramp = np.tile(np.arange(64, dtype=np.float32), (64, 1))[..., None]
    expected = (np.arange(size) + 0.5) * 64 / size - 0.5
    for axis, resized in enumerate((resize(ramp, size, size), resize(ramp.swapaxes(0, 1), size, size).swapaxes(0, 1))):
        middle = slice(size // 8, -size // 8)
        np.testing.assert_allclose(resized[size // 2, middle, 0], expected[middle], atol=0.03, err_msg=f"axis {axis}")


def test_a_very_long_picture_can_be_reduced_to_almost_nothing():
    np.testing.assert_allclose(resize(np.full((2, 5000, 1), 0.3, np.float32), 2, 3), 0.3, atol=1e-5)


def test_values_outside_display_space_survive():
    chroma = np.full((4, 4, 2), -80, dtype=np.float32)
    np.testing.assert_allclose(resize(chroma, 9, 7), -80, rtol=1e-5)
