"""Picture files to display space, through libvips: opened by their header, decoded strip by strip.

Orientation is applied, embedded ICC profiles and CMYK are converted to sRGB, depth is kept in float, alpha is set
aside. What libvips cannot read is left to `foreign`. Memory does not grow with a picture, but for formats that cannot
be decoded in part (interlaced PNG, progressive JPEG, WebP, AVIF, what `foreign` reads); a picture that has to be
turned is turned on disc.

SVG is read, although libvips calls it untrusted: from a descriptor it has no address of its own, so that librsvg loads
nothing that it refers to. Only the loaders of `_LOADERS` are used, whatever else a build of libvips may bring along.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Literal, Protocol, final

import numpy as np
import pyvips

from tintype.errors import ImageError
from tintype.image import frames, tiff_tags
from tintype.image.display import (
    FULL_SCALE,
    as_float,
    check_channels,
    profile_use,
    rows_of,
    to_display,
    to_float32,
)
from tintype.image.foreign import load_foreign
from tintype.image.metadata import read_extras
from tintype.image.picture import Bits, Extras, ImageHeader, Limits, PictureInfo, Reading, Strip, to_samples
from tintype.image.resize import resize, shrink
from tintype.image.source import Source, image_errors, label, open_binary, vips_reason, vips_source

Access = Literal["sequential", "random"]

_LOADERS = frozenset(
    {"jpegload", "pngload", "tiffload", "webpload", "gifload", "heifload", "svgload", "jxlload", "jp2kload"}
)
_PAGED = frozenset({"tiffload", "webpload", "gifload", "heifload"})

# Operations are never repeated on the same file: the cache of libvips would only keep past pictures in memory.
pyvips.cache_set_max(0)


class _Opener(Protocol):
    """Opens a picture anew."""

    @property
    def format(self) -> str: ...

    def open(self, access: Access, shrink: int = 1) -> pyvips.Image: ...


@final
class _Libvips:
    """A file that libvips reads by itself."""

    def __init__(self, source: Source, limits: Limits, loader: str) -> None:
        self.format = loader.removesuffix("load")
        self.page = 0
        self._source, self._limits, self._loader = source, limits, loader

    def open(self, access: Access, shrink: int = 1) -> pyvips.Image:
        # below "error" a TIFF that was cut short would be half a picture and half black
        options: dict[str, object] = {"access": access, "fail_on": "error"}
        if self.page and self._loader in _PAGED:
            options["page"] = self.page
        if shrink > 1:
            options["shrink"] = shrink
        load = getattr(pyvips.Image, f"{self._loader}_source")
        return _full_scale(load(vips_source(self._source, self._limits), **options))


@final
class _InMemory:
    """A file that something else has decoded."""

    def __init__(self, image: pyvips.Image, file_format: str) -> None:
        self.format = file_format
        self._image = image

    def open(self, access: Access, shrink: int = 1) -> pyvips.Image:
        return self._image


@final
class VipsPicture:
    """An `OpenPicture` that libvips decodes."""

    def __init__(self, source: Source, reading: Reading = Reading()) -> None:
        """Read the header.

        Raises:
            ImageError: The file is missing, no picture, beyond the limits, neither grey nor colour, or has no such
                page.
        """
        self._label = label(source)
        with image_errors(self._label):
            self._opener, info = _identify(source, reading)
            image = self._opener.open("sequential")
            _check_size(image, reading.limits, self._label)
            check_channels(image, self._label)
            orientation = image.get("orientation") if image.get_typeof("orientation") else 1
            # what is turned or upside down cannot be read from top to bottom
            self._access: Access = "random" if 3 <= orientation <= 8 else "sequential"
            self._profile = profile_use(image)
            self._header = _header(image, self._opener.format)
            extras = read_extras(image)
            upright = to_display(image.autorot(), self._profile, alpha=False)
        self._beyond = False
        notes = info.notes
        if self._profile == "unusable":
            notes += ("its colour profile cannot be used and is ignored",)
        self._info = replace(
            info,
            width=upright.width,
            height=upright.height,
            channels=1 if upright.bands == 1 else 3,
            has_alpha=bool(image.hasalpha()),
            bits=self._header.bits,
            floating=image.format in ("float", "double"),
            format=self._opener.format,
            notes=notes,
            extras=replace(
                extras,
                compression=info.extras.compression,
                density=extras.density or info.extras.density,
                density_unit=extras.density_unit or info.extras.density_unit,
            ),
        )

    @property
    def info(self) -> PictureInfo:
        """See `OpenPicture.info`; whether values had to be clipped is known once the strips were read."""
        if not self._beyond:
            return self._info
        return replace(self._info, notes=(*self._info.notes, "values outside [0, 1] were clipped"))

    @property
    def header(self) -> ImageHeader:
        """What the file says about its samples."""
        return self._header

    def strips(self, rows: int) -> Iterator[Strip]:
        """See `OpenPicture.strips`."""
        info = self._info
        with image_errors(self._label):
            image = to_display(self._opener.open(self._access).autorot(), self._profile)
            region = pyvips.Region.new(image)
        for top in range(0, info.height, rows):
            with image_errors(self._label):
                samples = rows_of(region, image, top, min(rows, info.height - top))
            if samples.dtype.kind == "f" and not self._beyond:
                self._beyond = bool((samples < 0).any() or (samples > 1).any())
            pixels = to_float32(samples, FULL_SCALE[image.format])
            alpha = pixels[..., info.channels] if info.has_alpha else None
            yield Strip(top, pixels[..., : info.channels], alpha)

    def reduced(self, height: int, width: int) -> np.ndarray:
        """See `OpenPicture.reduced`."""
        with image_errors(self._label):
            image = to_display(self._opener.open(self._access).autorot(), self._profile, alpha=False)
            pixels = shrink(as_float(image), height, width).numpy()
        pixels = pixels.reshape(min(height, image.height), min(width, image.width), image.bands)
        return np.clip(resize(pixels, height, width), 0, 1)

    def thumbnail(self, shorter_side: int) -> np.ndarray:
        """See `file.read_thumbnail`."""
        with image_errors(self._label):
            image = self._opener.open("sequential")
            scale = shorter_side / min(image.width, image.height)
            width, height = round(image.width * scale), round(image.height * scale)
            if scale < 1 and image.format not in ("float", "double"):
                if self._opener.format == "jpeg":
                    # leaves at least twice the pixels needed; `thumbnail` of libvips passes over truncated files
                    image = self._opener.open("sequential", next((n for n in (8, 4, 2) if n * scale <= 0.5), 1))
                small = to_display(image, self._profile, alpha=False)
                small = small.resize(width / image.width, vscale=height / image.height).copy_memory().autorot()
                samples = small.numpy().reshape(small.height, small.width, small.bands)
                return to_samples(to_float32(samples, FULL_SCALE[small.format]), 8)
        turned = self._info.height != image.height
        return to_samples(self.reduced(*((width, height) if turned else (height, width))), 8)


def _identify(source: Source, reading: Reading) -> tuple[_Opener, PictureInfo]:
    """Find out what reads a file, and what of it libvips does not tell.

    Raises:
        ImageError: Nothing reads it, or it has no such page or too many of them.
    """
    limits, name = reading.limits, label(source)
    path = None if isinstance(source, bytes) else Path(source)
    with open_binary(source, limits) as stream:
        loader = _find_loader(source, limits, stream)
        if loader is None:
            return _from_foreign(source, reading, path)
        opener = _Libvips(source, limits, loader)
        image = opener.open("sequential")
        if loader == "heifload" and image.get("heif-compression") != "av1" and (reason := _failure(image)):
            return _from_foreign(source, reading, path, reason)
        pages = image.get("n-pages") if loader in _PAGED and image.get_typeof("n-pages") else 1
        _check_page(0, pages, limits, name)
        numbers, extras, kind = list(range(pages)), Extras(), "frame"
        match opener.format:
            case "tiff" if layout := tiff_tags.read_layout(stream):
                kind = "page"
                numbers = [n for n in tiff_tags.whole_pages(stream, layout, pages) if n < pages] or numbers
                _check_page(reading.page, len(numbers), limits, name)
                extras = Extras(compression=tiff_tags.compression(stream, layout, numbers[reading.page]))
            case "png":
                facts = frames.png_facts(stream)
                numbers = [0] * facts.frames
                density_unit: Literal["cm", ""] = "cm" if facts.density else ""
                extras = Extras(density=facts.density, density_unit=density_unit)
            case "heif":
                kind = "picture"
        _check_page(reading.page, len(numbers), limits, name)
        opener.page = numbers[reading.page]
        notes = _page_notes(reading.page, len(numbers), kind)
        if opener.format == "heif" and frames.is_sequence(stream):
            notes = ("the first picture of a sequence",)
    return opener, PictureInfo(0, 0, 1, path=path, page=reading.page, pages=len(numbers), notes=notes, extras=extras)


def _from_foreign(
    source: Source, reading: Reading, path: Path | None, reason: str = "not in a known format"
) -> tuple[_Opener, PictureInfo]:
    found = load_foreign(source, reading.limits, reason)
    _check_page(reading.page, 1, reading.limits, label(source))
    return _InMemory(found.image, found.format), PictureInfo(0, 0, 1, path=path, pages=found.pages, notes=found.notes)


def _find_loader(source: Source, limits: Limits, stream: IO[bytes]) -> str | None:
    """Return "jpegload" for a JPEG; None for what libvips does not know or may not read."""
    if source == b"":
        return None
    found = pyvips.vips_lib.vips_foreign_find_load_source(vips_source(source, limits).pointer)
    if found == pyvips.ffi.NULL:
        pyvips.vips_lib.vips_error_clear()
        # libvips does not know their brands, but reads their first picture
        return "heifload" if frames.is_sequence(stream) else None
    gtype = pyvips.type_from_name(pyvips.ffi.string(found).decode())
    loader = pyvips.nickname_find(gtype).removesuffix("_source")
    loader = "jpegload" if loader == "uhdrload" else loader  # a JPEG with a map of gains, which is for screens
    return loader if loader in _LOADERS else None


def _failure(image: pyvips.Image) -> str:
    """Why an image cannot be decoded; empty: it can."""
    try:
        image.crop(0, 0, 1, 1).avg()
    except pyvips.Error as error:
        return vips_reason(error)
    return ""


def _check_page(page: int, pages: int, limits: Limits, name: str) -> None:
    if pages > limits.frames:
        raise ImageError(f"{name}: {pages:,} pages or frames, more than the {limits.frames:,} that are allowed")
    if not 0 <= page < pages:
        count = "1 page" if pages == 1 else f"{pages} pages"
        raise ImageError(f"{name}: has {count}; page {page}, counted from 0, is not among them")


def _page_notes(page: int, pages: int, kind: str) -> tuple[str, ...]:
    if pages == 1:
        return ()
    if kind == "page" or page > 0:
        return (f"{kind} {page + 1} of {pages}",)
    return (f"the first of {pages} {kind}s",)


def _check_size(image: pyvips.Image, limits: Limits, name: str) -> None:
    if image.width * image.height > limits.pixels:
        raise ImageError(
            f"{name}: {image.width} x {image.height} pixels, more than the {limits.pixels:,} that are allowed; "
            "reduce or cut it first"
        )


def _header(image: pyvips.Image, file_format: str) -> ImageHeader:
    upright = image.autorot()
    bits: Bits = 8 if image.format in ("uchar", "char") else 16 if image.format in ("ushort", "short") else 32
    return ImageHeader(upright.width, upright.height, image.bands, bits, file_format, image.interpretation)


def _full_scale(image: pyvips.Image) -> pyvips.Image:
    """Samples of 10 or 12 bits come shifted to 16: the lowest bits of white are missing."""
    if image.format != "ushort" or image.get_typeof("heif-compression") == 0:
        return image
    bits = image.get("bits-per-sample") if image.get_typeof("bits-per-sample") else 16
    white = (2**bits - 1) << (16 - bits)
    return image if white == 65535 else (image * (65535 / white)).rint().cast("ushort")
