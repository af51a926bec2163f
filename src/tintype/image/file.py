"""Picture files: the only door between a file and an array of display space, in both directions.

What stands behind it: `decode` reads through libvips and `encode` writes; `picture` holds the plain data that they
share. What the numbers mean to a network is the business of `codec`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from tintype.image.decode import read_header, read_image, read_thumbnail
from tintype.image.encode import write_image
from tintype.image.picture import DecodedImage, ImageHeader, OpenPicture, PictureInfo, Reading, Strip, Writing
from tintype.image.provenance import Provenance
from tintype.image.resize import resize

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

PICTURE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".gif", ".avif", ".heic", ".heif"),
        *(".fits", ".fit", ".fts", ".fits.gz", ".fits.bz2", ".bmp", ".ppm", ".svg", ".jp2"),
    }
)
"""Lower-case suffixes of the files in a folder that are taken for pictures."""


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


class _Whole:
    def __init__(self, image: DecodedImage) -> None:
        self._image = image

    @property
    def info(self) -> PictureInfo:
        image = self._image
        return PictureInfo(
            width=image.width,
            height=image.height,
            channels=image.pixels.shape[2],
            has_alpha=image.alpha is not None,
            bits=image.bits,
            format=image.format,
            path=image.path,
        )

    def strips(self, rows: int) -> Iterator[Strip]:
        for top in range(0, self._image.height, rows):
            alpha = None if self._image.alpha is None else self._image.alpha[top : top + rows]
            yield Strip(top, self._image.pixels[top : top + rows], alpha)

    def reduced(self, height: int, width: int) -> np.ndarray:
        return resize(self._image.pixels, height, width).clip(0, 1)


def open_picture(source: Path | str | bytes, reading: Reading = Reading()) -> OpenPicture:
    """Shim."""
    from tintype.errors import ImageError

    image = read_image(source)
    if image.height * image.width > reading.limits.pixels:
        raise ImageError(f"{image.path}: {image.width} x {image.height} pixels, more than {reading.limits.pixels}")
    return _Whole(image)


def write_picture(
    path: Path,
    strips: Iterator[Strip],
    source: OpenPicture,
    *,
    channels: Literal[1, 3],
    provenance: Provenance | None = None,
    writing: Writing = Writing(),
    keeps_luminance: bool = False,
) -> tuple[str, ...]:
    """Shim."""
    from tintype.atomic import atomic_path

    gathered = list(strips)
    pixels = np.concatenate([strip.pixels for strip in gathered])
    alpha = None if gathered[0].alpha is None else np.concatenate([strip.alpha for strip in gathered])
    image = DecodedImage(pixels, alpha, source.info.bits)
    if path.suffix.lower() in (".fits", ".fit", ".fts"):
        from astropy.io import fits

        with atomic_path(path) as temporary, temporary.open("wb") as file:
            fits.PrimaryHDU(np.moveaxis(pixels, -1, 0)).writeto(file)
    elif path.suffix == ".png" and provenance is not None:
        import dataclasses

        import pyvips

        from tintype.image.picture import to_samples

        samples = to_samples(image.pixels, 16 if image.bits > 8 else 8)
        loaded = pyvips.Image.new_from_array(np.ascontiguousarray(samples))
        loaded = loaded.copy(interpretation={8: "srgb", 16: "rgb16"}[8 * samples.itemsize])
        loaded.set_type(pyvips.GValue.gstr_type, "png-comment-0-Tintype", repr(dataclasses.asdict(provenance)))
        with atomic_path(path) as temporary:
            loaded.write_to_file(str(temporary), compression=1)
    else:
        write_image(path, image)
    return ("written as 8 bits",) if source.info.bits > 8 and path.suffix == ".jpg" else ()


def picture_suffix(path: Path) -> str:
    """Shim."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    joined = "".join(suffixes)
    return joined if joined in PICTURE_SUFFIXES else path.suffix.lower()
