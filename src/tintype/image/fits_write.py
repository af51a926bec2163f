"""Results as FITS: a cube of the planes R, G and B, with the header of its source, written in constant memory.

The first two axes keep their world coordinates; the third one counts the planes. Values are display values, or, on
request, in the units of the source: linear light, of which the weighted sum is the measured brightness.
"""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from tintype.atomic import atomic_path
from tintype.errors import UsageError
from tintype.image.color import linear_to_srgb, srgb_to_linear
from tintype.image.fits_container import reading_fits
from tintype.image.fits_read import MARK, STRETCH_KEYS, FitsPicture, luminance_weights
from tintype.image.picture import OpenPicture, Strip, Writing

if TYPE_CHECKING:
    from astropy.io import fits

    from tintype.image.provenance import Provenance

_BLOCK = 2880
_UNIT = "TTBUNIT"
_OWN = rf"{MARK}|{'|'.join(STRETCH_KEYS.values())}|{_UNIT}"
# How the source is stored, and sums and limits of its samples: not what it shows.
_STORAGE = (
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|NEXTEND|PCOUNT|GCOUNT|GROUPS|TFIELDS|BSCALE|BZERO|BLANK|INHERIT|END|"
    r"Z?CHECKSUM|Z?DATASUM|DATAMIN|DATAMAX|ZIMAGE|ZTABLE|ZCMPTYPE|ZMASKCMP|ZQUANTIZ|ZDITHER0|ZBLANK|ZSIMPLE|ZTENSION|"
    r"ZEXTEND|ZPCOUNT|ZGCOUNT|ZBITPIX|(ZNAXIS|ZTILE|ZNAME|ZVAL)\d*"
)
# World coordinates (FITS 4.0, section 8, and the SIP convention); those of the first HDU do not hold for another one.
_AXIS = "(CTYPE|CRPIX|CRVAL|CDELT|CUNIT|CRDER|CSYER|CNAME|CROTA)"
_TABLES = r"(CPDIS|CQDIS|DP|DQ|CPERR|CQERR|D2IMDIS|D2IM|D2IMERR)\d+.*|AXISCORR|D2IMARR"
_WORLD = (
    rf"(WCSAXES|WCSNAME|LONPOLE|LATPOLE|RADESYS|EQUINOX|{_AXIS}\d+|(CD|PC|PV|PS)\d+_\d+)[A-Z]?|RADECSYS|EPOCH|"
    rf"(A|B|AP|BP)_(ORDER|DMAX|\d+_\d+)|{_TABLES}|BUNIT"
)
# Of them those that go: tables of distortion lie in HDUs that stay behind, and the planes are the third axis now.
_FURTHER = r"([3-9]|\d\d+)"
_REPLACED = rf"(WCSAXES|{_AXIS}{_FURTHER}|(CD|PC)({_FURTHER}_\d+|\d+_{_FURTHER})|(PV|PS){_FURTHER}_\d+)[A-Z]?|{_TABLES}"
_COMMENTARY = ("COMMENT", "HISTORY", "")
_MEANING = {False: "display values: sRGB-encoded, 0 to 1", True: "linear light in the unit of the source"}
_LINE = 72  # characters of a HISTORY card


def write_fits(
    path: Path,
    strips: Iterator[Strip],
    source: OpenPicture,
    *,
    channels: Literal[1, 3],
    provenance: Provenance | None = None,
    writing: Writing = Writing(),
    keeps_luminance: bool = False,
    scale: int = 1,
) -> tuple[str, ...]:
    """Write a result as FITS, from top to bottom, whole or not at all.

    A pixel that is blank in the source is NaN in every plane.

    Args:
        path: The file to write.
        strips: The result, of `scale` times the size of the source.
        source: The picture that it was made from: its header is kept if it is FITS.
        channels: 3 for a cube of R, G and B, 1 for a plane of grey.
        provenance: Recorded as HISTORY.
        writing: With `flux` the planes are, in the units of the source, value x c / Y, where c are the linear channels
            of the result, Y their luminance (0.2127 R + 0.7152 G + 0.0722 B) and value is that of the source itself
            where luminance is kept, so that the weighted sum of the planes is the source; else the inverse stretch of
            the grey that has luminance Y.
        keeps_luminance: The result has the lightness of the source, as that of a colouriser has.
        scale: Times that the result is larger than its source, in width and in height; strips begin and end with rows
            of the source.

    Returns:
        What the user should hear: what FITS, or this file, cannot hold.

    Raises:
        UsageError: Flux was asked for, but the source has none, or the result is enlarged.
        ImageError: The source cannot be read any more.
        OutputError: The file cannot be written.
    """
    if writing.flux and not (isinstance(source, FitsPicture) and source.content == "values"):
        raise UsageError(
            f"{source.info.name}: no FITS file of measured values, so its planes have no flux; leave --flux out"
        )
    if writing.flux and scale > 1:
        raise UsageError(
            f"{source.info.name}: what is enlarged has display values, no flux; leave --flux out, or give another model"
        )
    height, width = scale * source.info.height, scale * source.info.width
    with reading_fits(source.info.name):
        header, notes = _header(source, channels, provenance, writing.flux, scale)
        bits = header["BITPIX"]
        start = header.tostring().encode("ascii")
    dtype = np.dtype(">f8" if bits == -64 else ">f4")
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(start)
        plane_bytes = height * width * dtype.itemsize
        file.truncate(len(start) + -(-channels * plane_bytes // _BLOCK) * _BLOCK)
        for strip in strips:
            planes = _planes(strip, source, channels, writing.flux, keeps_luminance, scale)
            rows = len(strip.pixels)
            bottom = len(start) + (height - strip.top - rows) * width * dtype.itemsize
            for channel in range(channels):
                file.seek(bottom + channel * plane_bytes)
                with np.errstate(over="ignore"):  # infinite in the file, as float32 has it
                    file.write(np.ascontiguousarray(planes[::-1, :, channel], dtype=dtype).data)
    return notes


def _planes(
    strip: Strip, source: OpenPicture, channels: int, flux: bool, keeps_luminance: bool, scale: int
) -> np.ndarray:
    """Return what is written for a strip: `rows w c`, NaN where the source is blank."""
    if not isinstance(source, FitsPicture):
        return strip.pixels
    values = source.values(strip.top // scale, len(strip.pixels) // scale)[..., None]
    values = values.repeat(scale, axis=0).repeat(scale, axis=1) if scale > 1 else values
    if not flux:
        return np.where(np.isnan(values), np.float32(np.nan), strip.pixels)
    linear = srgb_to_linear(strip.pixels.astype(np.float64))
    luminance = linear @ (luminance_weights() if channels == 3 else np.ones(1))[:, None]
    brightness = values if keeps_luminance else source.stretch.invert(linear_to_srgb(luminance))
    black = luminance == 0  # has no colour: all planes get the brightness, which below the stretch is not 0
    return np.where(np.isnan(values), np.nan, brightness * np.where(black, 1, linear / np.where(black, 1, luminance)))


def _header(
    source: OpenPicture, channels: int, provenance: Provenance | None, flux: bool, scale: int
) -> tuple[fits.Header, tuple[str, ...]]:
    """Return the header of the result, of astropy, and what is to be said about it."""
    from astropy.io import fits

    info = source.info
    cards: list[fits.Card] = []
    notes = ["FITS holds no transparency: left out"] if info.has_alpha else []
    if isinstance(source, FitsPicture):
        cards = _kept(source.header, rf"{_STORAGE}|{_OWN}|{_REPLACED}", notes)
        if source.hdu:
            there = "|".join(re.escape(card.keyword) for card in cards if card.keyword not in _COMMENTARY)
            cards += _kept(source.primary_header, rf"{_STORAGE}|{_OWN}|{_WORLD}|{there}", notes)
    header = fits.Header([("SIMPLE", True, "FITS 4.0"), ("BITPIX", _bits(source) if flux else -32)])
    sides = (scale * info.width, scale * info.height, 3)[: 2 if channels == 1 else 3]
    header["NAXIS"] = len(sides)
    for axis, side in enumerate(sides, start=1):
        header[f"NAXIS{axis}"] = side
    header.extend(cards, update=False, bottom=True)
    if scale > 1:
        _enlarge_world(header, scale)
    if channels == 3:
        _add_third_axis(header)
    header[MARK] = ("FLUX" if flux else "DISPLAY", "what the planes hold")
    history = list(provenance.history_lines()) if provenance else []
    history.append(f"planes: {'R, G, B' if channels == 3 else 'grey'}, {_MEANING[flux]}")
    if isinstance(source, FitsPicture):
        history += [f"{name}: {value}" for name, value in source.settings]
        if source.content != "display":
            for name, keyword in STRETCH_KEYS.items():
                header[keyword] = (getattr(source.stretch, name), f"stretch of the source: {name}")
        if not flux and "BUNIT" in header:
            header[_UNIT] = (header["BUNIT"], f"unit of the source, {STRETCH_KEYS['low']}, {STRETCH_KEYS['high']}")
            del header["BUNIT"]
        if "A_ORDER" in header and channels == 3:
            notes.append("the WCS has SIP distortion, which astropy reads of a cube with WCS(header, naxis=2)")
        if any(re.fullmatch(_TABLES, keyword) for keyword in source.header):
            notes.append("tables of distortion in other HDUs are left out of the WCS")
    for line in history:
        plain = line.encode("ascii", "backslashreplace").decode()
        for part in textwrap.wrap("".join(c if c.isprintable() else " " for c in plain), _LINE):
            header.add_history(part)
    return header, tuple(notes)


def _bits(source: OpenPicture) -> int:
    """BITPIX of flux: float64 where float32 would round the values of the source."""
    return -64 if isinstance(source, FitsPicture) and source.header.get("BITPIX") in (32, 64, -64) else -32


def _kept(header: fits.Header, leave: str, notes: list[str]) -> list[fits.Card]:
    """Return the cards of a header that are valid, or can be made so, without those that match `leave`."""
    kept, broken = [], []
    for card in header.cards:
        if re.fullmatch(leave, card.keyword) and card.keyword not in _COMMENTARY:
            continue
        try:
            kept.append(_valid(card))
        except Exception:  # whatever astropy meets in a card that is none
            broken.append("".join(letter if " " < letter < "\x7f" else "?" for letter in card.keyword[:8]))
    if broken:
        notes.append(f"{len(broken)} damaged header cards left out: {', '.join(broken[:5])}")
    return kept


def _valid(card: fits.Card) -> fits.Card:
    """Return a card as another reader will see it, mended if need be; raises whatever it is that is wrong with it."""
    from astropy.io import fits

    card.verify("silentfix")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = fits.Card.fromstring(card.image)
        if re.search(r"[^ -~]", card.image) or (seen.keyword, seen.value) != (card.keyword, card.value):
            raise ValueError(card.image)
        seen.verify("exception")
    return seen


def _enlarge_world(header: fits.Header, scale: int) -> None:
    """Make the world coordinates those of pixels that are so many times smaller on either side.

    A place p counted in pixels becomes (p - 1/2) scale + 1/2, so that the sky stays where it was in the picture.
    """
    for keyword in list(header):
        value = header[keyword]
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if re.fullmatch("CRPIX[12][A-Z]?", keyword):
            header[keyword] = (value - 0.5) * scale + 0.5
        elif re.fullmatch(r"(CDELT[12]|CD\d_[12])[A-Z]?", keyword):
            header[keyword] = value / scale
        elif sip := re.fullmatch(r"(?:A|B|AP|BP)_(\d+)_(\d+)", keyword):
            header[keyword] = value * float(scale) ** (1 - int(sip[1]) - int(sip[2]))
        elif re.fullmatch("(A|B|AP|BP)_DMAX", keyword):
            header[keyword] = value * scale
    for version in {keyword[6:] for keyword in header if re.fullmatch("CTYPE1[A-Z]?", keyword)}:
        if not any(re.fullmatch(rf"(CDELT\d|CD\d_\d){version}", keyword) for keyword in header):
            for axis in (1, 2):  # it is 1 where a header does not say
                header[f"CDELT{axis}{version}"] = 1 / scale


def _add_third_axis(header: fits.Header) -> None:
    """Make every system of world coordinates one of three axes, of which the third counts the planes."""
    versions = sorted({keyword[6:] for keyword in header if re.fullmatch("CTYPE1[A-Z]?", keyword)}) or [""]
    for version in reversed(versions):
        header.insert("NAXIS3", (f"WCSAXES{version}", 3), after=True)  # must come before the others
        header[f"CTYPE3{version}"] = ("RGB", "1 red, 2 green, 3 blue")
        header[f"CRPIX3{version}"] = 1.0
        header[f"CRVAL3{version}"] = 1.0
        with_cd = any(re.fullmatch(rf"CD\d+_\d+{version}", keyword) for keyword in header)
        header[f"CD3_3{version}" if with_cd else f"CDELT3{version}"] = 1.0
