"""FITS files as containers: plain, packed or compressed by tiles, to the HDUs in them and the rows of a plane.

Every file becomes a plain one that can be read at any place, if need be a temporary one, so that memory does not depend
on its size. Headers are astropy's business; the samples of uncompressed HDUs are read here, in the few lines that FITS
4.0 (section 5) asks for, so that threads can share a file and nothing is mapped that may turn out to be cut short.
"""

from __future__ import annotations

import bz2
import gzip
import io
import os
import re
import tempfile
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, final

import numpy as np

from tintype.errors import ImageError, LimitError, TintypeError
from tintype.image.fits_tiles import unpack_planes
from tintype.image.picture import Limits

if TYPE_CHECKING:
    from astropy.io import fits

FITS_SUFFIXES = tuple(kind + packed for packed in ("", ".gz", ".bz2", ".fz") for kind in (".fits", ".fit", ".fts"))
"""Lower-case endings of the names of FITS files; results of packed ones are plain ".fits"."""

_MAGIC = b"SIMPLE  ="
_BLOCK = 2880
_HEADER_BLOCKS = 10_000
_COUNT = re.compile(rb"(Z?NAXIS|TFIELDS) *= *\+?(\d{1,80})", re.IGNORECASE)
_CHUNK = 2**22
_BOMB_BYTES, _BOMB_RATIO = 2**30, 250  # no picture of this size can be packed so well
_SIDE = 2**20  # rows of a strip are held whole

_SAMPLES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}

_astropy = threading.RLock()  # warnings are caught for the whole process: one thread at a time


@contextmanager
def reading_fits(label: str) -> Iterator[None]:
    """Turn whatever astropy raises into an `ImageError` of one line, and drop its warnings."""
    try:
        with _astropy, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except TintypeError:
        raise
    except Exception as error:  # hostile headers reach most of Python's exceptions inside astropy
        words = " ".join(str(error).split()).encode("ascii", "backslashreplace").decode()
        raise ImageError(f"{label}: not a readable FITS file ({(words or type(error).__name__)[:200]})") from error


def is_fits(source: Path | str | bytes) -> bool:
    """Tell by its first bytes, unpacked where it is packed, whether a file is FITS; False if it cannot be read."""
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
            unpacked = _unpacker(file)
            return (unpacked or file).read(len(_MAGIC)) == _MAGIC
    except (OSError, EOFError, ValueError, zlib.error):
        return False


def open_plain(source: Path | str | bytes, label: str, limits: Limits) -> BinaryIO:
    """Open a file, or the bytes of one, for reading at any place; what is packed is unpacked to a temporary file.

    Raises:
        ImageError: It cannot be read, is damaged, no FITS file, or larger than `limits.bytes`.
    """
    try:
        file: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb")  # noqa: SIM115
    except (OSError, ValueError) as error:
        raise ImageError(f"{label}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    try:
        size = _size(file)
        packed = _unpacker(file)
        if packed is not None:
            with file:
                file = _unpack(packed, size, label, limits)
        elif size > limits.bytes:
            raise LimitError(f"{label}: {size:,} bytes, more than the {limits.bytes:,} that are allowed")
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ImageError(f"{label}: not a FITS file; needed is one that begins with SIMPLE")
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _size(file: BinaryIO) -> int:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


def _unpacker(file: BinaryIO) -> gzip.GzipFile | bz2.BZ2File | None:
    """Return what unpacks the file, None where it is plain."""
    start = file.read(4)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    return bz2.BZ2File(file) if start.startswith(b"BZh") else None


def _unpack(packed: gzip.GzipFile | bz2.BZ2File, packed_size: int, label: str, limits: Limits) -> BinaryIO:
    allowed = min(limits.bytes, max(_BOMB_BYTES, _BOMB_RATIO * packed_size))
    try:
        with tempfile.TemporaryFile() as file:
            while chunk := packed.read(_CHUNK):
                if file.tell() + len(chunk) > allowed:
                    raise LimitError(f"{label}: unpacks to more than the {allowed:,} bytes that are allowed")
                file.write(chunk)
            return _reopened(file)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ImageError(f"{label}: cannot be unpacked ({error})") from error


def _reopened(file: BinaryIO) -> BinaryIO:
    """Return a temporary file for reading from its start; the one given may be closed, the last one ends it."""
    file.flush()
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    return os.fdopen(os.dup(file.fileno()), "rb")


@final
@dataclass(frozen=True, slots=True)
class PictureHdu:
    """An HDU that holds a picture or a cube of them."""

    number: int
    name: str
    """EXTNAME, may be empty."""
    shape: tuple[int, ...]
    """Height and width last."""
    compressed: bool
    """By tiles, in a table."""
    hdu: fits.PrimaryHDU | fits.ImageHDU | fits.BinTableHDU

    def __str__(self) -> str:
        size = " x ".join(map(str, reversed(self.shape)))
        return f"{self.number}{f' {self.name}' if self.name else ''} ({size})"

    @property
    def planes(self) -> int:
        """Pictures in the cube; 1 where it is none."""
        return prod(self.shape[:-2])


def list_pictures(file: BinaryIO, label: str, limits: Limits) -> tuple[list[PictureHdu], fits.Header]:
    """Find the HDUs of a plain file that hold pictures, and return them with the header of the first HDU.

    Raises:
        ImageError: There are more than `limits.frames` HDUs, or a header is none.
    """
    from astropy.io import fits

    _check_header(file, 0, label)
    file.seek(0)
    hdus = fits.open(file, memmap=False, lazy_load_hdus=True, disable_image_compression=True)
    found: list[PictureHdu] = []
    for number in count():
        if number >= limits.frames:
            raise LimitError(f"{label}: more than the {limits.frames:,} HDUs that are allowed")
        try:
            if number:
                place = hdus[number - 1].fileinfo()
                _check_header(file, place["datLoc"] + place["datSpan"], label)
            hdu = hdus[number]
        except IndexError:
            return found, hdus[0].header
        except (AttributeError, KeyError, OSError, TypeError, ValueError):
            if not found:
                raise
            return found, hdus[0].header  # damage behind a good picture does not spoil it
        compressed = isinstance(hdu, fits.BinTableHDU) and hdu.header.get("ZIMAGE") is True
        plain = isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU) and not isinstance(hdu, fits.GroupsHDU)
        shape = _shape(hdu.header, "ZNAXIS" if compressed else "NAXIS") if plain or compressed else ()
        if len(shape) >= 2 and min(shape) > 0:
            name = str(hdu.header.get("EXTNAME", "")).strip().encode("ascii", "backslashreplace").decode()
            found.append(PictureHdu(number, name if name != "COMPRESSED_IMAGE" else "", shape, compressed, hdu))
    raise AssertionError  # count() does not end


def _check_header(file: BinaryIO, offset: int, label: str) -> None:
    """Refuse a header that astropy would never come to the end of."""
    file.seek(offset)
    for _ in range(_HEADER_BLOCKS):
        block = file.read(_BLOCK)
        for start in range(0, len(block), 80):
            card = block[start : start + 80]
            if (many := _COUNT.match(card)) and int(many[2]) > 999:
                words = f"{many[1].decode()} = {many[2].decode()}"[:40]
                raise ImageError(f"{label}: not a readable FITS file ({words}; at most 999)")
            if card.startswith(b"END     "):
                return
        if len(block) < _BLOCK:
            return  # whether this is a fault is for astropy to say
    raise ImageError(f"{label}: not a readable FITS file (a header without END)")


def _shape(header: fits.Header, keyword: str) -> tuple[int, ...]:
    """Return the lengths of the axes, height and width last; nothing where the header does not say."""
    try:
        return tuple(int(header[f"{keyword}{axis}"]) for axis in range(int(header[keyword]), 0, -1))
    except (KeyError, TypeError, ValueError):
        return ()


def choose_picture(pictures: list[PictureHdu], wanted: int | str | None, label: str) -> PictureHdu:
    """Pick an HDU by number or EXTNAME, the first for None.

    Raises:
        ImageError: The file holds no picture, or not there; the message lists where.
    """
    if not pictures:
        raise ImageError(f"{label}: holds no picture: no HDU is an image of two or more axes")
    if wanted is None:
        return pictures[0]
    text = str(wanted).strip()
    for picture in pictures:
        if text.casefold() == picture.name.casefold() or text == str(picture.number):
            return picture
    listed = ", ".join(map(str, pictures[:8])) + (", ..." if len(pictures) > 8 else "")
    raise ImageError(f"{label}: HDU {text} holds no picture; HDUs that do: {listed}")


@final
@dataclass(frozen=True, slots=True)
class Plane:
    """The samples of one plane in a plain file."""

    file: BinaryIO
    label: str
    """Of the picture, in messages."""
    offset: int
    dtype: np.dtype
    height: int
    width: int
    scale: float = 1.0
    zero: float = 0.0
    blank: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Planes of one file share it."""

    @property
    def bytes(self) -> int:
        """Of the plane in the file."""
        return self.height * self.width * self.dtype.itemsize

    def rows(self, top: int, rows: int) -> np.ndarray:
        """Return physical values, float64 `rows w`, NaN where blank; row 0 is the last of the file.

        Raises:
            ImageError: The file was changed since it was opened, or cannot be read any more.
        """
        size = rows * self.width * self.dtype.itemsize
        try:
            with self.lock:
                self.file.seek(self.offset + (self.height - top - rows) * self.width * self.dtype.itemsize)
                data = self.file.read(size)
        except OSError as error:
            raise ImageError(f"{self.label}: cannot be read ({error.strerror})") from error
        if len(data) != size:
            raise ImageError(f"{self.label}: became shorter while it was read")
        raw = np.frombuffer(data, self.dtype).reshape(rows, self.width)[::-1]
        if self.dtype == ">i8" and (self.scale, self.zero) == (1, 2.0**63):
            # uint64, of which float64 would lose small values when it adds the zero point
            values = (raw.astype(np.uint64) + np.uint64(2**63)).astype(np.float64)
        else:
            with np.errstate(over="ignore", invalid="ignore"):  # scaled beyond float64: infinite, and so blank
                values = raw.astype(np.float64) * self.scale + self.zero
        values[~np.isfinite(values)] = np.nan
        if self.blank is not None:
            values[raw == self.blank] = np.nan
        return values


def open_planes(
    picture: PictureHdu, numbers: range, file: BinaryIO, label: str, limits: Limits
) -> tuple[BinaryIO, fits.Header, tuple[Plane, ...]]:
    """Make planes of an HDU readable.

    Returns:
        The file that holds them, another one if they were compressed, the header of the image, and the planes.

    Raises:
        ImageError: The HDU has more than `limits.pixels`, is cut short, or unpacks to more than `limits.bytes`.
        ValueError: Its header makes no sense, or what it compresses is damaged.
    """
    height, width = picture.shape[-2:]
    if height * width > limits.pixels or max(height, width) > _SIDE:
        raise LimitError(
            f"{label}: {width} x {height} pixels; allowed are {limits.pixels:,}, and {_SIDE:,} a side; "
            "reduce or cut it first"
        )
    header = picture.hdu.header
    bits = int(header["ZBITPIX" if picture.compressed else "BITPIX"])
    first = Plane(file=file, label=label, offset=0, dtype=np.dtype(_SAMPLES[bits]), height=height, width=width)
    if picture.compressed:
        first, header = _unpack_tiles(picture, first, numbers, limits)
    else:
        size = _size(file)
        offset = int(picture.hdu.fileinfo()["datLoc"]) + numbers.start * first.bytes
        if offset + len(numbers) * first.bytes > size:
            raise ImageError(f"{label}: cut short: HDU {picture} ends at byte {size:,}; fetch it again")
        blank = header.get("BLANK") if bits > 0 else None
        first = replace(
            first,
            offset=offset,
            scale=float(header.get("BSCALE", 1)),
            zero=float(header.get("BZERO", 0)),
            blank=None if blank is None else int(blank),
        )
    planes = tuple(replace(first, offset=first.offset + index * first.bytes) for index in range(len(numbers)))
    return first.file, header, planes


def _unpack_tiles(picture: PictureHdu, plane: Plane, numbers: range, limits: Limits) -> tuple[Plane, fits.Header]:
    """Write the header and physical values to a temporary file, and return where the first plane is in it."""
    from astropy.io import fits

    # integers of 16 bits are exact in float32, and so are those that are scaled to it, in the eyes of astropy
    plane = replace(
        plane, dtype=np.dtype(">f4") if plane.dtype.itemsize < 4 or plane.dtype == ">f4" else np.dtype(">f8")
    )
    if len(numbers) * plane.bytes > limits.bytes:
        raise LimitError(f"{plane.label}: unpacks to more than the {limits.bytes:,} bytes that are allowed")
    with tempfile.TemporaryFile() as unpacked, tempfile.TemporaryFile() as copy:
        source = plane.file
        if isinstance(source, io.BytesIO):  # the process that unpacks needs a file of the operating system
            copy.write(source.getbuffer())
            source = copy
        source.flush()
        os.lseek(source.fileno(), 0, os.SEEK_SET)
        pixels = len(numbers) * plane.height * plane.width
        unpack_planes(source, unpacked, picture.number, numbers, plane.dtype.str, pixels)
        file = _reopened(unpacked)
    header = fits.Header.fromfile(file)
    return replace(plane, file=file, offset=file.tell()), header
