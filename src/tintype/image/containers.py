"""Exif, and IPTC where libvips has no place for it, put into JPEG, PNG and WebP files that libvips has written.

Files are copied while something is added, piece by piece; they come from libvips and are not doubted.
"""

from __future__ import annotations

import shutil
import struct
import zlib
from typing import BinaryIO

JPEG_LIMIT = 65_527
"""Bytes of Exif that the segment of a JPEG holds, beside its length and its name."""


def add_to_jpeg(source: BinaryIO, target: BinaryIO, exif: bytes, *, has_density: bool) -> None:
    """Copy a JPEG with Exif behind its JFIF segment.

    Args:
        source: What libvips has written.
        target: Open for writing.
        exif: A TIFF stream of at most `JPEG_LIMIT` bytes; empty: none.
        has_density: The density that libvips has written is known; otherwise it is taken out.
    """
    start = source.read(4)
    if start[2:] == b"\xff\xe0":  # JFIF: marker, length, "JFIF\0", version, unit, density across and down, thumbnail
        length = source.read(2)
        body = source.read(int.from_bytes(length, "big") - 2)
        if not has_density:
            body = body[:7] + struct.pack(">BHH", 0, 1, 1) + body[12:]
        target.write(start + length + body)
    else:
        target.write(start[:2])
        source.seek(2)
    if exif:
        segment = b"Exif\0\0" + exif
        target.write(b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment)
    shutil.copyfileobj(source, target)


def add_to_png(source: BinaryIO, target: BinaryIO, exif: bytes, iptc: bytes, *, has_density: bool) -> None:
    """Copy a PNG with Exif and IPTC before its pixels; see `add_to_jpeg`."""
    target.write(source.read(8))
    while True:
        head = source.read(8)
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IDAT":
            break
        body = source.read(length + 4)
        if kind != b"pHYs" or has_density:
            target.write(head + body)
    if exif:
        target.write(_png_chunk(b"eXIf", exif))
    if iptc:  # the form of ImageMagick, which other tools read too
        listing = f"\niptc\n{len(iptc):8}\n{iptc.hex()}\n"
        target.write(_png_chunk(b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(listing.encode())))
    target.write(head)
    shutil.copyfileobj(source, target)


def add_to_webp(source: BinaryIO, target: BinaryIO, exif: bytes, width: int, height: int) -> None:
    """Copy a WebP with Exif behind its pixels; see `add_to_jpeg`."""
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


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _three(value: int) -> bytes:
    return value.to_bytes(3, "little")


def _copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
    while length > 0:
        piece = source.read(min(length, 2**20))
        target.write(piece)
        length -= len(piece)
