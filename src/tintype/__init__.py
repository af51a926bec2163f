"""Tintype trains and runs image-to-image translation GANs.

The public names are those in `__all__`; each is loaded on first use, so that `import tintype` is quick and needs no
torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tintype.api import evaluate, evaluate_samples, train
    from tintype.errors import TintypeError
    from tintype.image.file import DecodedImage, read_image, write_image
    from tintype.inference.hints import Hint, read_hints
    from tintype.inference.palette import palette_of
    from tintype.inference.translator import Translator
    from tintype.recipe import Recipe, load_recipe

__version__ = "0.1.0"

__all__ = [
    "DecodedImage",
    "Hint",
    "Recipe",
    "TintypeError",
    "Translator",
    "evaluate",
    "evaluate_samples",
    "load_recipe",
    "palette_of",
    "read_hints",
    "read_image",
    "train",
    "write_image",
]

_HOMES = {
    "DecodedImage": "tintype.image.file",
    "Hint": "tintype.inference.hints",
    "Recipe": "tintype.recipe",
    "TintypeError": "tintype.errors",
    "Translator": "tintype.inference.translator",
    "evaluate": "tintype.api",
    "evaluate_samples": "tintype.api",
    "load_recipe": "tintype.recipe",
    "palette_of": "tintype.inference.palette",
    "read_hints": "tintype.inference.hints",
    "read_image": "tintype.image.file",
    "train": "tintype.api",
    "write_image": "tintype.image.file",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tintype' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
