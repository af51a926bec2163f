"""The chunks of a PNG that libvips does not tell, or not in every case: frames, density, texts.

Functions on an open binary file (PNG, third edition, 11.3; keywords and most texts are Latin-1, which libvips takes for
UTF-8). Files are hostile: what is read is bounded, and what is damaged is left out.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import IO, final

_MOST_CHUNKS = 100_000
_LONGEST_TEXT = 2**20
_ALL_TEXTS = 2**23
_XMP_KEYWORD = "XML:com.adobe.xmp"


@final
@dataclass(frozen=True, slots=True)
class PngChunks:
    """What stands in a PNG beside its pixels."""

    frames: int = 1
    """That an animated PNG promises."""
    density: tuple[float, float] | None = None
    """Pixels per millimetre, across and down."""
    texts: tuple[tuple[str, str], ...] = ()
    """Keyword and text, XMP left out."""


def read_chunks(stream: IO[bytes]) -> PngChunks:
    """Read all chunks of a PNG but its pixels."""
    frames, density, texts, budget = 1, None, [], _ALL_TEXTS
    stream.seek(8)
    for _ in range(_MOST_CHUNKS):
        head = stream.read(8)
        if len(head) < 8:
            break
        size, kind = struct.unpack(">I4s", head)
        following = stream.tell() + size + 4
        match kind:
            case b"acTL" if size == 8:
                frames = max(1, struct.unpack(">I4x", stream.read(8).ljust(8, b"\0"))[0])
            case b"pHYs" if size == 9:
                across, down, unit = struct.unpack(">IIB", stream.read(9).ljust(9, b"\0"))
                if unit == 1 and across and down:
                    density = (across / 1000, down / 1000)
            case b"tEXt" | b"zTXt" | b"iTXt" if size <= min(budget, _LONGEST_TEXT):
                text = _text(kind, stream.read(size))
                if text is not None and text[0] != _XMP_KEYWORD:
                    texts.append(text)
                    budget -= size + len(text[1])
            case b"IEND":
                break
        stream.seek(following)
    return PngChunks(frames, density, tuple(texts))


def _text(kind: bytes, data: bytes) -> tuple[str, str] | None:
    """Keyword and text of a chunk; None: it is damaged."""
    keyword, found, rest = data.partition(b"\0")
    if not found or not keyword:
        return None
    try:
        match kind:
            case b"tEXt":
                text = rest.decode("latin-1")
            case b"zTXt":
                text = _inflated(rest[1:]).decode("latin-1")
            case _:
                packed, (_, _, content) = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
                text = (_inflated(content) if packed else content).decode()
    except (ValueError, zlib.error):
        return None
    return keyword.decode("latin-1"), text


def _inflated(data: bytes) -> bytes:
    inflate = zlib.decompressobj()
    text = inflate.decompress(data, _LONGEST_TEXT)
    if not inflate.eof:
        raise ValueError
    return text
