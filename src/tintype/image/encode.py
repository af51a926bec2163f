"""Display space to picture files, strip by strip through libvips: rounded, never truncated, whole or not at all.

What a result carries of its source beside the pixels is decided in `carried`, its profile in `profile`; how libvips is
asked to write each format, in `savers`; what becomes of other pages, in `pages`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import pyvips

from tintype.atomic import atomic_path
from tintype.errors import OutputError
from tintype.image import containers
from tintype.image.carried import Carried, Format, attach, carry
from tintype.image.containers import Additions
from tintype.image.exif import into_tiff
from tintype.image.pages import OpenPage, other_pages
from tintype.image.picture import PictureInfo, Strip, Writing
from tintype.image.profile import OutputProfile, from_srgb, output_profile, with_profile
from tintype.image.provenance import Provenance
from tintype.image.rows import RowLayout, save_rows
from tintype.image.savers import LONGEST_SIDE, Samples, choose_samples, save
from tintype.image.source import vips_reason

_FORMATS: dict[str, Format] = {
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WebP",
    ".avif": "AVIF",
}


def write_strips(
    path: Path,
    strips: Iterator[Strip],
    info: PictureInfo,
    *,
    channels: Literal[1, 3],
    writing: Writing,
    provenance: Provenance | None = None,
    open_page: OpenPage | None = None,
) -> tuple[str, ...]:
    """Write a picture whose rows come in strips; the suffix says as what.

    Args:
        path: The file; its folder must exist. What is there is replaced.
        strips: The result from top to bottom, of the size of `info`.
        info: The picture that the result was made from: depth, alpha and extras are kept as far as the format can.
        channels: Of the result.
        writing: Where formats leave a choice.
        provenance: Written into the file, in place of the mark of an earlier run.
        open_page: Opens another page of the source; needed where `writing` keeps them.

    Returns:
        What the user should hear.

    Raises:
        ImageError: Other pages are to be refused or cannot be kept.
        OutputError: The suffix is unknown, the file cannot be written, or the format cannot hold so large a picture.
    """
    file_format = output_format(path)
    longest = LONGEST_SIDE.get(file_format)
    if longest is not None and max(info.width, info.height) > longest:
        size = f"{info.width} x {info.height} pixels, {file_format} holds {longest:,} a side"
        raise OutputError(f"{path}: cannot be written ({size}); use .tif or .png")
    notes = [f"written as display values: {file_format} holds no flux, FITS does"] if writing.flux else []
    before, after = other_pages(info, writing, file_format, open_page, channels, notes)
    page_count = 1 + len(before) + len(after)
    samples = choose_samples(file_format, info, notes)
    profile = output_profile(info, channels)
    if profile.note:
        notes.append(profile.note)
    carried = carry(file_format, info, provenance, notes)

    given = replace(samples, bits=16) if profile.by_libvips else samples
    layout = RowLayout(info.width, info.height * page_count, channels + samples.alpha, given.kind)
    pages = chain(*(page.strips() for page in before), strips, *(page.strips() for page in after))
    rows = (_encoded(strip, given, profile) for strip in pages)

    def write(file: BinaryIO) -> None:
        def work(image: pyvips.Image) -> None:
            if profile.by_libvips:
                image = _converted(image, profile.data, channels, samples)
            if profile.data:
                image = with_profile(image, profile.data)
            image = attach(image, file_format, carried, info.extras.density)
            target = pyvips.Target.new_to_descriptor(file.fileno())
            save(file_format, image, target, samples, info, writing, page_count)

        try:
            save_rows(layout, rows, work)
        except pyvips.Error as error:
            raise OutputError(f"{path}: cannot be written ({vips_reason(error)})") from error

    with atomic_path(path) as temporary, temporary.open("w+b") as file:
        if file_format in ("TIFF", "AVIF"):
            write(file)
            if file_format == "TIFF":
                blocks = [*(page.exif for page in before), carried.exif, *(page.exif for page in after)]
                into_tiff(file, blocks, iptc=carried.iptc, has_density=info.extras.density is not None)
            elif carried.exif:
                containers.replace_exif_of_avif(file, carried.exif)
        else:
            with tempfile.TemporaryFile(dir=path.parent) as plain:  # without a name: nothing is left of it, ever
                write(plain)
                plain.seek(0)
                _complete(file_format, plain, file, carried, info)
    return tuple(notes)


def output_format(path: Path) -> Format:
    """What a suffix stands for.

    Raises:
        OutputError: Nothing that can be written.
    """
    suffix = path.suffix.lower()
    if suffix in (".heic", ".heif"):
        raise OutputError(f"{path}: cannot write HEIC, for which libvips has no encoder; use .avif, .tif or .png")
    if suffix not in _FORMATS:
        raise OutputError(
            f"{path}: cannot write {suffix or 'a file without suffix'}; "
            "use .png, .tif, .tiff, .jpg, .jpeg or .webp, .avif, .fits"
        )
    return _FORMATS[suffix]


def _encoded(strip: Strip, samples: Samples, profile: OutputProfile) -> np.ndarray:
    """Turn a strip of display space into samples `rows w bands`: rounded, clipped to what they can hold."""
    pixels = strip.pixels if profile.numbers is None else profile.numbers.from_srgb(strip.pixels)
    if samples.alpha:
        alpha = np.ones(pixels.shape[:2], np.float32) if strip.alpha is None else strip.alpha
        pixels = np.concatenate((pixels, alpha[..., None]), axis=2)
    if samples.floating:
        return pixels
    # float32 cannot tell 2**32 levels apart
    scaled = pixels * (np.float64 if samples.bits == 32 else np.float32)(2**samples.bits - 1)
    np.rint(scaled, out=scaled)
    encoded = np.clip(scaled, 0, 2**samples.bits - 1, out=scaled).astype(samples.kind)
    return encoded << 4 if samples.bits == 12 else encoded  # libvips drops the four bits that AVIF does not hold


def _converted(image: pyvips.Image, profile: bytes, channels: int, samples: Samples) -> pyvips.Image:
    """Convert 16-bit rows to a profile by libvips, and to the bits of the result."""
    colours = from_srgb(image.extract_band(0, n=channels), profile)
    joined = colours.bandjoin(image[channels]) if samples.alpha else colours
    if samples.bits == 16:
        return joined
    levels = (joined * ((2**samples.bits - 1) / 65535)).rint()
    if samples.bits == 12:
        return (levels * 16).cast("ushort").copy(interpretation="rgb16" if channels == 3 else "grey16")
    return levels.cast("uchar").copy(interpretation="srgb" if channels == 3 else "b-w")


def _complete(file_format: Format, plain: BinaryIO, file: BinaryIO, carried: Carried, info: PictureInfo) -> None:
    density = info.extras.density
    match file_format:
        case "JPEG":
            containers.add_to_jpeg(plain, file, Additions(carried.exif, density=density))
        case "PNG":
            additions = Additions(carried.exif, carried.xmp, carried.iptc, carried.text, density)
            containers.add_to_png(plain, file, additions)
        case "WebP":
            containers.add_to_webp(plain, file, carried.exif, info.width, info.height)
