"""Shim."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Provenance:
    """How a picture was made."""

    tintype: str
    model: str
    recipe: str
    recipe_digest: str
    model_digest: str
    step: int
    direction: str
    predicted: Literal["colour", "picture"]
    settings: tuple[tuple[str, str], ...] = ()


def read_provenance(path: Path) -> Provenance | None:
    """Shim."""
    import ast

    import pyvips

    image = pyvips.Image.new_from_file(str(path))
    if image.get_typeof("png-comment-0-Tintype") == 0:
        return None
    return Provenance(**ast.literal_eval(image.get("png-comment-0-Tintype")))
