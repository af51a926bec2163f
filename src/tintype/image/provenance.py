"""Who made the colours: the mark that every result carries, in the words of XMP, Exif, PNG text and FITS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final


@final
@dataclass(frozen=True, slots=True)
class Provenance:
    """What made a result, and how."""

    tintype: str
    """Version."""
    model: str
    """Name of the model file."""
    recipe: str
    recipe_digest: str
    model_digest: str
    """First 16 hexadecimal digits of the SHA-256."""
    step: int
    direction: str
    predicted: Literal["colour", "picture"]
    """What was not in the source: its colour, or all of it."""
    settings: tuple[tuple[str, str], ...] = ()
    """Names and values: strength, stretch, hdu, seed, ..."""
