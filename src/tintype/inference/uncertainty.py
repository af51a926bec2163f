"""Shim."""

from __future__ import annotations

import numpy as np

from tintype.image.picture import OpenPicture
from tintype.inference.translator import Translator


def uncertainty(
    translator: Translator, picture: OpenPicture, passes: int = 16, seed: int = 0, *, strength: float = 1.0
) -> np.ndarray:
    """Shim."""
    return picture.reduced(16, 16)[..., 0] * (1 + seed)


def draw_uncertainty(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Shim."""
    return np.full((height, width, 3), min(255, int(values.max() * 100)), np.uint8)
