"""Using a classifier: pictures in, their features and logits out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

import numpy as np

from tintype.errors import ModelFileError
from tintype.image.codec import build_codec
from tintype.inference.modelfile import ModelCard
from tintype.inference.runtime import ManyRuntime

_AT_ONCE = 64
"""Pictures that go through the network together, which bounds its memory."""


@final
class Classifier:
    """A runtime of a classifier with the card that says how it is fed."""

    def __init__(self, runtime: ManyRuntime, card: ModelCard) -> None:
        self.card = card
        self._runtime, self._codec = runtime, build_codec(card.recipe)

    def __call__(self, pictures: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Features `n k` and logits `n classes` of pictures in display space, each `h w c` of the size of the recipe.

        Raises:
            ModelFileError: The network fails, or gives something else than its card says.
        """
        batch: list[np.ndarray] = []
        parts = []
        for picture in pictures:
            batch.append(picture)
            if len(batch) == _AT_ONCE:
                parts.append(self._run(batch))
                batch = []
        if batch or not parts:
            parts.append(self._run(batch))
        features, logits = zip(*parts, strict=True)
        return np.concatenate(features), np.concatenate(logits)

    def _run(self, pictures: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        network, size = self.card.recipe.generator, self.card.recipe.data.size
        assert network.kind == "classifier"
        if not pictures:
            return np.empty((0, network.features), np.float32), np.empty((0, network.classes), np.float32)
        display = np.stack(pictures).transpose(0, 3, 1, 2)
        assert display.shape[2:] == (size, size), display.shape
        source = np.ascontiguousarray(self._codec.encode_source(display), dtype=np.float32)
        outputs = self._runtime.run({"source": source})
        shapes = [output.shape for output in outputs]
        if shapes != [(len(pictures), network.features), (len(pictures), network.classes)]:
            raise ModelFileError(
                f"the model gave outputs of shapes {shapes} where its recipe promises {network.features} features and "
                f"{network.classes} logits; export it again"
            )
        if not all(np.isfinite(output).all() for output in outputs):
            raise ModelFileError(
                "the model gave values that are not finite; its training diverged or the file is damaged"
            )
        return outputs[0], outputs[1]
