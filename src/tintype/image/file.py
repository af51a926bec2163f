"""Picture files: the only place where a file becomes an array of display space, and the other way round.

Display space is float32 `h w c` in [0, 1], sRGB-encoded, c = 1 for grey and 3 for colour. Everything is decoded,
encoded and resized by libvips: orientation is applied, embedded ICC profiles and CMYK are converted to sRGB, depth is
kept in float, alpha is set aside. Of files with several pages or frames the first one counts. What the numbers mean to
a network is the business of `codec`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import pyvips

from tintype.atomic import atomic_path
from tintype.errors import ImageError, OutputError, UsageError

Kernel = Literal["linear", "cubic", "mitchell", "lanczos2", "lanczos3"]

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".gif", ".avif", ".heic", ".heif"}
)
"""Lower-case suffixes of the files in a folder that are taken for pictures."""

MAX_PIXELS = 1_000_000_000
"""Larger pictures are refused: in float32 they would not fit into the memory of most machines."""

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


@final
@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A picture in display space with what its file said about it."""

    pixels: np.ndarray
    """float32 `h w c`, sRGB-encoded in [0, 1]; c is 1 or 3."""
    alpha: np.ndarray | None = None
    """float32 `h w` in [0, 1]; None: opaque."""
    bits: Literal[8, 16, 32] = 8
    """Bits of a sample in the file; 32 stands for float and long integers."""
    format: str = ""
    """What the file is, whatever its suffix: "jpeg", "png", "tiff", "webp", "gif", "heif", "svg", ..."""
    path: Path | None = None
    """None for a picture that did not come from a named file."""

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.pixels.shape[1])


@final
@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a picture file says about itself, read without decoding it."""

    width: int
    """Columns after the orientation has been applied."""
    height: int
    """Rows after the orientation has been applied."""
    bands: int
    """Channels in the file, alpha included."""
    bits: Literal[8, 16, 32]
    format: str
    interpretation: str
    """Colour space in the words of libvips: "b-w", "srgb", "rgb16", "cmyk", ..."""


# --- reading ---------------------------------------------------------------------------------------------------------


def read_header(path: Path | str) -> ImageHeader:
    """Read size, depth and format of a picture file.

    Raises:
        ImageError: The file is missing, no picture, or has more than `MAX_PIXELS`.
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
            `MAX_PIXELS`.
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
    return _to_integers(pixels, 8)


def find_pictures(folder: Path | str) -> list[Path]:
    """List the files below a folder that have the suffix of a picture, sorted; hidden ones are left out."""
    root = Path(folder)
    return sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() in PICTURE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
        and path.is_file()
    )


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
        raise ImageError(f"{label}: not a readable picture ({_reason(error)})") from error
    except OSError as error:
        raise ImageError(f"{label}: cannot be read ({error.strerror})") from error
    except UnicodeError as error:
        raise ImageError(f"{label}: cannot be read (its name is no valid text; rename the file)") from error


def _reason(error: pyvips.Error) -> str:
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
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            f"{_label(source)}: {image.width} x {image.height} pixels, more than the {MAX_PIXELS:,} that are allowed; "
            "reduce or cut it first"
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


# --- writing ---------------------------------------------------------------------------------------------------------


def write_image(path: Path | str, image: np.ndarray | DecodedImage, *, bits: Literal[8, 16] | None = None) -> None:
    """Write a picture; the suffix says as what: .png, .tif, .tiff (8 or 16 bits), .jpg, .jpeg, .webp (8 bits).

    The file appears whole or not at all. Samples are rounded, not truncated; JPEG and WebP have quality 95.

    Args:
        path: The file; its folder must exist. What is there is replaced.
        image: Display space `h w c` or `h w` in [0, 1], or uint8 or uint16. The alpha of a `DecodedImage` is kept where
            the format holds it.
        bits: Bits of a sample, where the format leaves a choice; default: those of the image, 8 for a float array.

    Raises:
        OutputError: The suffix is unknown, the file cannot be written, or the format cannot hold so large a picture.
        UsageError: The array is not a picture.
    """
    path = Path(path)
    pixels = image.pixels if isinstance(image, DecodedImage) else np.asarray(image)
    alpha = image.alpha if isinstance(image, DecodedImage) else None
    deep_image = image.bits > 8 if isinstance(image, DecodedImage) else pixels.dtype == np.uint16

    suffix = path.suffix.lower()
    options: dict[str, Any]
    match suffix:
        case ".png":
            deep, options = True, {}
        case ".tif" | ".tiff":
            deep, options = True, {"compression": "deflate", "predictor": "horizontal"}
        case ".jpg" | ".jpeg":
            deep, options, alpha = False, {"Q": 95, "subsample_mode": "off"}, None
        case ".webp":
            deep, options = False, {"Q": 95, "smart_subsample": True}
        case _:
            raise OutputError(
                f"{path}: cannot write {suffix or 'a file without suffix'}; use .png, .tif, .tiff, .jpg, .jpeg or .webp"
            )
    samples = _to_integers(_as_display(pixels), (bits or (16 if deep_image else 8)) if deep else 8)
    grey, sixteen = samples.shape[2] == 1, samples.dtype == np.uint16
    if alpha is not None:
        samples = np.concatenate((samples, _to_integers(alpha[..., None], 16 if sixteen else 8)), axis=2)
    interpretation = ("grey16" if grey else "rgb16") if sixteen else ("b-w" if grey else "srgb")
    try:
        encoded = pyvips.Image.new_from_array(np.ascontiguousarray(samples)).copy(interpretation=interpretation)
        data = encoded.write_to_buffer(suffix, **options)
    except pyvips.Error as error:
        raise OutputError(f"{path}: cannot be written ({_reason(error)})") from error
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def _as_display(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
        raise UsageError(f"array of shape {pixels.shape} is not a picture; give h w, h w 1 or h w 3")
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels / np.float32(np.iinfo(pixels.dtype).max)
    if not np.issubdtype(pixels.dtype, np.floating):
        raise UsageError(f"array of {pixels.dtype} is not a picture; give float in [0, 1], uint8 or uint16")
    return pixels


def _to_integers(pixels: np.ndarray, bits: int) -> np.ndarray:
    dtype = np.uint16 if bits == 16 else np.uint8
    return np.rint(np.clip(pixels, 0, 1) * np.iinfo(dtype).max).astype(dtype)


# --- resizing --------------------------------------------------------------------------------------------------------


def resize(pixels: np.ndarray, height: int, width: int, kernel: Kernel = "lanczos3") -> np.ndarray:
    """Resize by libvips, antialiased.

    Args:
        pixels: float32 `h w c`, of any range and any number of channels.
        height: Rows of the result.
        width: Columns of the result.
        kernel: How neighbours are weighed; to enlarge, all but "linear" are bicubic.

    Returns:
        float32 `height width c`. All kernels but "linear" may overshoot at edges: clip display pictures.
    """
    rows, columns, channels = pixels.shape
    if (rows, columns) == (height, width):
        return pixels
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels, dtype=np.float32))
    if height < rows or width < columns:  # gap=4: up to 8 times the kernel sees the pixels, beyond that averaged blocks
        image = image.resize(min(1, width / columns), vscale=min(1, height / rows), kernel=kernel, gap=4)
    if height > rows or width > columns:
        # not with libvips' own resize, which moves an enlarged picture by half a pixel of the result
        image = image.affine(
            [max(1, width / columns), 0, 0, max(1, height / rows)],
            interpolate=pyvips.Interpolate.new("bilinear" if kernel == "linear" else "bicubic"),
            idx=0.5,
            idy=0.5,
            odx=-0.5,
            ody=-0.5,
            oarea=[0, 0, width, height],
            extend="copy",
        )
    return image.numpy().reshape(height, width, channels)
