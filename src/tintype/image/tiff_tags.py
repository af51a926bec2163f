"""What the tags of a TIFF file say that libvips does not tell: which pages are pictures, and how one is stored.

Files are hostile: what cannot be read is passed over. Directories are the business of `tiff`.
"""

from __future__ import annotations

from itertools import islice

from tintype.image.tiff import DamagedTiffError, Directory, Layout, ReadAt, directories, is_whole

COMPRESSION, EXTRA_SAMPLES = 259, 338

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


def whole_pages(read_at: ReadAt, at_most: int) -> list[int]:
    """Numbers of the directories, counted from 0, that are pictures: no reduced copies, no masks."""
    pages: list[int] = []
    try:
        for number, (layout, directory) in enumerate(islice(directories(read_at, limit=8), at_most)):
            if is_whole(directory, layout):
                pages.append(number)
    except DamagedTiffError:
        pass  # what came before counts
    return pages


def compression(directory: Directory, layout: Layout) -> str:
    """How a page is compressed, in the words of libvips; empty: not known."""
    entry = directory.entries.get(COMPRESSION)
    return "none" if entry is None else _COMPRESSIONS.get(entry.number(layout), "")  # none is the default of TIFF 6.0


def has_unspecified_channel(directory: Directory, layout: Layout) -> bool:
    """Whether a page has channels beside its colours of which it does not say that they are alpha."""
    entry = directory.entries.get(EXTRA_SAMPLES)
    return entry is not None and 0 in entry.numbers(layout)
