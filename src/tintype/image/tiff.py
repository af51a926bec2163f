"""Directories of TIFF streams, read with limits and written: of TIFF and BigTIFF files, and of Exif, which is TIFF too.

Knows what a directory is (TIFF 6.0, section 2; BigTIFF), not what its tags mean. What is read may be hostile: counts
and offsets are checked against what is there, and no value is read that is larger than the limit.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Literal, final

ReadAt = Callable[[int, int], bytes]
"""Gives the bytes from an offset on, as many as are asked for or as there are."""

VALUE_LIMIT = 2**20
"""Bytes of a value: the largest maker notes have a few hundred thousand."""
_ENTRY_LIMIT = 4096
_VALUES_LIMIT = 16  # times the limit of one; values of a hostile file may overlap
_SUBFILE, _NOT_A_PAGE = 254, 1 | 4  # a reduced copy of another page, a mask

# unit that changes with the byte order, and how many of them an item has
_KINDS = {
    1: (1, 1), 2: (1, 1), 3: (2, 1), 4: (4, 1), 5: (4, 2), 6: (1, 1), 7: (1, 1), 8: (2, 1), 9: (4, 1), 10: (4, 2),
    11: (4, 1), 12: (8, 1), 13: (4, 1), 16: (8, 1), 17: (8, 1), 18: (8, 1), 129: (1, 1),
}  # fmt: skip
SHORT, LONG, LONG8 = 3, 4, 16
_CLASSIC_KINDS = {16: 4, 17: 9, 18: 13}


class DamagedTiffError(ValueError):
    """A stream is no TIFF, or its directory lies outside it."""


@final
@dataclass(frozen=True, slots=True)
class Layout:
    """How a stream writes numbers: "<" or ">", and in 8 bytes (BigTIFF) or 4."""

    order: Literal["<", ">"]
    big: bool = False

    @property
    def pointer(self) -> str:
        """Code of `struct` for an offset."""
        return self.order + ("Q" if self.big else "I")

    @property
    def field(self) -> int:
        """Bytes of an offset, and of a value that stands in its entry."""
        return 8 if self.big else 4

    @property
    def header(self) -> bytes:
        """First bytes of a stream, up to the offset of its first directory."""
        start = b"II" if self.order == "<" else b"MM"
        return start + (struct.pack(self.order + "HHH", 43, 8, 0) if self.big else struct.pack(self.order + "H", 42))


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One field of a directory; the value is as in the stream."""

    kind: int
    count: int
    value: bytes
    at: int = 0
    """Offset of the entry."""

    def numbers(self, layout: Layout) -> tuple[int, ...]:
        """The items of an unsigned integer kind; empty for any other."""
        code = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(self.kind)
        return struct.unpack(f"{layout.order}{self.count}{code}", self.value) if code else ()

    def number(self, layout: Layout) -> int:
        """The first item of an unsigned integer kind, else 0."""
        return next(iter(self.numbers(layout)), 0)


@final
@dataclass(frozen=True, slots=True)
class Directory:
    """An IFD as it was read."""

    entries: dict[int, Entry]
    at: int
    next_at: int
    """Where the offset of the next directory stands."""
    following: int
    """The offset of the next directory, or 0."""


def read_header(read_at: ReadAt) -> tuple[Layout, int, int]:
    """Return the layout of a stream, the offset of its first directory, and where that offset stands."""
    start = read_at(0, 16)
    for layout in (Layout("<"), Layout(">"), Layout("<", big=True), Layout(">", big=True)):
        at = len(layout.header)
        if start.startswith(layout.header) and len(start) >= at + layout.field:
            return layout, struct.unpack_from(layout.pointer, start, at)[0], at
    raise DamagedTiffError("no TIFF header")


def read_directory(read_at: ReadAt, layout: Layout, at: int, limit: int = VALUE_LIMIT) -> Directory:
    """Read a directory; entries that cannot be read, or are larger than the limit, are left out.

    Raises:
        DamagedTiffError: There is none at this offset.
    """
    head, size = (8, 20) if layout.big else (2, 12)
    raw = read_at(at, head)
    if len(raw) < head or at < 8:
        raise DamagedTiffError("no directory at its offset")
    count = struct.unpack(layout.order + ("Q" if layout.big else "H"), raw)[0]
    table = read_at(at + head, count * size + layout.field) if count <= _ENTRY_LIMIT else b""
    if len(table) < count * size or count > _ENTRY_LIMIT:
        raise DamagedTiffError("a directory is cut short")
    entries: dict[int, Entry] = {}
    room = _VALUES_LIMIT * limit
    for i in range(count):
        tag, kind, items = struct.unpack_from(layout.order + ("HHQ" if layout.big else "HHI"), table, i * size)
        unit, units = _KINDS.get(kind, (0, 0))
        length = unit * units * items
        if not 0 < length <= min(limit, room):
            continue
        room -= length
        field = table[(i + 1) * size - layout.field : (i + 1) * size]
        value = field[:length] if length <= layout.field else read_at(struct.unpack(layout.pointer, field)[0], length)
        if len(value) == length:
            entries.setdefault(tag, Entry(kind, items, value, at + head + i * size))
    tail = table[count * size :]
    following = struct.unpack(layout.pointer, tail)[0] if len(tail) == layout.field else 0
    return Directory(entries, at, at + head + count * size, following)


def directories(read_at: ReadAt, limit: int = VALUE_LIMIT) -> Iterator[tuple[Layout, Directory]]:
    """Read the directories of a stream in the order of their chain, which may not come back to where it was.

    Raises:
        DamagedTiffError: The stream is no TIFF, or the next directory cannot be read.
    """
    layout, at, _ = read_header(read_at)
    seen: set[int] = set()
    while True:
        if at in seen:
            raise DamagedTiffError("its directories are a circle")
        seen.add(at)
        directory = read_directory(read_at, layout, at, limit)
        yield layout, directory
        at = directory.following
        if at == 0:
            return


def is_whole(directory: Directory, layout: Layout) -> bool:
    """Whether a directory is that of a page, and not of a reduced copy of one, or of a mask."""
    subfile = directory.entries.get(_SUBFILE)
    return subfile is None or not subfile.number(layout) & _NOT_A_PAGE


def find_directory(read_at: ReadAt, page: int) -> tuple[Layout, Directory]:
    """Read the header and the directory of a page; reduced copies of pages, and masks, do not count.

    Raises:
        DamagedTiffError: There is no such page.
    """
    for layout, directory in directories(read_at, limit=8):
        if is_whole(directory, layout):
            if page == 0:
                return layout, read_directory(read_at, layout, directory.at)
            page -= 1
    raise DamagedTiffError("it has no such page")


def reader(file: IO[bytes]) -> ReadAt:
    """Read from an open file."""

    def read_at(at: int, length: int) -> bytes:
        if at >= 2**63:
            return b""
        file.seek(at)
        return file.read(length)

    return read_at


def encode_directory(entries: Mapping[int, Entry], layout: Layout, at: int, following: int = 0) -> bytes:
    """Write a directory and the values that do not fit into it, to stand at an even offset."""
    count_code, entry_code = ("Q", "HHQ") if layout.big else ("H", "HHI")
    start = at + struct.calcsize("<" + count_code) + len(entries) * (12 + 8 * layout.big) + layout.field
    table, outside = struct.pack(layout.order + count_code, len(entries)), b""
    for tag, entry in sorted(entries.items()):
        table += struct.pack(layout.order + entry_code, tag, entry.kind, entry.count)
        if len(entry.value) <= layout.field:
            table += entry.value.ljust(layout.field, b"\0")
        else:
            outside += bytes((start + len(outside)) % 2)
            table += struct.pack(layout.pointer, start + len(outside))
            outside += entry.value
    return table + struct.pack(layout.pointer, following) + outside


def translated(entries: Mapping[int, Entry], old: Layout, new: Layout) -> dict[int, Entry]:
    """Bring entries to another layout; 64-bit numbers that classic TIFF cannot hold are left out."""
    result = {}
    for tag, entry in entries.items():
        kind, value = entry.kind, entry.value
        if kind in _CLASSIC_KINDS and not new.big:
            numbers = struct.unpack(f"{old.order}{entry.count}{'q' if kind == 17 else 'Q'}", value)
            kind, code = _CLASSIC_KINDS[kind], "i" if kind == 17 else "I"
            try:
                value = struct.pack(f"{new.order}{entry.count}{code}", *numbers)
            except struct.error:
                continue
        elif old.order != new.order:
            unit = _KINDS[kind][0]
            value = b"".join(value[i : i + unit][::-1] for i in range(0, len(value), unit)) if unit > 1 else value
        result[tag] = Entry(kind, entry.count, value)
    return result


def integer(value: int, layout: Layout, kind: int = LONG) -> Entry:
    """An entry of one number."""
    return Entry(kind, 1, struct.pack(layout.order + {SHORT: "H", LONG: "I", LONG8: "Q"}[kind], value))


def text(value: str) -> Entry:
    """An entry of ASCII, ended by a zero; other letters become question marks."""
    data = value.encode("ascii", "replace") + b"\0"
    return Entry(2, len(data), data)
