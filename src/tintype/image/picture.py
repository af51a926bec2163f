"""What a picture is between its file and a network: plain data, and the protocol that readers and writers share.

Display space is float32 `h w c` in [0, 1], sRGB-encoded, c = 1 for grey and 3 for colour. A picture is either whole in
memory (`DecodedImage`) or open (`OpenPicture`): known by its header, read strip by strip, so that its size does not
matter. How files are read and written is the business of `file` and what stands behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, final

import numpy as np

from tintype.image.stretch import StretchKind

if TYPE_CHECKING:
    from tintype.image.provenance import Provenance

Bits = Literal[8, 16, 32]
"""Bits of a sample in a file; fewer than 8 count as 8, the 10 and 12 of AVIF and HEIC as 16."""

OtherPages = Literal["leave", "keep", "refuse"]
"""What becomes of the pages of a file beside the one that is translated."""

STRIP_PIXELS = 2**18
"""Pixels of a strip: bounds the temporaries of big pictures, and is fastest when caches hold them."""


def strip_rows(width: int) -> int:
    """Rows of a strip of a picture of so many columns."""
    return max(1, STRIP_PIXELS // width)


@final
@dataclass(frozen=True, slots=True)
class Extras:
    """What a file says beside its pixels, in the bytes that it says it in; empty: it does not."""

    profile: bytes = b""
    """ICC profile, of whatever colour space."""
    exif: bytes = b""
    """Exif as a TIFF stream ("II*\\0..." or "MM\\0*..."), orientation as in the file."""
    xmp: bytes = b""
    iptc: bytes = b""
    text: tuple[tuple[str, str], ...] = ()
    """Keyword and text of the text chunks of a PNG."""
    density: tuple[float, float] | None = None
    """Pixels per millimetre, across and down."""
    density_unit: Literal["in", "cm", ""] = ""
    compression: str = ""
    """Of a TIFF, in the words of libvips: "none", "lzw", "deflate", ..."""


@final
@dataclass(frozen=True, slots=True)
class PictureInfo:
    """What is known of a picture before its pixels are decoded; sizes are those after its orientation is applied."""

    width: int
    height: int
    channels: Literal[1, 3]
    """Of display space: 1 grey, 3 colour."""
    has_alpha: bool = False
    bits: Bits = 8
    floating: bool = False
    """Samples of the file are floating-point numbers."""
    format: str = ""
    """What the file is, whatever its suffix: "jpeg", "png", "tiff", "webp", "gif", "heif", "svg", "fits", ..."""
    interpretation: str = ""
    """Colour space of the file in the words of libvips: "b-w", "srgb", "rgb16", "cmyk", ...; empty: not known."""
    path: Path | None = None
    """None for a picture that did not come from a named file."""
    page: int = 0
    pages: int = 1
    """Pages of a TIFF, frames of an animation, pictures of a FITS file."""
    notes: tuple[str, ...] = ()
    """What the user should hear: "the first of 5 frames", "3 % of the pixels are blank"."""
    extras: Extras = field(default_factory=Extras)

    @property
    def name(self) -> str:
        """The picture in a message."""
        return str(self.path or "picture").encode(errors="backslashreplace").decode()


@final
@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Whole rows of a picture."""

    top: int
    pixels: np.ndarray
    """Display space, float32 `rows w c`."""
    alpha: np.ndarray | None = None
    """float32 `rows w` in [0, 1], float64 where the file has 32-bit integers; None: opaque."""


class OpenPicture(Protocol):
    """A picture file that is open: its header is known, its pixels are decoded when they are asked for."""

    @property
    def info(self) -> PictureInfo:
        """What is known without decoding."""
        ...

    def strips(self, rows: int) -> Iterator[Strip]:
        """Decode from top to bottom in strips of `rows` rows (the last may be lower); each call starts anew.

        Raises:
            ImageError: The file is damaged or cut short.
        """
        ...

    def reduced(self, height: int, width: int) -> np.ndarray:
        """The whole picture in another size, antialiased, without alpha: float32 `height width c` in [0, 1].

        Raises:
            ImageError: The file is damaged or cut short.
        """
        ...


@final
@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may at most be; checked before it is decoded."""

    pixels: int = 1_000_000_000
    pixels_in_memory: int = 2**28
    """Of a picture that can only be decoded as a whole: interlaced PNG, progressive JPEG, WebP, GIF, AVIF, ..."""
    bytes: int = 16 * 2**30
    frames: int = 10_000


@final
@dataclass(frozen=True, slots=True)
class Reading:
    """How files are read, where they leave a choice."""

    page: int = 0
    """Of a TIFF or an animation, counted from 0."""
    limits: Limits = Limits()
    hdu: int | str | None = None
    """Of a FITS file: number, counted from 0, or EXTNAME; None: the first one that holds a picture."""
    plane: int = 0
    """Of a FITS cube, counted from 0."""
    stretch: StretchKind = "asinh"
    """Of a FITS file: how its values become display values."""


@final
@dataclass(frozen=True, slots=True)
class Writing:
    """How results are written, where formats leave a choice."""

    pyramid: bool = False
    """TIFF with reduced copies of itself in tiles, as viewers of large pictures want it."""
    other_pages: OtherPages = "leave"
    flux: bool = False
    """FITS in the units of the input instead of display values."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """A picture in display space with what its file said about it."""

    pixels: np.ndarray
    """float32 `h w c`, sRGB-encoded in [0, 1]; c is 1 or 3."""
    alpha: np.ndarray | None = None
    """float32 `h w` in [0, 1]; None: opaque."""
    bits: Bits = 8
    format: str = ""
    """See `PictureInfo.format`."""
    path: Path | None = None
    """None for a picture that did not come from a named file."""
    floating: bool = False
    """See `PictureInfo.floating`."""
    extras: Extras = field(default_factory=Extras)
    """Written again by `write_image`, as far as the format holds it."""
    provenance: Provenance | None = None
    """The mark that `write_image` writes into the file; None: the picture was not predicted."""

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
    """What a picture file says about itself, as the check of a folder wants it."""

    width: int
    """Columns after the orientation has been applied."""
    height: int
    """Rows after the orientation has been applied."""
    bands: int
    """Channels in the file, alpha included."""
    bits: Bits
    format: str
    interpretation: str
    """Colour space in the words of libvips: "b-w", "srgb", "rgb16", "cmyk", ..."""


def to_samples(pixels: np.ndarray, bits: Literal[8, 16]) -> np.ndarray:
    """Display values as uint8 or uint16: rounded, not truncated; what lies outside [0, 1] is clipped."""
    dtype = np.uint16 if bits == 16 else np.uint8
    return np.rint(np.clip(pixels, 0, 1) * np.iinfo(dtype).max).astype(dtype)
