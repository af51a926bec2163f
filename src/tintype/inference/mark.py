"""The mark of results: which model they were predicted by, as `image/provenance.py` writes it into files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from tintype import __version__
from tintype.image.codec import build_codec
from tintype.image.provenance import Provenance
from tintype.inference.bundled import model_name
from tintype.inference.modelfile import ModelCard, damaged


def mark_of(card: ModelCard, model: Path, settings: Iterable[tuple[str, str]]) -> Provenance:
    """What results of a model file say of it, and of the settings that mattered.

    Raises:
        ModelFileError: The file cannot be read any more.
    """
    try:
        status = model.stat()
        digest = _digest(model, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise damaged(model, error) from error
    return Provenance(
        tintype=__version__,
        model=model_name(model),
        recipe=card.recipe.name,
        recipe_digest=card.recipe.digest,
        model_digest=digest,
        step=card.step,
        direction=card.direction,
        predicted="colour" if build_codec(card.recipe, card.direction).colourises else "picture",
        settings=tuple(settings),
    )


@lru_cache(maxsize=16)
def _digest(model: Path, size: int, changed: int) -> str:
    with model.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
