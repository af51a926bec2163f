"""Pictures that libvips cannot read: Netpbm by `netpbm`, HEIC by pillow-heif, a few more by Pillow.

Both libraries are optional, `pip install 'tintype[formats]'`, and imported when a file needs them. Of Pillow only the
plugins of `_PLUGINS` are used, and directly: none of them starts a program. What was decoded becomes an image of
libvips in memory, with its profile and its Exif, so that the rest of the way is one.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pyvips

from tintype.errors import ImageError, LimitError
from tintype.image.netpbm import is_netpbm, read_netpbm
from tintype.image.picture import Limits
from tintype.image.source import Source, label, open_binary, printable

_PLUGINS = {
    "bmp": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "dib": ("PIL.BmpImagePlugin", "DibImageFile"),
    "tga": ("PIL.TgaImagePlugin", "TgaImageFile"),
    "jp2": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    "psd": ("PIL.PsdImagePlugin", "PsdImageFile"),
}
_MAGIC = (
    (b"BM", "bmp"),
    (b"\x28\0\0\0", "dib"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
    (b"\xff\x4f\xff\x51", "jp2"),
    (b"8BPS", "psd"),
)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
_TGA_SUFFIXES = (".tga", ".vda", ".icb", ".vst")
_INSTALL = "install it: pip install 'tintype[formats]'"


class Foreign(NamedTuple):
    """A picture that something else than libvips has decoded."""

    image: pyvips.Image
    format: str
    pages: int = 1
    notes: tuple[str, ...] = ()


class _Decoded(NamedTuple):
    samples: np.ndarray
    """`h w c` of uint8, uint16 or float32."""
    info: dict[str, Any]
    """In the words of Pillow: icc_profile, exif, xmp, dpi."""
    pages: int = 1
    notes: tuple[str, ...] = ()
    cmyk: bool = False


def load_foreign(source: Source, limits: Limits, reason: str = "not in a known format") -> Foreign:
    """Decode a file that libvips cannot read.

    Args:
        source: The file.
        limits: What it may be; its size is checked before it is decoded.
        reason: What libvips said about it.

    Raises:
        OSError: The file cannot be read.
        ImageError: It is in no known format, damaged or beyond the limits, or what reads it is not installed.
    """
    name = label(source)
    with open_binary(source, limits) as stream:
        head = stream.read(64)
        file_format = _sniff(head, source)
        if file_format is None:
            raise ImageError(f"{name}: not a readable picture ({reason})")
        stream.seek(0)
        try:
            match file_format:
                case "ppm":
                    decoded = _Decoded(read_netpbm(stream, limits.pixels_in_memory), {})
                case "heif":
                    decoded = _read_heif(stream, limits)
                case _:
                    decoded = _read_pillow(stream, file_format, limits)
        except ModuleNotFoundError as error:
            raise ImageError(f"{name}: {file_format.upper()} needs {error}; {_INSTALL}") from error
        except MemoryError:
            raise
        except LimitError as error:
            raise LimitError(f"{name}: {error}") from None
        except Exception as error:  # what plugins raise on damaged files is of every kind
            said = printable(str(error).strip() or type(error).__name__)[:200]
            raise ImageError(f"{name}: not a readable picture ({said})") from error
    return Foreign(_as_image(decoded), file_format, decoded.pages, decoded.notes)


def _sniff(head: bytes, source: Source) -> str | None:
    if is_netpbm(head):
        return "ppm"
    if head[4:8] == b"ftyp":
        return "heif" if head[8:12] in _HEIF_BRANDS else None
    for magic, file_format in _MAGIC:
        if head.startswith(magic):
            return file_format
    if not isinstance(source, bytes) and Path(source).suffix.lower() in _TGA_SUFFIXES:
        return "tga"  # has no mark of its own
    return None


def _check(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.pixels_in_memory:
        raise LimitError(f"{width} x {height} pixels, more than the {limits.pixels_in_memory:,} that are allowed")


def _read_heif(stream: IO[bytes], limits: Limits) -> _Decoded:
    pillow_heif = _import("pillow_heif", "pillow-heif")
    found = pillow_heif.open_heif(stream, convert_hdr_to_8bit=False)
    picture = found[found.primary_index]
    width, height = picture.size
    _check(width, height, limits)
    samples = np.asarray(picture)
    if samples.ndim == 2:
        samples = samples[..., None]
    samples = _to_the_top(samples, picture.info.get("bit_depth", 8))
    pages = len(found)
    notes = (f"the main one of {pages} pictures",) if pages > 1 else ()
    return _Decoded(samples, picture.info, pages, notes)


def _to_the_top(samples: np.ndarray, bits: int) -> np.ndarray:
    """Samples that were shifted to 16 bits, with white at 65,535."""
    if samples.dtype != np.uint16 or not 8 < bits < 16:
        return samples
    return np.rint(samples * np.float32(65535 / ((2**bits - 1) << (16 - bits)))).astype(np.uint16)


def _read_pillow(stream: IO[bytes], file_format: str, limits: Limits) -> _Decoded:
    module, plugin = _PLUGINS[file_format]
    _import("PIL", "Pillow")
    # not Image.open: its guard against bombs is a setting of the whole process, and its formats are many
    image = getattr(importlib.import_module(module), plugin)(stream)
    width, height = image.size
    _check(width, height, limits)
    depth = _jp2_depth(stream) if file_format == "jp2" else 8
    image.load()
    match image.mode:
        case "L" | "LA" | "RGB" | "RGBA" | "CMYK" | "I;16":
            pass
        case "1":
            image = image.convert("L")
        case "RGBX" | "YCbCr":
            image = image.convert("RGB")
        case "P" | "PA":
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        case _:
            raise ValueError(f"mode {image.mode}; needed are grey or colour, with or without alpha")
    samples = np.atleast_3d(np.asarray(image))
    notes = (f"its {depth} bits a sample were read as 8",) if depth > 8 and samples.dtype == np.uint8 else ()
    return _Decoded(_to_the_top(samples, depth), image.info, notes=notes, cmyk=image.mode == "CMYK")


def _jp2_depth(stream: IO[bytes]) -> int:
    """Bits of a sample of JPEG 2000 (ISO/IEC 15444-1, A.5.1), which Pillow does not tell."""
    stream.seek(0)
    head = stream.read(65536)
    start = head.find(b"\xff\x4f\xff\x51")
    return (head[start + 42] & 0x7F) + 1 if 0 <= start < len(head) - 42 else 8


def _import(module: str, package: str) -> Any:  # noqa: ANN401  optional libraries without types
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ModuleNotFoundError(package) from error


def _as_image(decoded: _Decoded) -> pyvips.Image:
    samples = decoded.samples
    deep, channels = samples.dtype == np.uint16, samples.shape[2]
    image = pyvips.Image.new_from_array(np.ascontiguousarray(samples))
    if decoded.cmyk:
        space = "cmyk"
    elif channels < 3:
        space = "grey16" if deep else "b-w"
    else:
        space = "rgb16" if deep else "srgb"
    image = image.copy(interpretation=space)
    for name, value in (
        ("icc-profile-data", decoded.info.get("icc_profile")),
        ("exif-data", decoded.info.get("exif")),
        ("xmp-data", decoded.info.get("xmp")),
    ):
        if isinstance(value, bytes) and value:
            image.set_type(pyvips.GValue.blob_type, name, value)
    dpi = decoded.info.get("dpi")
    if dpi and all(isinstance(value, (int, float)) and 0 < value < 1e6 for value in dpi):
        image = image.copy(xres=dpi[0] / 25.4, yres=dpi[1] / 25.4)
        image.set_type(pyvips.GValue.gstr_type, "resolution-unit", "in")
    return image
