"""Exif, and IPTC where libvips has no place for it, put into JPEG, PNG, WebP and AVIF files that libvips has written.

Files are copied while something is added, piece by piece; they come from libvips and are not doubted.
"""

from __future__ import annotations

import io
import shutil
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO, final

JPEG_LIMIT = 65_527
"""Bytes of Exif that the segment of a JPEG holds, beside its length and its name."""


@final
@dataclass(frozen=True, slots=True)
class Additions:
    """What is put into a file; empty: nothing."""

    exif: bytes
    """A TIFF stream; at most `JPEG_LIMIT` bytes of it fit into a JPEG."""
    xmp: bytes = b""
    """For a PNG; libvips puts it into the others."""
    iptc: bytes = b""
    """Bare records, for a PNG."""
    text: tuple[tuple[str, str], ...] = ()
    """Keywords and texts, for a PNG."""
    density: tuple[float, float] | None = None
    """Pixels per millimetre, across and down."""


def add_to_jpeg(source: BinaryIO, target: BinaryIO, additions: Additions) -> None:
    """Copy a JPEG with density and Exif at its beginning."""
    start = source.read(4)
    if start[2:] == b"\xff\xe0":
        source.seek(int.from_bytes(source.read(2), "big") - 2, 1)
    else:
        source.seek(2)
    per_inch = [min(max(1, round(density * 25.4)), 65535) for density in additions.density or ()]
    unit, across, down = (1, *per_inch) if per_inch else (0, 1, 1)
    target.write(start[:2] + _jpeg_segment(0xE0, b"JFIF\0" + struct.pack(">HBHHBB", 0x0102, unit, across, down, 0, 0)))
    if additions.exif:
        target.write(_jpeg_segment(0xE1, b"Exif\0\0" + additions.exif))
    shutil.copyfileobj(source, target)


def add_to_png(source: BinaryIO, target: BinaryIO, additions: Additions) -> None:
    """Copy a PNG with density, Exif, XMP, IPTC and texts before its pixels."""
    target.write(source.read(8))
    while True:
        head = source.read(8)
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IDAT":
            break
        body = source.read(length + 4)
        if kind != b"pHYs" or additions.density is not None:
            target.write(head + body)
    if additions.exif:
        target.write(_png_chunk(b"eXIf", additions.exif))
    if additions.xmp:
        target.write(_png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + additions.xmp))
    if additions.iptc:  # the form of ImageMagick, which other tools read too
        listing = f"\niptc\n{len(additions.iptc):8}\n{additions.iptc.hex()}\n"
        target.write(_png_chunk(b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(listing.encode())))
    for keyword, value in additions.text:
        target.write(_png_text(keyword, value))
    target.write(head)
    shutil.copyfileobj(source, target)


def add_to_webp(source: BinaryIO, target: BinaryIO, exif: bytes, width: int, height: int) -> None:
    """Copy a WebP with Exif behind its pixels."""
    size = source.seek(0, 2)
    source.seek(12)
    if not exif:
        source.seek(0)
        shutil.copyfileobj(source, target)
        return
    target.write(bytes(12))
    head = source.read(8)
    if head[:4] == b"VP8X":
        body = source.read(10)
        target.write(head + bytes((body[0] | 0x08,)) + body[1:])
    else:  # a bare picture: lossy, as alpha, profile and XMP would need this chunk already
        target.write(b"VP8X" + struct.pack("<IB3x", 10, 0x08) + _three(width - 1) + _three(height - 1))
        source.seek(12)
    while source.tell() < size:  # Exif stands before XMP
        kind, length = struct.unpack("<4sI", source.read(8))
        if kind == b"XMP ":
            source.seek(-8, 1)
            break
        target.write(struct.pack("<4sI", kind, length))
        _copy(source, target, length + length % 2)
    target.write(struct.pack("<4sI", b"EXIF", len(exif)) + exif + bytes(len(exif) % 2))
    shutil.copyfileobj(source, target)
    total = target.tell()
    target.seek(0)
    target.write(b"RIFF" + struct.pack("<I", total - 8) + b"WEBP")


def replace_exif_of_avif(file: BinaryIO, exif: bytes) -> None:
    """Put Exif at the end of an AVIF, in place of what libvips has made of it, which is blanked (ISO/IEC 23008-12)."""
    file.seek(0)
    at, length = _box(file, b"meta", 0)
    file.seek(at)
    meta = file.read(length)
    body = io.BytesIO(meta)
    kind = meta.index(b"Exif", _box(body, b"iinf", 4)[0])  # "infe", version 2: flags, number, protection, kind
    number = meta[kind - 4 : kind - 2]
    place = _box(body, b"iloc", 4)[0]
    version, sizes, bases = meta[place], meta[place + 4], meta[place + 5]
    offset_size, length_size, base_size = sizes >> 4, sizes & 15, bases >> 4
    place += 8
    while meta[place : place + 2] != number:  # each item stands in one piece, as libheif writes them
        place += (8 if version else 6) + base_size + offset_size + length_size
    base = place + (6 if version else 4)
    offset = base + base_size + 2
    old = [int.from_bytes(meta[i : i + n]) for i, n in ((base, base_size), (offset, offset_size))]
    old_length = int.from_bytes(meta[offset + offset_size : offset + offset_size + length_size])
    file.seek(sum(old))
    file.write(bytes(old_length))
    start = file.seek(0, 2) + 8
    file.write(struct.pack(">I4s4x", 12 + len(exif), b"mdat") + exif)
    file.seek(at + offset)
    file.write((start - old[0]).to_bytes(offset_size) + (4 + len(exif)).to_bytes(length_size))


def _box(file: BinaryIO, wanted: bytes, at: int) -> tuple[int, int]:
    """Place and length of what is in the first box of a kind, from a place on."""
    while True:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind == wanted:
            return at + 8, length - 8
        at += length


def _jpeg_segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _png_text(keyword: str, value: str) -> bytes:
    """A text chunk: Latin-1 where that is enough, else UTF-8; compressed where that pays."""
    name = keyword.encode("latin-1", "replace")[:79] or b"Comment"
    try:
        text, international = value.encode("latin-1"), False
    except UnicodeEncodeError:
        text, international = value.encode(errors="replace"), True
    packed = len(text) > 1024
    text = zlib.compress(text) if packed else text
    if international:
        return _png_chunk(b"iTXt", name + b"\0" + bytes((packed, 0)) + b"\0\0" + text)
    return _png_chunk(b"zTXt", name + b"\0\0" + text) if packed else _png_chunk(b"tEXt", name + b"\0" + text)


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _three(value: int) -> bytes:
    return value.to_bytes(3, "little")


def _copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
    while length > 0:
        piece = source.read(min(length, 2**20))
        target.write(piece)
        length -= len(piece)
