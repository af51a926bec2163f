"""What opens a picture file: one of the loaders of libvips that are trusted with it, or what `foreign` decodes.

SVG is read, although libvips calls it untrusted: from a descriptor it has no address of its own, so that librsvg loads
nothing that it refers to. Only the loaders of `_LOADERS` are used, whatever else a build of libvips may bring along.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, Literal, Protocol, TypeVar, final

import pyvips

from tintype.errors import ImageError, LimitError
from tintype.image import tiff, tiff_tags
from tintype.image.exif import from_tiff
from tintype.image.foreign import load_foreign
from tintype.image.picture import Extras, Limits, Reading
from tintype.image.png_chunks import read_chunks
from tintype.image.source import Source, label, open_binary, vips_reason, vips_source

Access = Literal["sequential", "random"]
"""How the pixels of an opened file will be asked for: from top to bottom, or anywhere."""

_Value = TypeVar("_Value", int, str)

_LOADERS = frozenset(
    {"jpegload", "pngload", "tiffload", "webpload", "gifload", "heifload", "svgload", "jxlload", "jp2kload"}
)
_PAGED = frozenset({"tiffload", "webpload", "gifload", "heifload"})
_WHOLE = frozenset({"webpload", "gifload", "heifload", "jxlload", "jp2kload"})
_JPEG = b"\xff\xd8\xff"
_SEQUENCES = (b"ftypavis", b"ftypmsf1", b"ftyphevc", b"ftyphevx")

# Operations are never repeated on the same file: the cache of libvips would only keep past pictures in memory.
pyvips.cache_set_max(0)


class Opener(Protocol):
    """Opens the same picture as often as it is asked to."""

    @property
    def format(self) -> str:
        """See `PictureInfo.format`."""
        ...

    def open(self, access: Access, shrink: int = 1) -> pyvips.Image:
        """Open anew; `shrink` reduces JPEG while it is decoded."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Opened:
    """A file of which the header was read."""

    opener: Opener
    image: pyvips.Image
    """Its header; sequential, for no more than one reading."""
    pages: int = 1
    notes: tuple[str, ...] = ()
    extras: Extras = field(default_factory=Extras)
    """What libvips does not tell: compression and tags of a TIFF, texts and density of a PNG."""


def identify(source: Source, reading: Reading) -> Opened:
    """Find out what reads a file and open it.

    Raises:
        OSError: The file cannot be read.
        ImageError: Nothing reads it, it is beyond the limits, or it has no such page.
        pyvips.Error: Its header is damaged.
    """
    limits = reading.limits
    with open_binary(source, limits) as stream:
        loader = _find_loader(source, limits, stream)
        if loader is None:
            return _from_foreign(source, reading)
        opener = _Libvips(source, limits, loader)
        image = opener.open("sequential")
        _check_size(image, loader, limits, label(source))
        match loader:
            case "tiffload":
                return _with_page_of_tiff(opener, image, stream, reading)
            case "pngload":
                found = read_chunks(stream)
                _check_page(reading.page, found.frames, reading, opener.name, readable=1)
                extras = Extras(text=found.texts, density=found.density, density_unit="cm" if found.density else "")
                return Opened(opener, image, found.frames, _page_notes(0, found.frames, "frame"), extras)
            case "heifload":
                if _field(image, "heif-compression", "av1") != "av1" and (reason := _failure(image)):
                    return _from_foreign(source, reading, reason)
                opened = _with_page(opener, image, reading, "picture")
                if _is_sequence(stream):
                    return Opened(opener, opened.image, opened.pages, ("the first picture of a sequence",))
                return opened
    return _with_page(opener, image, reading, "frame")


@final
class _Libvips:
    """A file that libvips reads by itself."""

    def __init__(self, source: Source, limits: Limits, loader: str) -> None:
        self.format = loader.removesuffix("load")
        self.loader = loader
        self.name = label(source)
        self.page = 0
        self._source, self._limits = source, limits

    def open(self, access: Access, shrink: int = 1) -> pyvips.Image:
        """See `Opener.open`."""
        # below "error" a TIFF that was cut short would be half a picture and half black
        options: dict[str, object] = {"access": access, "fail_on": "error"}
        if self.page:
            options["page"] = self.page
        if shrink > 1:
            options["shrink"] = shrink
        load = getattr(pyvips.Image, f"{self.loader}_source")
        return _full_scale(load(vips_source(self._source, self._limits), **options))


@final
class _InMemory:
    """A file that something else has decoded."""

    def __init__(self, image: pyvips.Image, file_format: str) -> None:
        self.format = file_format
        self._image = image

    def open(self, access: Access, shrink: int = 1) -> pyvips.Image:
        """See `Opener.open`."""
        return self._image


def _find_loader(source: Source, limits: Limits, stream: IO[bytes]) -> str | None:
    """Return "jpegload" for a JPEG; None for what libvips does not know or may not read."""
    head = stream.read(3)
    if head == b"":
        return None
    if head == _JPEG:  # asked about one, libvips looks for a map of gains, and what looks for it prints what it misses
        return "jpegload"
    found = pyvips.vips_lib.vips_foreign_find_load_source(vips_source(source, limits).pointer)
    if found == pyvips.ffi.NULL:
        pyvips.vips_lib.vips_error_clear()
        # libvips does not know their brands, but reads their first picture
        return "heifload" if _is_sequence(stream) else None
    gtype = pyvips.type_from_name(pyvips.ffi.string(found).decode())
    loader = pyvips.nickname_find(gtype).removesuffix("_source")
    return loader if loader in _LOADERS else None


def _is_sequence(stream: IO[bytes]) -> bool:
    """Whether a file of the AVIF and HEIF family is an animation."""
    stream.seek(0)
    return stream.read(12)[4:] in _SEQUENCES


def _from_foreign(source: Source, reading: Reading, reason: str = "not in a known format") -> Opened:
    found = load_foreign(source, reading.limits, reason)
    _check_page(reading.page, found.pages, reading, label(source), readable=1)
    return Opened(_InMemory(found.image, found.format), found.image, found.pages, found.notes)


def _with_page_of_tiff(opener: _Libvips, image: pyvips.Image, stream: IO[bytes], reading: Reading) -> Opened:
    """Choose among the pages of a TIFF that are pictures of their own: the levels of a pyramid are not."""
    count = _field(image, "n-pages", 1)
    _check_page(0, count, reading, opener.name)
    read_at = tiff.reader(stream)
    pages = [page for page in tiff_tags.whole_pages(read_at, count) if page < count] or list(range(count))
    _check_page(reading.page, len(pages), reading, opener.name)
    image = _at_page(opener, image, pages[reading.page], reading.limits)
    notes = _page_notes(reading.page, len(pages), "page")
    try:
        layout, directory = tiff.find_directory(read_at, reading.page)
        extras = Extras(compression=tiff_tags.compression(directory, layout), exif=from_tiff(read_at, reading.page))
    except tiff.DamagedTiffError:
        return Opened(opener, image, len(pages), (*notes, "its tags are damaged and are left out"))
    if tiff_tags.has_unspecified_channel(directory, layout) and image.hasalpha():
        notes += ("its last channel, the use of which it does not state, is taken for alpha",)
    return Opened(opener, image, len(pages), notes, extras)


def _with_page(opener: _Libvips, image: pyvips.Image, reading: Reading, kind: str) -> Opened:
    pages = _field(image, "n-pages", 1) if opener.loader in _PAGED else 1
    _check_page(reading.page, pages, reading, opener.name)
    image = _at_page(opener, image, reading.page, reading.limits)
    return Opened(opener, image, pages, _page_notes(reading.page, pages, kind))


def _at_page(opener: _Libvips, image: pyvips.Image, page: int, limits: Limits) -> pyvips.Image:
    if page == 0:
        return image
    opener.page = page
    image = opener.open("sequential")
    _check_size(image, opener.loader, limits, opener.name)
    return image


def _check_page(page: int, pages: int, reading: Reading, name: str, readable: int | None = None) -> None:
    """Refuse too many pages, and a page beyond them or beyond those that can be read."""
    if pages > reading.limits.frames:
        raise LimitError(f"{name}: {pages:,} pages or frames, more than the {reading.limits.frames:,} that are allowed")
    if not 0 <= page < pages:
        count = "1 page" if pages == 1 else f"{pages} pages"
        raise ImageError(f"{name}: has {count}; page {page + 1}, counted from 1, is not among them")
    if page >= (readable or pages):
        raise ImageError(
            f"{name}: of its {pages} pages or frames only the first can be read; page {page} was asked for"
        )


def _page_notes(page: int, pages: int, kind: str) -> tuple[str, ...]:
    if pages == 1:
        return ()
    if kind == "page" or page > 0:
        return (f"{kind} {page + 1} of {pages}",)
    return (f"the first of {pages} {kind}s",)


def _check_size(image: pyvips.Image, loader: str, limits: Limits, name: str) -> None:
    size = f"{name}: {image.width} x {image.height} pixels, more than the"
    if image.width * image.height > limits.pixels:
        raise LimitError(f"{size} {limits.pixels:,} that are allowed; reduce or cut it first")
    whole = loader in _WHOLE or _field(image, "interlaced", 0)
    if whole and image.width * image.height > limits.pixels_in_memory:
        raise LimitError(
            f"{size} {limits.pixels_in_memory:,} that are allowed where a picture can only be decoded as a whole; "
            "convert it to TIFF first"
        )


def _failure(image: pyvips.Image) -> str:
    """Why an image cannot be decoded; empty: it can."""
    try:
        image.crop(0, 0, 1, 1).avg()
    except pyvips.Error as error:
        return vips_reason(error)
    return ""


def _full_scale(image: pyvips.Image) -> pyvips.Image:
    """Samples of 10 or 12 bits come shifted to 16: the lowest bits of white are missing."""
    if image.format != "ushort" or not image.get_typeof("heif-compression"):
        return image
    bits = _field(image, "bits-per-sample", 16)
    white = (2**bits - 1) << (16 - bits)
    return image if white == 65535 else (image * (65535 / white)).rint().cast("ushort")


def _field(image: pyvips.Image, name: str, default: _Value) -> _Value:
    return image.get(name) if image.get_typeof(name) else default
