"""What a result carries of its source beside the pixels, and what it says of itself, as the format holds it.

Exif is made true for the result, XMP gets the mark of provenance, IPTC changes its wrapper; what does not fit, or is
damaged, is left out with a note.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal, final

import pyvips

from tintype.image import exif, tiff
from tintype.image.containers import JPEG_LIMIT
from tintype.image.picture import PictureInfo
from tintype.image.provenance import Provenance, upright_xmp

Format = Literal["PNG", "TIFF", "JPEG", "WebP", "AVIF"]

_XMP_LIMIT_OF_JPEG = 65_502
_IPTC_LIMIT_OF_JPEG = 65_533
_TEXT_KEYWORD = "Tintype"
_PHOTOSHOP = b"Photoshop 3.0\0"
_IPTC, _THUMBNAILS = 0x0404, (0x0409, 0x040C)


@final
@dataclass(frozen=True, slots=True)
class Carried:
    """What goes into the file beside the pixels and the profile; empty: nothing."""

    exif: bytes
    """A TIFF stream."""
    xmp: bytes
    iptc: bytes
    """In the wrapper that the format wants."""
    text: tuple[tuple[str, str], ...]
    """For the text chunks of a PNG."""


def carry(file_format: Format, info: PictureInfo, provenance: Provenance | None, notes: list[str]) -> Carried:
    """Decide what a result carries; what is lost is added to the notes."""
    text = tuple((name, value) for name, value in info.extras.text if name != _TEXT_KEYWORD)
    if provenance is not None:
        text += ((_TEXT_KEYWORD, provenance.to_text()),)
    return Carried(
        exif=_exif(file_format, info, provenance, notes),
        xmp=_xmp(file_format, info, provenance, notes),
        iptc=_iptc(file_format, info.extras.iptc, notes),
        text=text if file_format == "PNG" else (),
    )


def attach(
    image: pyvips.Image, file_format: Format, carried: Carried, density: tuple[float, float] | None
) -> pyvips.Image:
    """Give libvips what it writes as it is; the rest is put into the file that it has written."""
    image = image.copy(xres=density[0], yres=density[1]) if density else image.copy()
    blobs = {"xmp-data": carried.xmp} if file_format != "PNG" else {}
    if file_format == "JPEG":
        blobs["iptc-data"] = carried.iptc
    if file_format == "AVIF" and carried.exif:
        blobs["exif-data"] = b"Exif\0\0II*\0\x08\0\0\0" + bytes(6)  # its place, for `replace_exif_of_avif`
    for name, blob in blobs.items():
        if blob:
            image.set_type(pyvips.GValue.blob_type, name, blob)
    return image


def page_exif(info: PictureInfo, provenance: Provenance | None, notes: list[str]) -> bytes:
    """What a picture says in Exif, or in the tags of a TIFF, made true for its result: a TIFF stream, or nothing."""
    mark = provenance.to_text() if provenance else ""
    try:
        return exif.revise(info.extras.exif, info.width, info.height, mark)
    except tiff.DamagedTiffError as error:
        notes.append(f"the Exif data are left out: {error}")
        return exif.revise(b"", info.width, info.height, mark)


def _exif(file_format: Format, info: PictureInfo, provenance: Provenance | None, notes: list[str]) -> bytes:
    block = page_exif(info, provenance, notes)
    if file_format == "JPEG" and len(block) > JPEG_LIMIT:
        notes.append(f"the Exif data are left out: {len(block):,} bytes, of which JPEG holds {JPEG_LIMIT:,}")
        block = exif.revise(b"", info.width, info.height, provenance.to_text() if provenance else "")
    return block


def _xmp(file_format: Format, info: PictureInfo, provenance: Provenance | None, notes: list[str]) -> bytes:
    existing = info.extras.xmp.strip(b"\0 \r\n")
    mark = provenance.to_xmp() if provenance else b""
    if not existing:
        return mark
    try:
        packet = provenance.to_xmp(existing) if provenance else upright_xmp(existing).encode()
    except ValueError as error:
        notes.append(f"the XMP data are left out: {error}")
        return mark
    if file_format == "JPEG" and len(packet) > _XMP_LIMIT_OF_JPEG:
        notes.append(f"the XMP data are left out: {len(packet):,} bytes, of which JPEG holds {_XMP_LIMIT_OF_JPEG:,}")
        return mark
    return packet


def _iptc(file_format: Format, data: bytes, notes: list[str]) -> bytes:
    """Bring IPTC records to the wrapper of a format: Photoshop's in JPEG, none in TIFF and PNG."""
    if not data or file_format in ("WebP", "AVIF"):
        if data:
            notes.append(f"the IPTC data are left out: {file_format} holds none")
        return b""
    if data.startswith(_PHOTOSHOP):
        resources = _resources(data)
    elif data.startswith(b"\x1c"):
        resources = [(_IPTC, _resource(_IPTC, data), data)]
    else:
        resources = []
    if file_format != "JPEG":
        return next((records for kind, _, records in resources if kind == _IPTC), b"")
    wrapped = b"".join(raw for kind, raw, _ in resources if kind not in _THUMBNAILS)
    if len(_PHOTOSHOP) + len(wrapped) > _IPTC_LIMIT_OF_JPEG:
        notes.append(f"the IPTC data are left out: {len(wrapped):,} bytes, of which JPEG holds {_IPTC_LIMIT_OF_JPEG:,}")
        return b""
    return _PHOTOSHOP + wrapped if wrapped else b""


def _resource(kind: int, body: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", kind, 0, len(body)) + body + bytes(len(body) % 2)


def _resources(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Kind, all bytes, and body of the image resources of Photoshop, as far as they are whole."""
    found, at = [], len(_PHOTOSHOP)
    while data[at : at + 4] == b"8BIM" and at + 12 <= len(data):
        kind, name_length = struct.unpack_from(">HB", data, at + 4)
        body = at + 10 + (name_length + 2) // 2 * 2
        length = int.from_bytes(data[body - 4 : body], "big")
        end = body + length + length % 2
        if body + length > len(data):
            break
        found.append((kind, data[at:end].ljust(end - at, b"\0"), data[body : body + length]))
        at = end
    return found
