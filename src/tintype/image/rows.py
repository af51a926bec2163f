"""Rows that Python makes, one strip after the other, as an image of libvips: in memory that does not grow with it.

libvips reads rows from files only, so it is handed one: an uncompressed BigTIFF that is made while it is read. The save
runs in a thread of its own, while the strips are made in the thread that calls; so both overlap, and what goes wrong
with the strips, Ctrl-C included, is raised where they are made instead of being lost in a callback.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event, Thread
from typing import Literal, final

import numpy as np
import pyvips

Kind = Literal["uint8", "uint16", "uint32", "float32"]
"""What a sample is."""

_STRIP_BYTES = 2**20
_UINT, _FLOAT = 1, 3  # SampleFormat of TIFF 6.0


@final
@dataclass(frozen=True, slots=True)
class RowLayout:
    """Size and samples of the picture that the rows make up."""

    width: int
    height: int
    bands: int
    kind: Kind

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.width * self.bands * np.dtype(self.kind).itemsize


def save_rows(layout: RowLayout, rows: Iterator[np.ndarray], save: Callable[[pyvips.Image], None]) -> None:
    """Hand rows to libvips and let it save them.

    Args:
        layout: What the rows make up together.
        rows: Strips `rows width bands` of the kind of the layout, from top to bottom.
        save: Gets the image, which can be read once from top to bottom, and saves it; runs in another thread.

    Raises:
        pyvips.Error: What `save` has met.
        BaseException: Whatever `rows` has raised.
    """
    waiting: Queue[memoryview] = Queue(maxsize=1)
    ended = Event()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            source = _source(layout, waiting)  # must live as long as the image that reads it
            save(pyvips.Image.tiffload_source(source, access="sequential", fail_on="error"))
        except BaseException as error:
            failures.append(error)
        finally:
            ended.set()
            if not waiting.empty():  # lets a `put` go that waits for room
                waiting.get()

    thread = Thread(target=work, name="save", daemon=True)
    thread.start()
    try:
        for strip in rows:
            if ended.is_set():
                break
            waiting.put(np.ascontiguousarray(strip, dtype=layout.kind).data.cast("B"))
    finally:
        _wait(ended, waiting)
        thread.join()
    if failures:
        raise failures[0]


def _wait(ended: Event, waiting: Queue[memoryview]) -> None:
    """Let the save end, even if Ctrl-C is pressed meanwhile: it must not write to a file that was closed."""
    interruption: KeyboardInterrupt | None = None
    while True:
        try:
            while not ended.wait(0.1):
                with suppress(Full):  # no more rows will come; if some are missing, libvips gives up
                    waiting.put_nowait(memoryview(b""))
            break
        except KeyboardInterrupt as error:
            interruption = error
    if interruption is not None:
        raise interruption


def _source(layout: RowLayout, waiting: Queue[memoryview]) -> pyvips.Source:
    """Return the TIFF whose pixels are the strips that wait, in their order."""
    header = _tiff_header(layout)
    total = len(header) + layout.row_bytes * layout.height
    position, served = 0, len(header)  # of the next read; of the next byte that the strips will give
    strip = memoryview(b"")
    over = False

    def read(length: int) -> bytes | memoryview:
        nonlocal position, served, strip, over
        if position < len(header):
            chunk: bytes | memoryview = header[position : position + length]
        elif position != served or over:
            return b""
        else:
            if not strip:
                strip = waiting.get()
                over = not strip
            chunk, strip = strip[:length], strip[length:]
            served += len(chunk)
        position += len(chunk)
        return chunk

    def seek(offset: int, whence: int) -> int:
        nonlocal position
        position = offset + (0, position, total)[whence]
        return position

    source = pyvips.SourceCustom()
    source.on_read(read)
    source.on_seek(seek)
    return source


def _tiff_header(layout: RowLayout) -> bytes:
    """Make all of a little-endian BigTIFF that stands before its pixels."""
    bits = np.dtype(layout.kind).itemsize * 8
    colours = 3 if layout.bands >= 3 else 1
    strip_rows = min(max(1, _STRIP_BYTES // layout.row_bytes), layout.height)
    count = -(-layout.height // strip_rows)
    sizes = [strip_rows * layout.row_bytes] * count
    sizes[-1] -= (count * strip_rows - layout.height) * layout.row_bytes

    short, long8 = (3, "H"), (16, "Q")
    fields: list[tuple[int, tuple[int, str], list[int]]] = [
        (256, long8, [layout.width]),
        (257, long8, [layout.height]),
        (258, short, [bits] * layout.bands),
        (259, short, [1]),  # not compressed
        (262, short, [2 if colours == 3 else 1]),  # RGB or black is zero
        (273, long8, [0] * count),
        (277, short, [layout.bands]),
        (278, long8, [strip_rows]),
        (279, long8, sizes),
        (284, short, [1]),
        (338, short, [2] * (layout.bands - colours)),  # alpha, not multiplied into the colours
        (339, short, [_FLOAT if layout.kind == "float32" else _UINT] * layout.bands),
    ]
    fields = [one for one in fields if one[2]]
    values = {tag: struct.pack(f"<{len(data)}{code}", *data).ljust(8, b"\0") for tag, (_, code), data in fields}
    start = 16 + 8 + 20 * len(fields) + 8
    pixels = start + sum(len(value) for value in values.values() if len(value) > 8)
    values[273] = struct.pack(f"<{count}Q", *(pixels + sum(sizes[:1]) * i for i in range(count)))

    entries, outside = b"", b""
    for tag, (kind, _), data in fields:
        value = values[tag]
        entries += struct.pack("<HHQ", tag, kind, len(data))
        if len(value) > 8:
            entries += struct.pack("<Q", start + len(outside))
            outside += value
        else:
            entries += value
    return b"II" + struct.pack("<HHHQQ", 43, 8, 0, 16, len(fields)) + entries + bytes(8) + outside
