"""Picture files to display space: against Pillow and tifffile, and what damaged files lead to."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image, ImageCms
from tests.image.conftest import as_display, display_p3, encode

from tintype.errors import ImageError
from tintype.image.file import open_picture, read_header, read_image, read_thumbnail
from tintype.image.resize import resize

SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("TIFF", {}), ("JPEG", {"quality": 90}), ("WEBP", {"lossless": True})]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pixels_equal_those_of_pillow(photo, kind, options, mode):
    data = encode(photo.convert(mode), kind, **options)
    decoded = read_image(data)
    with Image.open(io.BytesIO(data)) as reference:
        expected = as_display(reference)
    assert decoded.pixels.dtype == np.float32
    np.testing.assert_allclose(decoded.pixels, expected, atol=1e-6)
    assert (decoded.format, decoded.bits, decoded.alpha, decoded.path) == (kind.lower(), 8, None, None)


def test_a_file_says_what_it_is_whatever_its_suffix(photo, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode(photo, "PNG"))
    assert read_image(path).format == read_header(path).format == "png"
    assert read_image(str(path)).path == path


def test_brackets_in_a_file_name_are_no_options(photo, tmp_path):
    path = tmp_path / "photo [1]"
    path.write_bytes(encode(photo, "PNG"))
    assert read_image(path).width == photo.width


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(photo, tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.png"
    path.write_bytes(encode(photo, "PNG", exif=exif))
    turned = {
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: np.rot90(x, -1),
        7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
        8: lambda x: np.rot90(x),
    }[orientation](as_display(photo))
    decoded = read_image(path)
    np.testing.assert_allclose(decoded.pixels, turned, atol=1e-6)
    header = read_header(path)
    assert (header.height, header.width) == (decoded.height, decoded.width) == turned.shape[:2]
    small = read_thumbnail(path, 40)
    np.testing.assert_allclose(small / 255, np.clip(resize(turned, *small.shape[:2]), 0, 1), atol=0.05)


def test_a_profile_is_converted_to_srgb(photo):
    data = display_p3(photo)
    with Image.open(io.BytesIO(data)) as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        expected = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"))
        stored = as_display(image)
    decoded = read_image(data).pixels
    expected = as_display(expected)
    inside = ((expected > 0) & (expected < 1)).all(axis=-1)  # Pillow clips
    np.testing.assert_allclose(decoded[inside], expected[inside], atol=1.01 / 255)
    assert np.abs(decoded - stored).max() > 4 / 255


def test_an_srgb_profile_leaves_the_pixels_untouched(photo):
    np.testing.assert_allclose(
        read_image(encode(photo, "PNG", icc_profile=SRGB_PROFILE)).pixels, as_display(photo), atol=1e-6
    )


@pytest.mark.parametrize(
    "profile", [b"nonsense" * 40, b"x", SRGB_PROFILE[:200], SRGB_PROFILE.replace(b"para", b"paxa")], ids=range(4)
)
def test_a_broken_profile_is_ignored(photo, profile):
    np.testing.assert_allclose(
        read_image(encode(photo, "PNG", icc_profile=profile)).pixels, as_display(photo), atol=1e-6
    )


def test_a_colour_profile_in_a_grey_picture_leaves_it_grey(photo):
    with Image.open(io.BytesIO(display_p3(photo))) as image:
        profile = image.info["icc_profile"]
    grey = photo.convert("L")
    np.testing.assert_allclose(read_image(encode(grey, "PNG", icc_profile=profile)).pixels, as_display(grey), atol=1e-6)


def test_cmyk_becomes_srgb():
    paper, black, cyan = (Image.new("CMYK", (8, 8), ink) for ink in ((0, 0, 0, 0), (0, 0, 0, 255), (255, 0, 0, 0)))
    mean = [read_image(encode(image, "TIFF")).pixels.mean(axis=(0, 1)) for image in (paper, black, cyan)]
    assert all(colour.shape == (3,) for colour in mean)
    assert mean[0].min() > 0.95
    assert mean[1].max() < 0.25
    assert mean[2][0] < 0.3 < mean[2][2]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_set_aside_and_leaves_colours_alone(photo, mode):
    plain = photo.convert(mode[:-1])
    image = plain.copy()
    image.putalpha(Image.linear_gradient("L").resize(photo.size))
    decoded = read_image(encode(image, "PNG"))
    np.testing.assert_allclose(decoded.pixels, as_display(plain), atol=1e-6)
    np.testing.assert_allclose(decoded.alpha, np.asarray(image.getchannel("A")) / np.float32(255), atol=1e-6)


def test_palettes_are_expanded(photo):
    indexed = photo.convert("P", palette=Image.Palette.ADAPTIVE)
    for kind in ("PNG", "GIF"):
        np.testing.assert_allclose(
            read_image(encode(indexed, kind)).pixels, as_display(indexed.convert("RGB")), atol=1e-6
        )


def test_the_first_frame_of_an_animation_is_read(photo):
    red = Image.new("RGB", photo.size, "red")
    data = encode(red, "GIF", save_all=True, append_images=[photo])
    decoded = read_image(data)
    assert decoded.height == photo.height
    np.testing.assert_allclose(decoded.pixels.mean(axis=(0, 1)), [1, 0, 0], atol=0.01)


def test_sixteen_bits_are_kept():
    ramp = np.arange(0, 65536, 13, dtype=np.uint16)[None]
    decoded = read_image(encode(Image.fromarray(ramp), "PNG"))
    assert (decoded.bits, decoded.pixels.shape) == (16, (1, ramp.size, 1))
    np.testing.assert_allclose(decoded.pixels[..., 0], ramp / 65535, atol=1e-7)


def test_float_samples_are_taken_as_they_are_and_clipped():
    samples = np.array([[-0.5, 0.0, 0.25, 1.0, 7.0, np.nan]], dtype=np.float32)
    decoded = read_image(encode(Image.fromarray(samples), "TIFF"))
    assert decoded.bits == 32
    np.testing.assert_array_equal(decoded.pixels[0, :, 0], [0, 0, 0.25, 1, 1, 0])


def test_lab_files_become_srgb(photo):
    lab = pyvips.Image.new_from_array(np.asarray(photo)).copy(interpretation="srgb").colourspace("lab")
    np.testing.assert_allclose(read_image(lab.write_to_buffer(".tif")).pixels, as_display(photo), atol=1e-3)


def tiff(samples, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("options", [{}, {"planarconfig": "separate"}, {"tile": (16, 32)}, {"bigtiff": True}])
@pytest.mark.parametrize("byteorder", "<>")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float32])
def test_every_layout_of_tiff_gives_the_samples_that_were_written(options, byteorder, dtype):
    samples = np.random.default_rng(0).random((40, 50, 3))
    if dtype != np.float32:
        samples = np.rint(samples * np.iinfo(dtype).max)
    samples = samples.astype(dtype)
    stored = samples.transpose(2, 0, 1) if "planarconfig" in options else samples
    decoded = read_image(tiff(stored, photometric="rgb", byteorder=byteorder, **options))
    assert (decoded.bits, decoded.floating) == (samples.dtype.itemsize * 8, dtype == np.float32)
    scale = 1 if decoded.floating else np.iinfo(dtype).max
    np.testing.assert_allclose(decoded.pixels, samples / scale, atol=1e-7)


def test_negative_samples_of_signed_tiff_are_black():
    decoded = read_image(tiff(np.array([[-5, 0, 32767]], np.int16), photometric="minisblack"))
    np.testing.assert_array_equal(decoded.pixels[0, :, 0], [0, 0, 1])


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_fewer_than_eight_bits_count_as_eight(bits):
    levels = np.tile(np.arange(2**bits, dtype=np.uint8), (3, 2))
    image = Image.fromarray(np.repeat(levels[:, :, None] * (255 // (2**bits - 1)), 3, axis=2)).quantize(2**bits)
    decoded = read_image(encode(image, "PNG", bits=bits))
    assert decoded.bits == 8
    np.testing.assert_allclose(decoded.pixels[..., :1], levels[..., None] / (2**bits - 1), atol=1e-6)


def test_a_transparent_colour_of_a_palette_becomes_alpha():
    image = Image.new("P", (4, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2, 1])
    decoded = read_image(encode(image, "PNG", transparency=1))
    np.testing.assert_array_equal(decoded.alpha, [[1, 0, 1, 0]])


def test_associated_alpha_is_divided_out():
    samples = np.array([[[64, 32, 0, 128]]], np.uint8)
    decoded = read_image(tiff(samples, photometric="rgb", extrasamples=["assocalpha"]))
    np.testing.assert_allclose(decoded.pixels[0, 0], [0.5, 0.25, 0], atol=2 / 255)
    np.testing.assert_allclose(decoded.alpha, 128 / 255)


def test_inverted_cmyk_of_adobe_looks_like_what_pillow_shows(photo):
    flat = Image.new("CMYK", (16, 16), (200, 20, 40, 10))
    jpeg, plain = read_image(encode(flat, "JPEG", quality=95)), read_image(encode(flat, "TIFF"))
    np.testing.assert_allclose(jpeg.pixels, plain.pixels, atol=0.02)


def test_a_profile_is_honoured_by_float_samples_too(photo):
    with Image.open(io.BytesIO(display_p3(photo))) as image:
        samples, profile = np.asarray(image), image.info["icc_profile"]
    floating = read_image(tiff(samples / np.float32(255), photometric="rgb", iccprofile=profile))
    deep = read_image(tiff(samples.astype(np.uint16) * 257, photometric="rgb", iccprofile=profile))
    assert (floating.floating, floating.bits, deep.bits) == (True, 32, 16)
    np.testing.assert_array_equal(floating.pixels, deep.pixels)
    assert np.abs(floating.pixels - samples / 255).max() > 4 / 255


# --- what cannot be read ---------------------------------------------------------------------------------------------


def check_one_line(error, start):
    message = str(error.value)
    assert message.startswith(start)
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF"])
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_truncated_file_is_an_error(photo, tmp_path, kind, part):
    data = encode(photo, kind)
    path = tmp_path / "cut"
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(ImageError) as error:
        read_image(path)
    check_one_line(error, f"{path}: not a readable picture (")
    with pytest.raises(ImageError) as error:
        read_thumbnail(path, 20)
    check_one_line(error, f"{path}: not a readable picture (")


@pytest.mark.parametrize("read", [read_image, read_header, lambda path: read_thumbnail(path, 20)])
def test_what_is_no_picture_is_named(tmp_path, read):
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    for name, reason in (
        ("notes.txt", "not a readable picture"),
        ("empty.png", "not a readable picture"),
        ("missing.png", "cannot be read (No such file or directory)"),
        (".", "cannot be read (Is a directory)"),
    ):
        with pytest.raises(ImageError) as error:
            read(tmp_path / name)
        check_one_line(error, f"{tmp_path / name}: {reason}")


def test_an_error_does_not_quote_that_of_an_earlier_file(photo):
    with pytest.raises(ImageError):
        read_image(encode(photo, "TIFF")[:2000])
    with pytest.raises(ImageError, match="not in a known format"):
        read_image(b"nonsense")


def test_a_gigantic_picture_is_refused_before_it_is_decoded():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 30_000, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    with pytest.raises(ImageError, match="40000 x 30000 pixels, more than the 1,000,000,000") as error:
        read_image(data)
    check_one_line(error, "picture given as bytes: ")


def test_spectral_pictures_are_refused():
    data = pyvips.Image.new_from_array(np.zeros((4, 4, 7), np.uint8)).write_to_buffer(".tif")
    with pytest.raises(ImageError, match="has 7 channels"):
        read_image(data)


@pytest.mark.parametrize("channels", [2, 3, 4, 5])
def test_channels_that_are_neither_grey_nor_colour_are_refused(channels):
    samples = np.zeros((4, 6, channels), np.uint8)
    data = tiff(samples, photometric="minisblack", planarconfig="contig")
    if channels == 2:
        assert "taken for alpha" in open_picture(data).info.notes[0]
    else:
        with pytest.raises(ImageError, match=f"has {channels} channels; needed are grey or colour"):
            open_picture(data)


# --- thumbnails ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shorter_side", [16, 57, 200])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "p3", "CMYK", "L", "RGBA", "float"])
def test_a_thumbnail_looks_like_the_resized_picture(photo, tmp_path, kind, shorter_side):
    path = tmp_path / "picture"
    match kind:
        case "p3":
            data = display_p3(photo)
        case "CMYK":
            data = encode(photo.convert("CMYK"), "TIFF")
        case "L":
            data = encode(photo.convert("L"), "PNG")
        case "RGBA":
            image = photo.copy()
            image.putalpha(Image.linear_gradient("L").resize(photo.size))
            data = encode(image, "PNG")
        case "float":
            data = encode(Image.fromarray(as_display(photo)[..., 0]), "TIFF")
        case _:
            data = encode(photo, kind)
    path.write_bytes(data)
    small = read_thumbnail(path, shorter_side)
    assert small.dtype == np.uint8
    assert min(small.shape[:2]) == shorter_side
    assert small.shape[1] == round(photo.width * shorter_side / photo.height)
    expected = np.clip(resize(read_image(path).pixels, *small.shape[:2]), 0, 1)
    assert small.shape == expected.shape
    assert np.abs(small / 255 - expected).mean() < 0.006


def test_alpha_of_32_bits_is_not_rounded():
    samples = np.random.default_rng(0).integers(0, 2**32, (9, 11, 4), dtype=np.uint32)
    file = io.BytesIO()
    tifffile.imwrite(file, samples, photometric="rgb", extrasamples=["unassalpha"])
    strips = open_picture(file.getvalue()).strips(4)
    alpha = np.concatenate([strip.alpha for strip in strips])
    np.testing.assert_array_equal(np.rint(alpha * (2**32 - 1)).astype(np.uint32), samples[..., 3])
