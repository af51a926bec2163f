"""PBM, PGM, PPM and PFM: the formats of Netpbm, of 1 to 16 bits and in floating point.

P1 to P6 as http://netpbm.sourceforge.net/doc describes them, "Pf" and "PF" after Debevec. The header says how large a
picture is, so that nothing is allocated for what a file cannot hold.
"""

from __future__ import annotations

import re
from typing import IO

import numpy as np

from tintype.errors import LimitError

_TOKEN = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])*(\S{1,32})(?=\s)")
_LONGEST_HEADER = 16384
_MOST_WORDS = 2**24  # samples written as text take fifty times their memory while they are read
_CHANNELS = {b"P1": 1, b"P2": 1, b"P3": 3, b"P4": 1, b"P5": 1, b"P6": 3, b"Pf": 1, b"PF": 3}


def is_netpbm(head: bytes) -> bool:
    """Tell by the first bytes of a file."""
    return head[:2] in _CHANNELS and head[2:3].isspace()


def read_netpbm(stream: IO[bytes], most_pixels: int) -> np.ndarray:
    """Decode a file that `is_netpbm`.

    Args:
        stream: The file.
        most_pixels: More are refused before they are read.

    Returns:
        `h w c` with c = 1 or 3, of uint8 up to 255 levels, of uint16 above, or of float32; integers at full scale.

    Raises:
        LimitError: It has more pixels; the message, as those below, is a reason for the user.
        ValueError: The file is damaged or cut short.
    """
    stream.seek(0)
    head = stream.read(_LONGEST_HEADER)
    kind = head[:2]
    bitmap = kind in (b"P1", b"P4")
    words, start = _header(head, 2 if bitmap else 3)
    try:
        width, height = int(words[0]), int(words[1])
        peak = 1.0 if bitmap else float(words[2]) if kind in (b"Pf", b"PF") else int(words[2])
    except ValueError:
        raise ValueError("its header holds no numbers") from None
    if width < 1 or height < 1:
        raise ValueError(f"its size is {width} x {height}")
    if width * height > most_pixels:
        raise LimitError(f"{width} x {height} pixels, more than the {most_pixels:,} that are allowed")
    channels = _CHANNELS[kind]
    stream.seek(start)
    if kind in (b"Pf", b"PF"):
        rows = np.frombuffer(_exactly(stream, width * height * channels * 4), "<f4" if peak < 0 else ">f4")
        return rows.reshape(height, width, channels)[::-1].astype(np.float32)
    if not 1 <= peak <= 65535:
        raise ValueError(f"its largest value is {peak:.0f}; needed: 1 to 65535")
    if kind == b"P4":
        rows = np.frombuffer(_exactly(stream, (width + 7) // 8 * height), np.uint8).reshape(height, -1)
        samples = 1 - np.unpackbits(rows, axis=1, count=width)
    elif kind in (b"P5", b"P6"):
        data = _exactly(stream, width * height * channels * (1 if peak < 256 else 2))
        samples = np.frombuffer(data, np.uint8 if peak < 256 else ">u2")
    else:
        samples = _plain(stream, width * height * channels, bitmap=bitmap)
    return _full_scale(samples, int(peak)).reshape(height, width, channels)


def _header(head: bytes, count: int) -> tuple[list[bytes], int]:
    words, at = [], 2
    for _ in range(count):
        match = _TOKEN.match(head, at)
        if match is None:
            raise ValueError("its header is damaged or cut short")
        words.append(match[1])
        at = match.end()
    return words, at + 1  # one white space ends the header


def _exactly(stream: IO[bytes], size: int) -> bytes:
    start = stream.tell()
    if stream.seek(0, 2) - start < size:
        raise ValueError("it is cut short")
    stream.seek(start)
    return stream.read(size)


def _plain(stream: IO[bytes], count: int, *, bitmap: bool) -> np.ndarray:
    """Samples written as text; those of a bitmap may follow each other without white space, and 1 is black."""
    if count > _MOST_WORDS:
        raise ValueError(f"{count:,} samples as text, more than the {_MOST_WORDS:,} that are allowed; needed: P4 to P6")
    text = re.sub(rb"#[^\n\r]*", b"", stream.read(16 * count + _LONGEST_HEADER))
    if bitmap:
        digits = np.frombuffer(b"".join(text.split()), np.uint8)[:count]
        samples = 1 - (digits.astype(np.int64) - ord("0"))
    else:
        words = text.split(None, count)[:count]
        if any(not word.isdigit() or len(word) > 5 for word in words):
            raise ValueError("a sample is no number")
        samples = np.array(words, dtype="S5").astype(np.int64)
    if samples.size < count:
        raise ValueError("it is cut short")
    if samples.min() < 0 or (bitmap and samples.max() > 1):
        raise ValueError("a sample is neither 0 nor 1")
    return samples


def _full_scale(samples: np.ndarray, peak: int) -> np.ndarray:
    if samples.max() > peak:
        raise ValueError(f"a sample is above the largest value of {peak}")
    dtype, full = (np.uint8, 255) if peak < 256 else (np.uint16, 65535)
    if peak == full:
        return samples.astype(dtype)
    return np.rint(samples.astype(np.float32) * np.float32(full / peak)).astype(dtype)
