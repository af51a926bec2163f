"""Picture files that are written: samples against Pillow and tifffile, profiles, and what goes wrong."""

from __future__ import annotations

import errno
import io
import os

import numpy as np
import pytest
import pyvips
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms
from tests.image.conftest import MARK, as_display, check_one_line, some_pixels, write
from tests.image.test_icc import ADOBE, gamma, make_profile

from tintype.errors import ImageError, OutputError, UsageError
from tintype.image.color import grey_to_luminance, lab_to_display, luminance, srgb_to_linear
from tintype.image.encode import write_strips
from tintype.image.file import DecodedImage, read_header, read_image, write_image
from tintype.image.picture import Extras, PictureInfo, Strip, Writing

P3 = bytes(pyvips.Operation.call("profile_load", "p3"))
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


# --- samples ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_depth_and_alpha_are_those_of_the_source_where_the_format_holds_them(
    tmp_path, suffix, channels, bits, with_alpha
):
    pixels, alpha = some_pixels(channels=channels), some_pixels(seed=1)[..., 0] if with_alpha else None
    path = tmp_path / f"a{suffix}"
    notes = write(path, pixels, alpha=alpha, channels=channels, bits=bits)
    held = min(bits, 16) if suffix == ".png" else bits
    assert notes == (() if held == bits else ("32 bits became 16: PNG holds no more",))
    if suffix == ".tif":
        samples = tifffile.imread(path)
    else:
        image = pyvips.Image.new_from_file(str(path))
        samples = image.numpy()
    assert samples.dtype == f"uint{held}"
    expected = pixels if alpha is None else np.concatenate((pixels, alpha[..., None]), axis=2)
    error = np.abs(samples.reshape(expected.shape) - expected.astype(np.float64) * (2**held - 1)).max()
    assert error < 0.51  # rounded, in the precision of float32


def test_floating_point_is_kept_in_tiff_and_rounded_elsewhere(tmp_path):
    pixels = some_pixels()
    assert write(tmp_path / "a.tif", pixels, bits=32, floating=True) == ()
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), pixels)
    assert write(tmp_path / "a.png", pixels, bits=32, floating=True) == ("32-bit float became 16: PNG holds no more",)


def test_avif_holds_twelve_bits_and_webp_and_jpeg_eight(tmp_path):
    pixels = np.repeat(np.linspace(0, 1, 64, dtype=np.float32), 64).reshape(64, 64, 1)
    for suffix, name, bits in ((".avif", "AVIF", 12), (".webp", "WebP", 8), (".jpg", "JPEG", 8)):
        path = tmp_path / f"a{suffix}"
        assert write(path, np.repeat(pixels, 3, axis=2), bits=16) == (f"16 bits became {bits}: {name} holds no more",)
        assert np.abs(read_image(path).pixels - pixels).mean() < 0.01
    assert pyvips.Image.new_from_file(str(tmp_path / "a.avif")).get("bits-per-sample") == 12


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(("bits", "levels"), [(8, 1), (16, 2)])
@pytest.mark.parametrize("profile", [b"", SRGB, P3], ids=["none", "srgb", "p3"])
def test_lightness_of_a_coloured_picture_is_that_of_its_source(tmp_path, suffix, bits, levels, profile):
    white = 2**bits - 1
    grey = np.rint(np.linspace(0, 1, 6400).reshape(1, 80, 80) * white) / white
    chroma = np.random.default_rng(0).uniform(-60, 60, (2, 80, 80))
    result = lab_to_display(np.concatenate((grey_to_luminance(grey), chroma)).astype(np.float32))
    path = tmp_path / f"a{suffix}"
    write(path, np.moveaxis(result, 0, -1), bits=bits, extras=Extras(profile=profile))
    samples = tifffile.imread(path) if suffix == ".tif" else pyvips.Image.new_from_file(str(path)).numpy()
    stored = np.moveaxis(samples / white, -1, 0)
    if profile == P3:  # SMPTE EG 432-1, with the curve of sRGB
        y = np.tensordot((0.2289746, 0.6917385, 0.0792869), srgb_to_linear(stored), 1)[None]
        expected = np.tensordot((0.2126390, 0.7151687, 0.0721923), srgb_to_linear(result.astype(np.float64)), 1)[None]
        assert np.abs(as_grey(y) - as_grey(expected)).max() * white < levels
    else:
        assert np.abs(grey_of(luminance(stored)) - grey).max() * white < levels


def as_grey(y):
    """The sRGB value of a luminance."""
    return np.where(y > 0.0031308, 1.055 * np.maximum(y, 1e-9) ** (1 / 2.4) - 0.055, y * 12.92)


def grey_of(lightness):
    grey = np.linspace(0, 1, 2**20)
    return np.interp(lightness, grey_to_luminance(grey), grey)


# --- profiles --------------------------------------------------------------------------------------------------------


def profile_of(path):
    with Image.open(path) as image:
        return image.info.get("icc_profile", b"")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".avif"])
def test_an_rgb_profile_is_kept_byte_for_byte_and_the_pixels_follow_it(tmp_path, photo, suffix):
    path = tmp_path / f"a{suffix}"
    write(path, as_display(photo), extras=Extras(profile=P3))
    assert profile_of(path) == P3
    theirs = ImageCms.ImageCmsProfile(io.BytesIO(P3))
    expected = ImageCms.profileToProfile(photo, ImageCms.createProfile("sRGB"), theirs)
    with Image.open(path) as image:
        error = np.abs(np.asarray(image.convert("RGB"), int) - np.asarray(expected))
    assert error.mean() < (0.3 if suffix in (".png", ".tif") else 4)
    assert error.max() <= 1 or suffix not in (".png", ".tif")


def test_what_was_grey_in_avif_gets_a_named_profile_in_any_format(tmp_path):
    for suffix in (".avif", ".png"):
        write(tmp_path / f"a{suffix}", some_pixels(), format="heif", interpretation="srgb")
        profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_of(tmp_path / f"a{suffix}")))
        assert "sRGB" in ImageCms.getProfileDescription(profile)


def test_a_profile_of_srgb_leaves_the_pixels_alone(tmp_path, photo):
    write(tmp_path / "a.png", as_display(photo), extras=Extras(profile=SRGB))
    assert profile_of(tmp_path / "a.png") == SRGB
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(image, photo)


@pytest.mark.parametrize(
    ("facts", "notes"),
    [
        ({"interpretation": "srgb"}, ()),
        ({"interpretation": "cmyk", "extras": Extras(profile=P3.replace(b"RGB XYZ ", b"CMYKLab "))}, ()),
        ({"interpretation": "cmyk"}, ()),
        (
            {"extras": Extras(profile=P3[:200])},
            ("the ICC profile cannot be used; the result has that of sRGB",),
        ),
    ],
    ids=["none", "cmyk", "bare cmyk", "broken"],
)
def test_other_sources_in_colour_get_srgb_by_name_if_they_need_it(tmp_path, facts, notes):
    assert write(tmp_path / "a.png", some_pixels(), **facts) == notes
    profile = profile_of(tmp_path / "a.png")
    if facts == {"interpretation": "srgb"}:
        assert profile == b""
    else:
        assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))


def test_a_grey_source_in_colour_gets_srgb_by_name(tmp_path):
    info = PictureInfo(8, 8, 1)
    write_strips(
        tmp_path / "a.png", iter([Strip(0, np.zeros((8, 8, 3), np.float32))]), info, channels=3, writing=Writing()
    )
    assert profile_of(tmp_path / "a.png")[16:20] == b"RGB "


@pytest.mark.parametrize("bits", [8, 16])
def test_a_profile_beyond_three_curves_goes_through_libvips(tmp_path, photo, bits):
    dim = make_profile(np.multiply(ADOBE, 0.97), gamma(2.2))  # its white is not that of the connection space
    alpha = np.full((photo.height, photo.width), 0.25, np.float32)
    path = tmp_path / "a.png"
    assert write(path, as_display(photo), alpha=alpha, bits=bits, extras=Extras(profile=dim)) == ()
    assert profile_of(path) == dim
    theirs = ImageCms.ImageCmsProfile(io.BytesIO(dim))
    expected = np.asarray(ImageCms.profileToProfile(photo, ImageCms.createProfile("sRGB"), theirs))
    stored = pyvips.Image.new_from_file(str(path)).numpy() / (2**bits - 1)
    assert np.abs(stored[..., :3] * 255 - expected).max() < 2
    np.testing.assert_allclose(stored[..., 3], 0.25, atol=0.002)


def test_a_grey_profile_is_kept_by_a_grey_result_only(tmp_path):
    profile = make_profile(ADOBE, gamma(1.8), "GRAY")
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16, 1)
    write(tmp_path / "a.png", ramp, channels=1, extras=Extras(profile=profile))
    assert profile_of(tmp_path / "a.png") == profile
    with Image.open(tmp_path / "a.png") as image:
        expected = srgb_to_linear(ramp[..., 0].astype(np.float64)) ** (1 / 1.8)
        assert np.abs(np.asarray(image) / 255 - expected).max() < 0.6 / 255


# --- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".avif"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ImageError("a.png: cut short")], ids=["interrupt", "damaged"])
def test_what_stops_the_rows_leaves_the_old_file_and_nothing_else(tmp_path, suffix, error):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")

    def strips():
        yield Strip(0, some_pixels(10))
        raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        write_strips(path, strips(), PictureInfo(50, 100, 3), channels=3, writing=Writing(), provenance=MARK)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_heic_is_refused_with_a_way_out(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write HEIC.*use \.avif"):
        write(tmp_path / "a.heic", some_pixels())


# --- pictures in memory ----------------------------------------------------------------------------------------------


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


def test_a_flux_that_cannot_be_written_is_said(tmp_path):
    notes = write(tmp_path / "a.tif", some_pixels(), writing=Writing(flux=True))
    assert notes == ("written as display values: TIFF holds no flux, FITS does",)


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


@pytest.mark.parametrize(("suffix", "side"), [(".webp", 16_383), (".avif", 16_384), (".jpg", 65_500)])
def test_a_picture_too_large_for_its_format_is_an_output_error(tmp_path, suffix, side):
    path = tmp_path / f"a{suffix}"
    with pytest.raises(OutputError) as error:
        write_image(path, np.zeros((1, side + 1)))
    check_one_line(error, f"{path}: cannot be written ({side + 1} x 1 pixels, ")
    if suffix != ".avif":
        write_image(path, np.zeros((1, side)))
        assert read_header(path).width == side
