"""Pictures that the HTML report embeds: real PNG files inside a run folder, as data URIs, within a budget."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from pathlib import Path

MAX_PICTURE_BYTES = 16 << 20
MAX_PICTURE_SIDE = 16_384
PAGE_BYTES = 24 << 20
"""Bytes of picture files on a page, whatever the number of runs: a browser opens that many without a pause."""


@dataclass(slots=True)
class Budget:
    """Bytes of picture files that may still be embedded."""

    left: int

    def take(self, size: int) -> bool:
        """Whether a file of this size still fits; it is counted if so."""
        if size > self.left:
            return False
        self.left -= size
        return True


@dataclass(frozen=True, slots=True)
class Embedded:
    """A picture as a data URI, or why there is none."""

    uri: str | None
    lack: str = ""


def embed(folder: Path, name: str, budget: Budget) -> Embedded:
    """A PNG inside `folder`; anything else, links that lead outside included, is refused in words."""
    refused = Embedded(None, "is missing or no PNG")
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            return refused
        size = path.stat().st_size
        if size > MAX_PICTURE_BYTES:
            return refused
        if not budget.take(size):
            return Embedded(None, "was left out to keep this page small")
        content = path.read_bytes()
    except (OSError, ValueError):
        return refused
    if not content.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR") or content[-8:-4] != b"IEND" or len(content) < 45:
        return refused
    if not all(0 < side <= MAX_PICTURE_SIDE for side in struct.unpack(">II", content[16:24])):
        return refused
    return Embedded("data:image/png;base64," + base64.b64encode(content).decode())
