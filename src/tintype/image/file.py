"""Picture files: the only door between a file and an array of display space, in both directions.

What stands behind it: `decode` reads through libvips and `encode` writes, `fits` does both for FITS; `picture` holds
the plain data that they share. What the numbers mean to a network is the business of `codec`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from tintype.errors import UsageError
from tintype.image import encode
from tintype.image.decode import read_header, read_image, read_thumbnail
from tintype.image.picture import STRIP_PIXELS, DecodedImage, ImageHeader, OpenPicture, PictureInfo, Strip, Writing
from tintype.image.provenance import Provenance

__all__ = [
    "PICTURE_SUFFIXES",
    "DecodedImage",
    "ImageHeader",
    "find_pictures",
    "read_header",
    "read_image",
    "read_thumbnail",
    "write_image",
    "write_picture",
]

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".gif", ".avif", ".heic", ".heif"}
)
"""Lower-case suffixes of the files in a folder that are taken for pictures."""

FITS_SUFFIXES = frozenset({".fits", ".fit", ".fts"})
"""Lower-case suffixes that are written as FITS."""

_WRITING = Writing()


def write_picture(
    path: Path | str,
    strips: Iterator[Strip],
    source: OpenPicture,
    *,
    channels: Literal[1, 3],
    provenance: Provenance | None = None,
    writing: Writing = _WRITING,
    keeps_luminance: bool = False,
) -> tuple[str, ...]:
    """Write a result whose rows come in strips, with all that its source says beside the pixels.

    The file appears whole or not at all, and is written in memory that does not grow with the picture where the format
    allows it: PNG, TIFF, JPEG and FITS. Samples are rounded and have the depth of the source where the format holds it.

    Args:
        path: The file; its suffix says as what it is written, its folder must exist. What is there is replaced.
        strips: The result in display space from top to bottom, of the size of the source.
        source: What the result was made from.
        channels: Of the result.
        provenance: The mark that the result carries.
        writing: Where formats leave a choice.
        keeps_luminance: The lightness of the result is that of the source.

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
        )
    return encode.write_strips(path, strips, source.info, channels=channels, provenance=provenance, writing=writing)


def write_image(path: Path | str, image: np.ndarray | DecodedImage, *, bits: Literal[8, 16] | None = None) -> None:
    """Write a picture that is in memory; the suffix says as what: .png, .tif, .jpg, .webp, .avif.

    The file appears whole or not at all. Samples are rounded, not truncated; JPEG and WebP have quality 95.

    Args:
        path: The file; its folder must exist. What is there is replaced.
        image: Display space `h w c` or `h w` in [0, 1], or uint8 or uint16. The alpha and the extras of a
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
    encode.write_strips(Path(path), _strips(image), info, channels=channels, writing=_WRITING)


def _strips(image: DecodedImage) -> Iterator[Strip]:
    rows = max(1, STRIP_PIXELS // image.width)
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
        if path.suffix.lower() in PICTURE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
        and path.is_file()
    )
