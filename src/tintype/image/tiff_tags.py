"""The tags of a TIFF file, as far as libvips does not tell them: classic and BigTIFF, both byte orders.

Functions on an open binary file. Files are hostile: whatever points outside the file or is too large is left out, and
no chain of pages is followed twice. Pixels are never touched.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO, Literal, NamedTuple, final

SUBFILE, COMPRESSION, EXTRA_SAMPLES = 254, 259, 338

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_MOST_TAGS = 4096
_LARGEST_VALUE = 64 * 2**20
_NOT_A_PAGE = 1 | 4  # a reduced copy of another page, a mask

_COMPRESSIONS = {
    1: "none",
    2: "ccittfax4",
    3: "ccittfax4",
    4: "ccittfax4",
    5: "lzw",
    6: "jpeg",
    7: "jpeg",
    8: "deflate",
    32773: "packbits",
    32946: "deflate",
    50000: "zstd",
    50001: "webp",
    34712: "jp2k",
    33005: "jp2k",
}


@final
@dataclass(frozen=True, slots=True)
class Tag:
    """A tag as it stands in the file."""

    kind: int
    """Type of the values: 2 text, 3 short, 4 long, 5 rational, 7 undefined, ..."""
    count: int
    value: bytes
    """In the byte order of the file."""


class Layout(NamedTuple):
    """How a TIFF file counts."""

    order: Literal["<", ">"]
    big: bool
    """BigTIFF: 64-bit offsets."""
    first: int
    """Offset of the tags of the first page."""


def read_layout(stream: IO[bytes]) -> Layout | None:
    """Read the header; None where there is no TIFF."""
    stream.seek(0)
    head = stream.read(16)
    if len(head) < 8 or head[:2] not in (b"II", b"MM"):
        return None
    order: Literal["<", ">"] = "<" if head[:2] == b"II" else ">"
    match struct.unpack_from(order + "H", head, 2)[0]:
        case 42:
            return Layout(order, False, struct.unpack_from(order + "I", head, 4)[0])
        case 43 if len(head) == 16:
            return Layout(order, True, struct.unpack_from(order + "Q", head, 8)[0])
    return None


def read_ifd(stream: IO[bytes], layout: Layout, offset: int) -> dict[int, Tag]:
    """Read the tags at an offset; those that are damaged are left out."""
    entries, _ = _entries(stream, layout, offset)
    width = 8 if layout.big else 4
    tags: dict[int, Tag] = {}
    for number, kind, count, field in entries:
        size = _SIZES.get(kind, 0) * count
        if not 0 < size <= _LARGEST_VALUE:
            continue
        value = field[:size] if size <= width else _at(stream, struct.unpack(_offset(layout), field)[0], size)
        if len(value) == size:
            tags.setdefault(number, Tag(kind, count, value))
    return tags


def numbers(tag: Tag, layout: Layout) -> tuple[int, ...]:
    """The values of a tag of integers; empty for any other."""
    code = _INTEGERS.get(tag.kind)
    return () if code is None else struct.unpack(f"{layout.order}{tag.count}{code}", tag.value)


def page_offsets(stream: IO[bytes], layout: Layout, at_most: int) -> list[int]:
    """Offsets of the tags of the pages of a file, in the order of their chain, up to so many of them."""
    offsets: list[int] = []
    seen: set[int] = set()
    offset = layout.first
    while offset and offset not in seen and len(offsets) < at_most:
        entries, following = _entries(stream, layout, offset)
        if not entries:
            break
        seen.add(offset)
        offsets.append(offset)
        offset = following
    return offsets


def whole_pages(stream: IO[bytes], layout: Layout, at_most: int) -> list[int]:
    """Numbers of the pages, counted from 0, that are pictures of their own and no reduced copies, and no masks."""
    pages = []
    for number, offset in enumerate(page_offsets(stream, layout, at_most)):
        for tag, kind, _, field in _entries(stream, layout, offset)[0]:
            if tag == SUBFILE and kind in (3, 4):
                flags = struct.unpack_from(layout.order + _INTEGERS[kind], field)[0]
                break
        else:
            flags = 0
        if not flags & _NOT_A_PAGE:
            pages.append(number)
    return pages


def read_page(stream: IO[bytes], layout: Layout, page: int) -> dict[int, Tag]:
    """Read the tags of a page, counted from 0; empty where there is no such page."""
    offsets = page_offsets(stream, layout, page + 1)
    return read_ifd(stream, layout, offsets[page]) if page < len(offsets) else {}


def compression(tags: dict[int, Tag], layout: Layout) -> str:
    """How a page is compressed, in the words of libvips; empty: not known."""
    if COMPRESSION not in tags:
        return "none"  # the default of TIFF 6.0
    values = numbers(tags[COMPRESSION], layout)
    return _COMPRESSIONS.get(values[0], "") if values else ""


def has_unspecified_channel(tags: dict[int, Tag], layout: Layout) -> bool:
    """Whether a page has channels beside its colours of which it does not say that they are alpha."""
    return EXTRA_SAMPLES in tags and 0 in numbers(tags[EXTRA_SAMPLES], layout)


def _offset(layout: Layout) -> str:
    return layout.order + ("Q" if layout.big else "I")


def _at(stream: IO[bytes], offset: int, size: int) -> bytes:
    if offset >= 2**63:
        return b""
    stream.seek(offset)
    return stream.read(size)


def _entries(stream: IO[bytes], layout: Layout, offset: int) -> tuple[list[tuple[int, int, int, bytes]], int]:
    """The raw entries (tag, type, count, value or offset) at an offset, and the offset of the next page or 0."""
    head, entry, width = (8, 20, 8) if layout.big else (2, 12, 4)
    counted = _at(stream, offset, head)
    if len(counted) < head:
        return [], 0
    count = struct.unpack(layout.order + ("Q" if layout.big else "H"), counted)[0]
    if not 0 < count <= _MOST_TAGS:
        return [], 0
    data = stream.read(count * entry + width)
    code = layout.order + ("HHQ8s" if layout.big else "HHI4s")
    entries = [struct.unpack_from(code, data, i * entry) for i in range(min(count, len(data) // entry))]
    following = struct.unpack_from(_offset(layout), data, count * entry)[0] if len(data) == count * entry + width else 0
    return entries, following
