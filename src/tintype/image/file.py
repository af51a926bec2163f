"""Picture files: the only door between a file and an array of display space, in both directions.

What stands behind it: `decode` reads through libvips and `encode` writes; `picture` holds the plain data that they
share. What the numbers mean to a network is the business of `codec`.
"""

from __future__ import annotations

from pathlib import Path

from tintype.image.decode import read_header, read_image, read_thumbnail
from tintype.image.encode import write_image
from tintype.image.picture import DecodedImage, ImageHeader

__all__ = [
    "PICTURE_SUFFIXES",
    "DecodedImage",
    "ImageHeader",
    "find_pictures",
    "read_header",
    "read_image",
    "read_thumbnail",
    "write_image",
]

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".gif", ".avif", ".heic", ".heif"}
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
