"""How libvips is asked to write each format: depth, alpha, compression, quality, tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import pyvips

from tintype.image.carried import Format
from tintype.image.picture import PictureInfo, Writing
from tintype.image.rows import Kind

_DEEPEST: dict[Format, int] = {"PNG": 16, "TIFF": 32, "JPEG": 8, "WebP": 8, "AVIF": 12}
LONGEST_SIDE: dict[Format, int] = {"JPEG": 65_500, "WebP": 16_383, "AVIF": 16_384}
"""Pixels of a side that a format, or libvips for it, has at most; the others hold any picture."""
_CLASSIC_TIFF = 3_900_000_000  # bytes before compression; offsets of 32 bits end at 4.29e9
_KEPT_COMPRESSIONS = ("none", "lzw", "packbits", "deflate")
_TILE = 256
_DEFLATE_LEVEL = 3  # of 20,000 x 20,000 pixels: 8 s of a core and 309 MB; 6: 39 s and 286 MB


@final
@dataclass(frozen=True, slots=True)
class Samples:
    """What a sample of a file is."""

    bits: int
    """8, 12, 16 or 32."""
    floating: bool
    alpha: bool
    """The last band is alpha."""

    @property
    def kind(self) -> Kind:
        """As libvips is given it; 12 bits stand at the upper end of 16."""
        if self.floating:
            return "float32"
        return "uint8" if self.bits == 8 else "uint32" if self.bits == 32 else "uint16"


def choose_samples(file_format: Format, info: PictureInfo, notes: list[str]) -> Samples:
    """Keep depth and alpha of the source where the format holds them, and say where it does not."""
    bits = min(info.bits, _DEEPEST[file_format])
    if bits < info.bits and not (file_format == "AVIF" and info.format == "heif"):  # whose 16 bits are 10 or 12
        was = "32-bit float" if info.floating else f"{info.bits} bits"
        notes.append(f"{was} became {bits}: {file_format} holds no more")
    alpha = info.has_alpha
    if alpha and file_format == "JPEG":
        notes.append("alpha is left out: JPEG holds none")
        alpha = False
    return Samples(bits, info.floating and bits == 32, alpha)


def save(
    file_format: Format,
    image: pyvips.Image,
    target: pyvips.Target,
    samples: Samples,
    info: PictureInfo,
    writing: Writing,
    page_count: int,
) -> None:
    """Write an image that has its samples and its metadata already.

    Raises:
        pyvips.Error: libvips cannot.
    """
    # libvips would make up Exif where there is none
    keep = pyvips.ForeignKeep.ALL & ~pyvips.ForeignKeep.EXIF if file_format != "AVIF" else pyvips.ForeignKeep.ALL
    match file_format:
        case "PNG":
            image.pngsave_target(target, keep=keep)
        case "JPEG":
            image.jpegsave_target(target, Q=95, subsample_mode="off", keep=keep)
        case "WebP":
            image.webpsave_target(target, Q=95, smart_subsample=True, exact=True, keep=keep)
        case "AVIF":
            image.heifsave_target(
                target, Q=90, compression="av1", bitdepth=samples.bits, subsample_mode="off", keep=keep
            )
        case "TIFF":
            options = _tiff_options(image, samples, info, writing, page_count)
            image.tiffsave_target(target, keep=keep, **options)


def _tiff_options(
    image: pyvips.Image, samples: Samples, info: PictureInfo, writing: Writing, page_count: int
) -> dict[str, Any]:
    compression = info.extras.compression
    if compression == "jpeg" and samples.bits == 8 and not samples.alpha:
        options: dict[str, Any] = {"compression": "jpeg", "Q": 95}
    else:
        options = {"compression": compression if compression in _KEPT_COMPRESSIONS else "deflate"}
        options["predictor"] = "none" if samples.floating else "horizontal"  # few read that of floats
        if options["compression"] == "deflate":
            options["level"] = _DEFLATE_LEVEL
    size = image.width * image.height * image.bands * {8: 1, 16: 2, 32: 4}[samples.bits]
    if writing.pyramid:
        options |= {"tile": True, "tile_width": _TILE, "tile_height": _TILE, "pyramid": True}
        size = size * 4 // 3
    if page_count > 1:
        options["page_height"] = image.height // page_count
        options["subifd"] = writing.pyramid
    unit = {"in": "inch", "cm": "cm"}.get(info.extras.density_unit, "cm")
    return options | {"bigtiff": size > _CLASSIC_TIFF, "resunit": unit}
