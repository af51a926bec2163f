"""The training picture that is most like another one: what a model that had only learnt its pictures by heart gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import final

import numpy as np

from tintype.errors import DataError
from tintype.image.color import grey_to_luminance, luminance

_SIDE = 16


@final
class NearestPicture:
    """Finds the training picture whose source is nearest by its luminance, reduced to 16 x 16, in least squares.

    Only the reduced sources are kept, 1 KB for each picture.

    Args:
        sources: Training sources `h w 1|3`, display floats in [0, 1], at least 16 pixels on each side; taken one at a
            time.
        target: Loads the target `h w 3` of the source of this number.

    Raises:
        DataError: There are no pictures.
    """

    def __init__(self, sources: Iterable[np.ndarray], target: Callable[[int], np.ndarray]) -> None:
        reduced = [_reduced(source) for source in sources]
        if not reduced:
            raise DataError("nearest training picture: no training pictures, at least one is needed")
        self._sources, self._target = np.stack(reduced), target

    def __len__(self) -> int:
        return len(self._sources)

    def __call__(self, source: np.ndarray) -> np.ndarray:
        """The target `h w 3` of the training picture whose source is nearest to `source`, `h w 1|3`."""
        return self._target(self.index(source))

    def index(self, source: np.ndarray) -> int:
        """The number of that picture; of equally near ones the first."""
        return int(np.argmin(np.square(self._sources - _reduced(source)).sum(axis=1)))


def _reduced(source: np.ndarray) -> np.ndarray:
    """L* of 16 x 16 blocks, each the mean over its pixels."""
    planes = np.moveaxis(source, -1, 0)
    lightness = (luminance(planes) if len(planes) == 3 else grey_to_luminance(planes))[0]
    for axis in (0, 1):
        edges = np.arange(_SIDE) * lightness.shape[axis] // _SIDE
        counts = np.diff(edges, append=lightness.shape[axis])
        sums = np.add.reduceat(lightness, edges, axis=axis)
        lightness = sums / (counts[:, None] if axis == 0 else counts)
    return lightness.ravel().astype(np.float32)
