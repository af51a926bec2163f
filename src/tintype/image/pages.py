"""The other pages of a TIFF of which one was translated: left out, refused, or copied to their place in the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from tintype.errors import ImageError
from tintype.image.carried import Format, page_exif
from tintype.image.color import to_grey
from tintype.image.picture import OpenPicture, PictureInfo, Strip, Writing, strip_rows

OpenPage = Callable[[int], OpenPicture]
"""Opens a page of the source, counted from 0."""


@final
@dataclass(frozen=True, slots=True)
class OtherPage:
    """A page that is copied."""

    picture: OpenPicture
    channels: Literal[1, 3]
    """Of the result."""

    @property
    def exif(self) -> bytes:
        """What the page says of itself, as `Carried.exif`."""
        return page_exif(self.picture.info, None, [])

    def strips(self) -> Iterator[Strip]:
        """The page in the channels of the result."""
        for strip in self.picture.strips(strip_rows(self.picture.info.width)):
            yield Strip(strip.top, _in_channels(strip.pixels, self.channels), strip.alpha)


def other_pages(
    info: PictureInfo,
    writing: Writing,
    file_format: Format,
    open_page: OpenPage | None,
    channels: Literal[1, 3],
    notes: list[str],
) -> tuple[list[OtherPage], list[OtherPage]]:
    """Return the pages to be written before and after the result.

    Raises:
        ImageError: There are others, which are to be refused, or cannot be kept.
    """
    others = info.pages - 1 if info.format == "tiff" else 0
    if others == 0:
        return [], []
    count = "1 other page" if others == 1 else f"{others} other pages"
    if writing.other_pages == "refuse":
        raise ImageError(f"{info.name}: has {count}; split the file, or choose that they are left out or kept")
    if writing.other_pages == "leave" or file_format != "TIFF" or open_page is None:
        reason = f": {file_format} holds one" if writing.other_pages == "keep" and file_format != "TIFF" else ""
        notes.append(f"{count} left out{reason}")
        return [], []
    pages = [OtherPage(open_page(number), channels) for number in range(info.pages) if number != info.page]
    for page in pages:
        other = page.picture.info
        if (other.width, other.height) != (info.width, info.height):
            raise ImageError(
                f"{info.name}: page {other.page} has {other.width} x {other.height} pixels, page {info.page} "
                f"{info.width} x {info.height}; pages of different sizes cannot be kept: leave the others out"
            )
    return pages[: info.page], pages[info.page :]


def _in_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    if pixels.shape[2] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=2)
    return np.moveaxis(to_grey(np.moveaxis(pixels, 2, 0), "lab"), 0, 2)
