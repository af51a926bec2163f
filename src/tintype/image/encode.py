"""Display space to picture files, strip by strip through libvips: rounded, never truncated, whole or not at all.

What a result keeps of its source beside the pixels is decided in `metadata`, which profile it carries in `profile`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import pyvips

from tintype.atomic import atomic_path
from tintype.errors import OutputError
from tintype.image.decode import vips_reason
from tintype.image.picture import OpenPicture, PictureInfo, Strip, Writing
from tintype.image.profile import output_profile, with_profile
from tintype.image.provenance import Provenance
from tintype.image.rows import Kind, RowLayout, save_rows

Format = Literal["PNG", "TIFF", "JPEG", "WebP", "AVIF"]

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
_DEEPEST = {"PNG": 16, "TIFF": 32, "JPEG": 8, "WebP": 8, "AVIF": 12}
_CLASSIC_TIFF = 3_900_000_000  # bytes before compression; offsets of 32 bits end at 4.29e9


@final
@dataclass(frozen=True, slots=True)
class _Samples:
    """What a sample of the result is."""

    bits: int
    """As the format stores it."""
    floating: bool
    alpha: bool

    @property
    def kind(self) -> Kind:
        """As libvips is given it."""
        if self.floating:
            return "float32"
        return "uint8" if self.bits == 8 else "uint32" if self.bits == 32 else "uint16"


def write_strips(
    path: Path,
    strips: Iterator[Strip],
    info: PictureInfo,
    *,
    channels: Literal[1, 3],
    provenance: Provenance | None = None,
    writing: Writing,
    open_page: Callable[[int], OpenPicture] | None = None,
) -> tuple[str, ...]:
    """Write a picture whose rows come in strips; the suffix says as what.

    Args:
        path: The file; its folder must exist. What is there is replaced.
        strips: The result from top to bottom, of the size of `info`.
        info: The picture that the result was made from: depth, alpha and extras are kept as far as the format can.
        channels: Of the result.
        provenance: Written into the file, in place of the mark of an earlier run.
        writing: Where formats leave a choice.
        open_page: Opens another page of the source; needed where `writing` keeps them.

    Returns:
        What the user should hear.

    Raises:
        ImageError: Other pages are to be refused or cannot be kept.
        OutputError: The suffix is unknown, the file cannot be written, or the format cannot hold so large a picture.
    """
    file_format = output_format(path)
    notes: list[str] = []
    samples = _samples(file_format, info, notes)
    profile = output_profile(info, channels)
    notes += [profile.note] if profile.note else []
    bands = channels + samples.alpha
    layout = RowLayout(info.width, info.height, bands, samples.kind)

    def save(image: pyvips.Image) -> None:
        if profile.data:
            image = with_profile(image, profile.data)
        target = pyvips.Target.new_to_descriptor(file.fileno())
        _SAVERS[file_format](image, target, samples, info, writing)

    with atomic_path(path) as temporary, temporary.open("w+b") as file:
        try:
            save_rows(layout, (_encoded(strip, samples) for strip in strips), save)
        except pyvips.Error as error:
            raise OutputError(f"{path}: cannot be written ({vips_reason(error)})") from error
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


def _samples(file_format: Format, info: PictureInfo, notes: list[str]) -> _Samples:
    deepest = _DEEPEST[file_format]
    bits = min(info.bits, deepest)
    if bits < info.bits and not (file_format == "AVIF" and info.format == "heif"):
        was = "32-bit float" if info.floating else f"{info.bits} bits"
        notes.append(f"{was} became {bits}: {file_format} holds no more")
    alpha = info.has_alpha
    if alpha and file_format == "JPEG":
        notes.append("alpha is left out: JPEG holds none")
        alpha = False
    return _Samples(bits, info.floating and bits == 32, alpha)


def _encoded(strip: Strip, samples: _Samples) -> np.ndarray:
    """Turn a strip of display space into samples `rows w bands`: rounded, clipped to what they can hold."""
    pixels = strip.pixels
    if samples.alpha:
        alpha = np.ones(pixels.shape[:2], np.float32) if strip.alpha is None else strip.alpha
        pixels = np.concatenate((pixels, alpha[..., None]), axis=2)
    if samples.floating:
        return pixels
    # float32 cannot tell 2**32 levels apart
    scaled = pixels * (np.float64 if samples.bits == 32 else np.float32)(2**samples.bits - 1)
    scaled = np.rint(scaled, out=scaled)
    encoded = np.clip(scaled, 0, 2**samples.bits - 1, out=scaled).astype(samples.kind)
    return encoded << 4 if samples.bits == 12 else encoded  # libvips drops the four bits that AVIF does not hold


def _save_png(
    image: pyvips.Image, target: pyvips.Target, samples: _Samples, info: PictureInfo, writing: Writing
) -> None:
    image.pngsave_target(target)


def _save_jpeg(
    image: pyvips.Image, target: pyvips.Target, samples: _Samples, info: PictureInfo, writing: Writing
) -> None:
    image.jpegsave_target(target, Q=95, subsample_mode="off")


def _save_webp(
    image: pyvips.Image, target: pyvips.Target, samples: _Samples, info: PictureInfo, writing: Writing
) -> None:
    image.webpsave_target(target, Q=95, smart_subsample=True, exact=True)


def _save_avif(
    image: pyvips.Image, target: pyvips.Target, samples: _Samples, info: PictureInfo, writing: Writing
) -> None:
    image.heifsave_target(target, Q=90, compression="av1", bitdepth=samples.bits, subsample_mode="off")


def _save_tiff(
    image: pyvips.Image, target: pyvips.Target, samples: _Samples, info: PictureInfo, writing: Writing
) -> None:
    options: dict[str, Any] = {"compression": "deflate", "predictor": "float" if samples.floating else "horizontal"}
    image.tiffsave_target(target, **options)


_SAVERS = {"PNG": _save_png, "TIFF": _save_tiff, "JPEG": _save_jpeg, "WebP": _save_webp, "AVIF": _save_avif}
