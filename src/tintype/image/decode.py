"""Picture files to display space, through libvips.

Orientation is applied, embedded ICC profiles and CMYK are converted to sRGB, depth is kept in float, alpha is set
aside. Of files with several pages or frames the first one counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import pyvips

from tintype.errors import ImageError
from tintype.image.picture import DecodedImage, ImageHeader, Limits, to_samples
from tintype.image.resize import resize

_FULL_SCALE = {
    "uchar": 255,
    "char": 127,
    "ushort": 65535,
    "short": 32767,
    "uint": 2**32 - 1,
    "int": 2**31 - 1,
    "float": 1,
    "double": 1,
}
_ALREADY_DISPLAY = {"b-w", "grey16", "srgb", "rgb", "rgb16", "multiband", "scrgb"}


def read_header(path: Path | str) -> ImageHeader:
    """Read size, depth and format of a picture file.

    Raises:
        ImageError: The file is missing, no picture, or has more than `Limits.pixels`.
    """
    with _reading(str(path)):
        image = _open(path)
        upright = image.autorot()
        return ImageHeader(
            width=upright.width,
            height=upright.height,
            bands=image.bands,
            bits=_bits(image),
            format=_format(image),
            interpretation=image.interpretation,
        )


def read_image(source: Path | str | bytes) -> DecodedImage:
    """Decode a picture file, or the bytes of one, to display space.

    Integer samples are divided by the largest value that they can have; float samples are taken to be sRGB-encoded in
    [0, 1] already and are clipped to it. A profile that cannot be used is ignored.

    Raises:
        ImageError: The file is missing, damaged, cut short, no picture, neither grey nor colour, or has more than
            `Limits.pixels`.
    """
    label = _label(source)
    with _reading(label):
        image = _open(source)
        file_format, bits = _format(image), _bits(image)
        image = image.copy_memory().autorot()
        alpha = image[image.bands - 1] if image.hasalpha() else None
        pixels = _to_numpy(_to_display(image, label))
        return DecodedImage(
            pixels=pixels,
            alpha=None if alpha is None else _to_numpy(alpha)[..., 0],
            bits=bits,
            format=file_format,
            path=None if isinstance(source, bytes) else Path(source),
        )


def read_thumbnail(path: Path | str, shorter_side: int) -> np.ndarray:
    """Decode a picture at reduced (or enlarged) size, faster than `read_image` and `resize`.

    Args:
        path: The picture file.
        shorter_side: Pixels of the shorter side of the result; the aspect is kept.

    Returns:
        uint8 `h w c`, sRGB-encoded, c is 1 or 3, antialiased; alpha is left out.

    Raises:
        ImageError: As for `read_image`.
    """
    with _reading(str(path)):
        image = _open(path)
        scale = shorter_side / min(image.width, image.height)
        width, height = round(image.width * scale), round(image.height * scale)
        if scale < 1 and image.format not in ("float", "double"):
            if _format(image) == "jpeg":
                # leaves at least twice the pixels that are needed; `thumbnail` of libvips passes over truncated files
                image = _open(path, shrink=next((n for n in (8, 4, 2) if n * scale <= 0.5), 1))
            small = _to_display(image, str(path)).resize(width / image.width, vscale=height / image.height)
            pixels = _to_numpy(small.copy_memory().autorot())
        else:
            pixels = read_image(path).pixels
            pixels = resize(pixels, round(pixels.shape[0] * scale), round(pixels.shape[1] * scale))
    return to_samples(pixels, 8)


def _label(source: Path | str | bytes) -> str:
    if isinstance(source, bytes):
        return "picture given as bytes"
    return str(source).encode(errors="backslashreplace").decode()  # a name that is no valid text must still be printed


@contextmanager
def _reading(label: str) -> Iterator[None]:
    """Turn what goes wrong while a picture is read into an `ImageError` of one line."""
    try:
        yield
    except pyvips.Error as error:
        raise ImageError(f"{label}: not a readable picture ({vips_reason(error)})") from error
    except OSError as error:
        raise ImageError(f"{label}: cannot be read ({error.strerror})") from error
    except UnicodeError as error:
        raise ImageError(f"{label}: cannot be read (its name is no valid text; rename the file)") from error


def vips_reason(error: pyvips.Error) -> str:
    """Return the last line with words: libvips collects messages, and those of earlier calls may stand before it."""
    lines = [line.strip() for line in str(error.detail).splitlines() if any(map(str.isalpha, line))]
    return (lines[-1] if lines else error.message)[:200]


def _source(source: Path | str | bytes) -> pyvips.Source:
    # sources and not file names, in which libvips takes a trailing [...] for options
    if isinstance(source, bytes):
        return pyvips.Source.new_from_memory(source)
    with Path(source).open("rb"):  # for the plain reason of the operating system
        return pyvips.Source.new_from_file(str(source))


def _open(source: Path | str | bytes, shrink: int = 1) -> pyvips.Image:
    """Open for one reading from top to bottom; `shrink` reduces JPEG while it is decoded."""
    options = {"shrink": shrink} if shrink > 1 else {}
    # below "error" a TIFF that was cut short would be half a picture and half black
    image = pyvips.Image.new_from_source(_source(source), "", access="sequential", fail_on="error", **options)
    if image.width * image.height > Limits().pixels:
        raise ImageError(
            f"{_label(source)}: {image.width} x {image.height} pixels, more than the "
            f"{Limits().pixels:,} that are allowed; reduce or cut it first"
        )
    return image


def _format(image: pyvips.Image) -> str:
    """Return "jpeg" where the loader is called "jpegload_source"."""
    return str(image.get("vips-loader").partition("load")[0])


def _bits(image: pyvips.Image) -> Literal[8, 16, 32]:
    if image.format in ("uchar", "char"):
        return 8
    return 16 if image.format in ("ushort", "short") else 32


def _to_display(image: pyvips.Image, label: str) -> pyvips.Image:
    """Drop alpha and convert to grey or sRGB, without touching pixels that are so already."""
    channels = image.bands
    if image.hasalpha():
        image = image.extract_band(0, n=channels - 1)
    bands = image.bands
    if image.interpretation in _ALREADY_DISPLAY and bands not in (1, 3):
        raise ImageError(f"{label}: has {channels} channels; needed are grey or colour, with or without alpha")
    if image.interpretation == "cmyk":
        image = image.icc_transform("srgb", input_profile="cmyk", embedded=True, depth=16)
    elif image.interpretation not in _ALREADY_DISPLAY:
        image = image.colourspace("rgb16")
    elif image.format in ("uchar", "ushort") and _has_other_profile(image):
        image = image.icc_transform("srgb", embedded=True, depth=16)
        if bands == 1:
            image = image[1]
    return image


def _has_other_profile(image: pyvips.Image) -> bool:
    """Tell whether a profile is embedded that changes colours: most profiles are sRGB under one of its many names."""
    if image.get_typeof("icc-profile-data") == 0:
        return False
    levels = (np.arange(0, 256, 51, dtype=np.uint8),) * image.bands
    colours = np.stack(np.meshgrid(*levels), axis=-1).reshape(1, -1, image.bands)
    probe = pyvips.Image.new_from_array(colours).copy(interpretation="b-w" if image.bands == 1 else "srgb")
    probe.set_type(pyvips.GValue.blob_type, "icc-profile-data", image.get("icc-profile-data"))
    try:
        converted = probe.icc_transform("srgb", embedded=True, depth=16).numpy()
    except pyvips.Error:
        return False  # damaged: the picture is taken as it is
    return bool(np.abs(converted / 257 - colours).max() > 0.5)


def _to_numpy(image: pyvips.Image) -> np.ndarray:
    """Return float32 `h w c` in [0, 1]."""
    samples = image.numpy().reshape(image.height, image.width, image.bands)
    if image.format in ("float", "double"):
        return np.clip(np.nan_to_num(samples, nan=0, posinf=1, neginf=0), 0, 1).astype(np.float32)
    pixels = np.divide(samples, np.float32(_FULL_SCALE[image.format]), dtype=np.float32)
    return np.maximum(pixels, 0, out=pixels)
