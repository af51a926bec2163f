"""Exif of a source made true for a result: changed where it must be, byte for byte the same elsewhere.

libvips writes Exif anew, adds tags and loses what it does not know, so that Exif does not go through it. An Exif block
is a TIFF stream; it is edited in place, so that every offset in it stays valid, those within maker notes included. To
go from or into a TIFF file, where the same tags stand among those of the pixels, it is taken apart and put together.
Tags are those of Exif 3.0 (CIPA DC-008) and TIFF/EP (ISO 12234-2).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import BinaryIO, final

from tintype.image.tiff import (
    LONG,
    LONG8,
    SHORT,
    DamagedTiffError,
    Directory,
    Entry,
    Layout,
    ReadAt,
    encode_directory,
    find_directory,
    integer,
    read_directory,
    read_header,
    reader,
    text,
    translated,
)

_WIDTH, _LENGTH, _ORIENTATION = 0x0100, 0x0101, 0x0112
_THUMBNAIL, _THUMBNAIL_BYTES = 0x0201, 0x0202
_EXIF, _GPS, _INTEROPERABILITY = 0x8769, 0x8825, 0xA005
_HISTORY = 0x9213  # ImageHistory of TIFF/EP: what has been done to the picture
_PIXELS_ACROSS, _PIXELS_DOWN = 0xA002, 0xA003
_IPTC, _UNDEFINED = 33723, 7
_RESOLUTION = (0x011A, 0x011B, 0x0128)
_POINTERS = (_EXIF, _GPS, _INTEROPERABILITY)

_OF_THE_PIXELS = (
    frozenset(range(254, 267))
    | frozenset((273, *range(277, 282), 284, *range(288, 294), 301, 317, *range(320, 333), *range(334, 348)))
    | frozenset((*range(512, 522), *range(529, 533), 559, 700, 32996, 32997, 33723, 34377, 34675, 37724, *_POINTERS))
    | frozenset(range(50706, 52600))  # DNG
)
"""Tags of a TIFF that say how its pixels are stored, or that are kept in another way; others describe the picture."""


def revise(exif: bytes, width: int, height: int, mark: str = "") -> bytes:
    """Make the Exif of a source true for a result of this size, upright and without a thumbnail.

    Args:
        exif: A TIFF stream, as `Extras.exif`; empty: there was none.
        width: Columns of the result.
        height: Rows of the result.
        mark: Provenance, written as ImageHistory in place of that of an earlier run; empty: none.

    Returns:
        The stream; empty where there was none and nothing is to be said.

    Raises:
        DamagedTiffError: The stream cannot be read.
    """
    if not exif:
        layout = Layout("<")
        header = layout.header + struct.pack("<I", 8)
        return header + encode_directory({_HISTORY: text(mark)}, layout, 8) if mark else b""
    data = bytearray(exif)
    layout, at, pointer_at = read_header(_reader(data))
    if layout.big:
        raise DamagedTiffError("BigTIFF is no Exif")
    first = read_directory(_reader(data), layout, at)
    records = {_tag(data, layout, i): bytes(data[i : i + 12]) for i in range(at + 2, first.next_at, 12)}
    if _ORIENTATION in records:
        records[_ORIENTATION] = _record(_ORIENTATION, integer(1, layout, SHORT), layout)
    for tag, size in ((_WIDTH, width), (_LENGTH, height)):
        if tag in records:
            records[tag] = _record(tag, integer(size, layout), layout)
    inner = _inner(_reader(data), layout, first.entries, _EXIF)
    for tag, size in ((_PIXELS_ACROSS, width), (_PIXELS_DOWN, height)):
        if tag in inner:
            place = inner[tag].at
            data[place : place + 12] = _record(tag, integer(size, layout), layout)

    earlier = first.entries.get(_HISTORY)
    history = [] if earlier is None else earlier.value.rstrip(b"\0").decode("ascii", "replace").splitlines()
    others = [line for line in history if not line.startswith("Tintype ")]
    if earlier is not None and len(others) < len(history) and first.next_at + 4 + len(earlier.value) == len(data):
        del data[at:]  # what an earlier run has put at the end
    else:
        _cut_thumbnail(data, layout, first)
    lines = "\n".join((*others, *([mark] if mark else [])))
    records.pop(_HISTORY, None)
    data += bytes(len(data) % 2)
    start = len(data)
    if lines:
        entry = text(lines)
        outside = start + 2 + 12 * (len(records) + 1) + 4
        records[_HISTORY] = struct.pack(layout.order + "HHII", _HISTORY, entry.kind, entry.count, outside)
    data += struct.pack(layout.order + "H", len(records))
    data += b"".join(record for _, record in sorted(records.items())) + bytes(4)  # no thumbnail follows
    if lines:
        data += entry.value
    struct.pack_into(layout.pointer, data, pointer_at, start)
    return bytes(data)


def from_tiff(read_at: ReadAt, page: int = 0) -> bytes:
    """Gather what a page of a TIFF file says beside its pixels: an Exif block, or nothing.

    Raises:
        DamagedTiffError: There is no such page.
    """
    tree = _read_tree(read_at, page)
    if not (tree.main or tree.exif or tree.gps):
        return b""
    tree = tree.translated(Layout(tree.layout.order))
    return tree.layout.header + struct.pack(tree.layout.pointer, 8) + _encode_tree(tree, 8)


def into_tiff(file: BinaryIO, blocks: list[bytes], *, iptc: bytes = b"", has_density: bool) -> None:
    """Put Exif blocks into a TIFF file that libvips has written, one a page; new directories are added at its end.

    Args:
        file: Open for reading and writing.
        blocks: What `revise` has returned; empty: the page has none.
        iptc: Bare records for all pages, of which libvips would write a quarter; empty: none.
        has_density: The resolution that libvips has written is known; otherwise it is taken out.
    """
    read_at = reader(file)
    layout, at, pointer_at = read_header(read_at)
    for block in blocks:
        page = read_directory(read_at, layout, at, limit=2**31)
        tree = _read_tree(_reader(block), 0).translated(layout) if block else _Tree(layout, {})
        kept = {tag: entry for tag, entry in page.entries.items() if has_density or tag not in _RESOLUTION}
        if iptc:
            kept[_IPTC] = Entry(_UNDEFINED, len(iptc), iptc)
        start = file.seek(0, 2)
        start += file.write(bytes(start % 2))
        file.write(_encode_tree(replace(tree, main=kept | tree.main), start, page.following))
        file.seek(pointer_at)
        file.write(struct.pack(layout.pointer, start))
        pointer_at = read_directory(read_at, layout, start, limit=0).next_at
        at = page.following


@final
@dataclass(frozen=True, slots=True)
class _Tree:
    """The directories of an Exif block or of a page of a TIFF, without their pointers to one another."""

    layout: Layout
    main: dict[int, Entry]
    exif: dict[int, Entry] = field(default_factory=dict)
    gps: dict[int, Entry] = field(default_factory=dict)
    interoperability: dict[int, Entry] = field(default_factory=dict)

    def translated(self, new: Layout) -> _Tree:
        parts = (translated(part, self.layout, new) for part in (self.main, self.exif, self.gps, self.interoperability))
        return _Tree(new, *parts)


def _read_tree(read_at: ReadAt, page: int) -> _Tree:
    layout, first = find_directory(read_at, page)
    exif = _inner(read_at, layout, first.entries, _EXIF)
    gps = _inner(read_at, layout, first.entries, _GPS)
    interoperability = _inner(read_at, layout, exif, _INTEROPERABILITY)
    main = {tag: entry for tag, entry in first.entries.items() if tag not in _OF_THE_PIXELS}
    exif = {tag: entry for tag, entry in exif.items() if tag not in _POINTERS}
    return _Tree(layout, main, exif, gps, interoperability)


def _inner(read_at: ReadAt, layout: Layout, entries: Mapping[int, Entry], tag: int) -> dict[int, Entry]:
    """The entries of the directory that a tag points to; empty where there is none, or a damaged one."""
    if tag not in entries:
        return {}
    try:
        return read_directory(read_at, layout, entries[tag].number(layout)).entries
    except DamagedTiffError:
        return {}


def _encode_tree(tree: _Tree, at: int, following: int = 0) -> bytes:
    layout = tree.layout
    pointer = LONG8 if layout.big else LONG

    def with_pointers(entries: dict[int, Entry], places: dict[int, int]) -> dict[int, Entry]:
        return entries | {tag: integer(place, layout, pointer) for tag, place in places.items()}

    # pointers have the same size wherever they point, so that sizes are known before places are
    exif_places = {_INTEROPERABILITY: 0} if tree.interoperability else {}
    main_places = ({_EXIF: 0} if tree.exif or exif_places else {}) | ({_GPS: 0} if tree.gps else {})
    end = at + len(encode_directory(with_pointers(tree.main, main_places), layout, at))
    parts = b""

    def append(entries: dict[int, Entry]) -> int:
        nonlocal parts
        parts += bytes((end + len(parts)) % 2)
        place = end + len(parts)
        parts += encode_directory(entries, layout, place)
        return place

    if tree.interoperability:
        exif_places[_INTEROPERABILITY] = append(tree.interoperability)
    if _EXIF in main_places:
        main_places[_EXIF] = append(with_pointers(tree.exif, exif_places))
    if _GPS in main_places:
        main_places[_GPS] = append(tree.gps)
    return encode_directory(with_pointers(tree.main, main_places), layout, at, following) + parts


def _reader(data: bytes | bytearray) -> ReadAt:
    return lambda at, length: bytes(data[at : at + length])


def _tag(data: bytearray, layout: Layout, at: int) -> int:
    return int(struct.unpack_from(layout.order + "H", data, at)[0])


def _record(tag: int, entry: Entry, layout: Layout) -> bytes:
    return struct.pack(layout.order + "HHI", tag, entry.kind, entry.count) + entry.value.ljust(4, b"\0")


def _cut_thumbnail(data: bytearray, layout: Layout, first: Directory) -> None:
    """Take the thumbnail out where it is the end of the block; elsewhere nothing points to it any more."""
    try:
        second = read_directory(_reader(data), layout, first.following).entries
    except DamagedTiffError:
        return
    if _THUMBNAIL in second and _THUMBNAIL_BYTES in second:
        start = second[_THUMBNAIL].number(layout)
        end = start + second[_THUMBNAIL_BYTES].number(layout)
        if first.next_at + 4 <= start < len(data) <= end + 3:
            del data[start:]
