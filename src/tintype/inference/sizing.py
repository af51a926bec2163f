"""How pictures of every size are fitted to a network and to memory, where that leaves a choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

Statistics = Literal["auto", "tile", "whole"]


@final
@dataclass(frozen=True, slots=True)
class Sizing:
    """Choices that change how a picture is worked on; the defaults suit every picture."""

    memory: int | None = None
    """Bytes that the process may hold in all; default: a share of what is free."""
    edges: bool | None = None
    """Enlarge chroma along the edges of the luminance, for models that predict chroma; default: `colourise.EDGES`."""
    statistics: Statistics = "auto"
    """What instance norm normalises over where a picture is cut into tiles: each tile, or the whole, reduced; "auto":
    the whole where the runtime can do that."""
    tile: int | None = None
    """Side of the tiles in pixels; default: as large as memory allows, the whole picture if it can."""
