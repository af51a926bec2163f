"""Picture files: the only door between a file and an array of display space, in both directions.

What stands behind it: `decode` reads through libvips and `encode` writes, `fits` does both for FITS; `picture` holds
the plain data that they share. What the numbers mean to a network is the business of `codec`.
"""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Literal

import numpy as np

from tintype.errors import UsageError
from tintype.image import encode
from tintype.image.decode import VipsPicture
from tintype.image.picture import (
    DecodedImage,
    ImageHeader,
    OpenPicture,
    PictureInfo,
    Reading,
    Strip,
    Writing,
    strip_rows,
    to_samples,
)
from tintype.image.provenance import Provenance
from tintype.image.source import Source, image_errors, label, open_binary

__all__ = [
    "PICTURE_SUFFIXES",
    "DecodedImage",
    "ImageHeader",
    "find_pictures",
    "open_picture",
    "picture_suffix",
    "read_header",
    "read_image",
    "read_thumbnail",
    "write_image",
    "write_picture",
]

FITS_SUFFIXES = frozenset({".fits", ".fit", ".fts"})
"""Lower-case suffixes that are written as FITS."""

PICTURE_SUFFIXES = frozenset({stem + end for stem in FITS_SUFFIXES for end in ("", ".gz", ".bz2")}) | {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".tif", ".tiff", ".webp", ".gif", ".svg"),
    *(".avif", ".avifs", ".heic", ".heif", ".hif"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".bmp", ".dib", ".tga", ".jp2", ".j2k", ".psd"),
}
"""Lower-case suffixes of the files in a folder that are taken for pictures; see `picture_suffix`."""

_WRITING = Writing()
_FITS_START = b"SIMPLE  ="
_BZIP2_BLOCK = 2**20


def open_picture(source: Source, reading: Reading = Reading()) -> OpenPicture:
    """Open a picture file, or the bytes of one, whatever its suffix says.

    Integer samples are divided by the largest value that they can have; float samples are taken to be sRGB-encoded in
    [0, 1] already and are clipped to it. A profile that cannot be used is ignored, which a note says.

    Raises:
        ImageError: The file is missing, no picture, beyond the limits, neither grey nor colour, or has no such page.
            That it is damaged or cut short may turn out only when its pixels are asked for.
    """
    with image_errors(label(source)), open_binary(source, reading.limits) as stream:
        fits = _holds_fits(stream)
    if fits:
        from tintype.image.fits import open_fits

        return open_fits(source, reading)
    return VipsPicture(source, reading)


def read_image(source: Source, reading: Reading = Reading()) -> DecodedImage:
    """Decode a picture file, or the bytes of one, to display space.

    Raises:
        ImageError: As for `open_picture`, or the file is damaged or cut short.
    """
    picture = open_picture(source, reading)
    info = picture.info
    pixels = np.empty((info.height, info.width, info.channels), np.float32)
    alpha = np.empty((info.height, info.width), np.float32) if info.has_alpha else None
    for strip in picture.strips(strip_rows(info.width)):
        rows = slice(strip.top, strip.top + strip.pixels.shape[0])
        pixels[rows] = strip.pixels
        if alpha is not None:
            alpha[rows] = 1 if strip.alpha is None else strip.alpha
    return DecodedImage(
        pixels=pixels,
        alpha=alpha,
        bits=info.bits,
        format=info.format,
        path=info.path,
        floating=info.floating,
        extras=info.extras,
    )


def read_header(path: Path | str) -> ImageHeader:
    """Read size, depth and format of a picture file.

    Raises:
        ImageError: As for `open_picture`.
    """
    picture = open_picture(path)
    if isinstance(picture, VipsPicture):
        return picture.header
    info = picture.info
    space = "b-w" if info.channels == 1 else "srgb"
    return ImageHeader(info.width, info.height, info.channels + info.has_alpha, info.bits, info.format, space)


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
    picture = open_picture(path)
    if isinstance(picture, VipsPicture):
        return picture.thumbnail(shorter_side)
    scale = shorter_side / min(picture.info.height, picture.info.width)
    return to_samples(picture.reduced(round(picture.info.height * scale), round(picture.info.width * scale)), 8)


def picture_suffix(path: Path) -> str:
    """The suffix that makes a file a picture, lower-case and with that of its compression: "" where there is none."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    return next((suffix for suffix in ("".join(suffixes), *suffixes[-1:]) if suffix in PICTURE_SUFFIXES), "")


def write_picture(
    path: Path | str,
    strips: Iterator[Strip],
    source: OpenPicture,
    *,
    channels: Literal[1, 3],
    provenance: Provenance | None = None,
    writing: Writing = _WRITING,
    keeps_luminance: bool = False,
    scale: int = 1,
) -> tuple[str, ...]:
    """Write a result whose rows come in strips, with all that its source says beside the pixels.

    The file appears whole or not at all, and is written in memory that does not grow with the picture where the format
    allows it: PNG, TIFF, JPEG and FITS. Samples are rounded and have the depth of the source where the format holds it.

    Args:
        path: The file; its suffix says as what it is written, its folder must exist. What is there is replaced.
        strips: The result in display space from top to bottom, of `scale` times the size of the source.
        source: What the result was made from.
        channels: Of the result.
        provenance: The mark that the result carries.
        writing: Where formats leave a choice.
        keeps_luminance: The lightness of the result is that of the source.
        scale: Times that the result is larger than its source, in width and in height.

    Returns:
        What the user should hear: what the format does not hold, other pages that were left out.

    Raises:
        ImageError: Other pages of the source cannot be kept, or are to be refused; whatever `strips` raises.
        OutputError: The suffix is unknown, the file cannot be written, or the format cannot hold so large a picture.
    """
    path = Path(path)
    if path.suffix.lower() in FITS_SUFFIXES:
        from tintype.image.fits import write_fits

        return write_fits(
            path,
            strips,
            source,
            channels=channels,
            provenance=provenance,
            writing=writing,
            keeps_luminance=keeps_luminance,
            scale=scale,
        )
    return encode.write_strips(
        path,
        strips,
        replace(source.info, width=scale * source.info.width, height=scale * source.info.height),
        channels=channels,
        provenance=provenance,
        writing=writing,
        open_page=source.at_page if isinstance(source, VipsPicture) else None,
    )


def write_image(path: Path | str, image: np.ndarray | DecodedImage, *, bits: Literal[8, 16] | None = None) -> None:
    """Write a picture that is in memory; the suffix says as what: .png, .tif, .jpg, .webp, .avif.

    The file appears whole or not at all. Samples are rounded, not truncated; JPEG and WebP have quality 95.

    Args:
        path: The file; its folder must exist. What is there is replaced.
        image: Display space `h w c` or `h w` in [0, 1], or uint8 or uint16. Alpha, extras and mark of a
            `DecodedImage` are kept where the format holds them.
        bits: Bits of a sample, where the format leaves a choice; default: those of the image, 8 for a float array.

    Raises:
        OutputError: The suffix is unknown, the file cannot be written, or the format cannot hold so large a picture.
        UsageError: The array is not a picture.
    """
    if not isinstance(image, DecodedImage):
        pixels = np.asarray(image)
        image = DecodedImage(_as_display(pixels), bits=16 if pixels.dtype == np.uint16 else 8)
    channels: Literal[1, 3] = 1 if image.pixels.shape[2] == 1 else 3
    info = PictureInfo(
        width=image.width,
        height=image.height,
        channels=channels,
        has_alpha=image.alpha is not None,
        bits=bits or image.bits,
        floating=image.floating and bits is None,
        format=image.format,
        path=image.path,
        extras=image.extras,
    )
    encode.write_strips(
        Path(path), _strips(image), info, channels=channels, writing=_WRITING, provenance=image.provenance
    )


def _strips(image: DecodedImage) -> Iterator[Strip]:
    rows = strip_rows(image.width)
    for top in range(0, image.height, rows):
        part = slice(top, top + rows)
        yield Strip(top, image.pixels[part], None if image.alpha is None else image.alpha[part])


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


def find_pictures(folder: Path | str) -> list[Path]:
    """List the files below a folder that have the suffix of a picture, sorted; hidden ones are left out."""
    root = Path(folder)
    return sorted(
        path
        for path in root.rglob("*")
        if picture_suffix(path)
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
        and path.is_file()
    )


def _holds_fits(stream: IO[bytes]) -> bool:
    head = stream.read(512)
    try:
        if head.startswith(b"\x1f\x8b"):
            head = zlib.decompressobj(31).decompress(head, len(_FITS_START))
        elif head.startswith(b"BZh"):
            # nothing of a block comes out before all of it went in
            head = bz2.BZ2Decompressor().decompress(head + stream.read(_BZIP2_BLOCK), len(_FITS_START))
    except (zlib.error, OSError):
        return False
    return head.startswith(_FITS_START)
