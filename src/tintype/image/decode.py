"""Picture files to display space, through libvips: opened by their header, decoded strip by strip.

Orientation is applied, embedded ICC profiles and CMYK are converted to sRGB, depth is kept in float, alpha is set
aside. Memory does not grow with a picture, but for those that can only be decoded as a whole (see `Limits`); one that
has to be turned is turned on disc. What opens a file is the business of `opener`, colours that of `display`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import final

import numpy as np
import pyvips

from tintype.image.display import (
    FULL_SCALE,
    as_float,
    check_channels,
    profile_use,
    rows_of,
    to_display,
    to_float32,
)
from tintype.image.icc import parse_profile
from tintype.image.metadata import read_extras
from tintype.image.opener import Access, identify
from tintype.image.picture import Bits, ImageHeader, PictureInfo, Reading, Strip, to_samples
from tintype.image.resize import resize, shrink
from tintype.image.source import Source, image_errors, label


@final
class VipsPicture:
    """An `OpenPicture` that libvips decodes."""

    def __init__(self, source: Source, reading: Reading = Reading()) -> None:
        """Read the header.

        Raises:
            ImageError: The file is missing, no picture, beyond the limits, neither grey nor colour, or has no such
                page.
        """
        self._source, self._reading = source, reading
        self._label = label(source)
        with image_errors(self._label):
            opened = identify(source, reading)
            image = opened.image
            check_channels(image, self._label)
            orientation = image.get("orientation") if image.get_typeof("orientation") else 1
            # what is turned or upside down cannot be read from top to bottom
            self._access: Access = "random" if 3 <= orientation <= 8 else "sequential"
            self._profile = profile_use(image)
            self._header = _header(image, opened.opener.format)
            extras = read_extras(image)
            upright = to_display(image.autorot(), self._profile, alpha=False)
        self._opener = opened.opener
        self._beyond = False
        notes = opened.notes
        if self._profile == "unusable":
            notes += ("its colour profile cannot be used and is ignored",)
        self._info = PictureInfo(
            width=upright.width,
            height=upright.height,
            channels=1 if upright.bands == 1 else 3,
            has_alpha=bool(image.hasalpha()),
            bits=self._header.bits,
            floating=image.format in ("float", "double"),
            format=opened.opener.format,
            path=None if isinstance(source, bytes) else Path(source),
            page=reading.page,
            pages=opened.pages,
            notes=notes,
            interpretation=image.interpretation,
            extras=replace(
                extras,
                exif=extras.exif or opened.extras.exif,
                text=opened.extras.text,
                compression=opened.extras.compression,
                density=extras.density or opened.extras.density,
                density_unit=extras.density_unit or opened.extras.density_unit,
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

    def at_page(self, page: int) -> VipsPicture:
        """Another page of the same file, counted from 0.

        Raises:
            ImageError: As for a new one.
        """
        return VipsPicture(self._source, replace(self._reading, page=page))

    def strips(self, rows: int) -> Iterator[Strip]:
        """See `OpenPicture.strips`."""
        info = self._info
        # libvips converts on a grid, which costs up to 100 of 65,535 levels in the shadows
        numbers = parse_profile(info.extras.profile, info.channels) if self._profile == "other" else None
        with image_errors(self._label):
            image = to_display(self._opener.open(self._access).autorot(), "none" if numbers else self._profile)
            region = pyvips.Region.new(image)
        for top in range(0, info.height, rows):
            with image_errors(self._label):
                samples = rows_of(region, image, top, min(rows, info.height - top))
            if samples.dtype.kind == "f" and not self._beyond:
                self._beyond = bool((samples < 0).any() or (samples > 1).any())
            pixels = to_float32(samples, FULL_SCALE[image.format])
            alpha = pixels[..., info.channels] if info.has_alpha else None
            if alpha is not None and samples.dtype == np.uint32:  # which float32 would round
                alpha = samples[..., info.channels] / FULL_SCALE[image.format]
            colours = pixels[..., : info.channels]
            yield Strip(top, numbers.to_srgb(colours) if numbers else colours, alpha)

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


def _header(image: pyvips.Image, file_format: str) -> ImageHeader:
    upright = image.autorot()
    bits: Bits = 8 if image.format in ("uchar", "char") else 16 if image.format in ("ushort", "short") else 32
    return ImageHeader(upright.width, upright.height, image.bands, bits, file_format, image.interpretation)
