"""Frames and densities that libvips does not tell of: animated PNG, sequences of AVIF and HEIF, the pHYs of a PNG.

Functions on an open binary file, for hostile files: bounded in what they read, silent about what is damaged.
"""

from __future__ import annotations

import struct
from typing import IO, NamedTuple

_MOST_CHUNKS = 10_000
_SEQUENCES = (b"avis", b"msf1", b"hevc", b"hevx")


class PngFacts(NamedTuple):
    """What stands before the pixels of a PNG."""

    frames: int = 1
    """Of an animated PNG."""
    density: tuple[float, float] | None = None
    """Pixels per millimetre, across and down."""


def png_facts(stream: IO[bytes]) -> PngFacts:
    """Read the chunks before the pixels; the frames are those that the chunk acTL promises."""
    facts = PngFacts()
    stream.seek(8)
    for _ in range(_MOST_CHUNKS):
        head = stream.read(8)
        if len(head) < 8:
            break
        size, kind = struct.unpack(">I4s", head)
        match kind:
            case b"IDAT":
                break
            case b"acTL" | b"pHYs" if size in (8, 9):
                data = stream.read(size)
                if len(data) < size:
                    break
                across, down = struct.unpack_from(">II", data)
                if kind == b"acTL":
                    facts = facts._replace(frames=max(1, across))
                elif data[8:] == b"\x01" and across and down:
                    facts = facts._replace(density=(across / 1000, down / 1000))
                stream.seek(4, 1)
            case _:
                stream.seek(size + 4, 1)
    return facts


def is_sequence(stream: IO[bytes]) -> bool:
    """Whether a file of the AVIF and HEIF family is an animation."""
    stream.seek(0)
    return stream.read(12)[8:] in _SEQUENCES
