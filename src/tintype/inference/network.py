"""One run of a network on one picture of any size: model space, padding, orientations, and what its card promises."""

from __future__ import annotations

from functools import cached_property
from typing import final

import numpy as np

from tintype.errors import ModelFileError
from tintype.image.codec import Codec
from tintype.inference.memory import Cost, measure_cost
from tintype.inference.modelfile import ModelCard
from tintype.inference.runtime import Runtime, freezable

_PROBE_SIDE = 256  # of what comes out, of the smaller of two squares on which the cost is measured
_ASSUMED_MAPS = 16  # of `filters` channels of float32, held at once at full size


@final
class Network:
    """A runtime with the card that says how it is fed."""

    def __init__(self, runtime: Runtime, card: ModelCard, codec: Codec) -> None:
        self.runtime, self.card, self.codec = runtime, card, codec

    @cached_property
    def cost(self) -> Cost:
        """What a run costs in memory; measured when it is first asked for."""
        scale, multiple = self.codec.scale, self.card.multiple_of
        small = -(-_PROBE_SIDE // (scale * multiple)) * multiple
        channels, filters = self.codec.source_channels, self.card.recipe.generator.filters
        return measure_cost(
            lambda side: self(np.zeros((side, side, channels), np.float32)),
            small,
            assumed=_ASSUMED_MAPS * 4 * filters * scale**2,
        )

    @cached_property
    def freezable(self) -> Network:
        """This network on a runtime whose normalisation can be frozen.

        Raises:
            UsageError: There is none.
        """
        runtime = freezable(self.runtime)
        return self if runtime is self.runtime else Network(runtime, self.card, self.codec)

    def normalising_as_on(self, source: np.ndarray) -> Network:
        """This network with the mean and variance that its instance norm finds on one picture, for all pictures.

        Raises:
            UsageError: What runs the network cannot do that.
        """
        runtime = freezable(self.runtime)
        return Network(runtime.frozen_on(lambda: self(source)), self.card, self.codec)

    def __call__(self, source: np.ndarray, orientations: int | None = None) -> np.ndarray:
        """What the network says about a picture in display space whose sides `output_stride` divides.

        Sides that `multiple_of` does not divide are padded by reflection at the right and the bottom.

        Args:
            source: `h w c`.
            orientations: See `over_orientations`; default: what the recipe says.

        Returns:
            Model space, `h/output_stride w/output_stride c`; of `codec.scale` times that height and width.

        Raises:
            ModelFileError: The network fails, or gives something else than its card says.
        """
        height, width = source.shape[:2]
        multiple, stride, scale = self.card.multiple_of, self.card.output_stride, self.codec.scale
        x = self.codec.encode_source(to_batch(source))
        x = np.pad(x, ((0, 0), (0, 0), (0, -height % multiple), (0, -width % multiple)), mode="reflect")
        orientations = orientations or self.card.recipe.inference.orientations
        output = over_orientations(self.runtime, x.astype(np.float32), orientations)
        expected = (1, self.codec.target_channels, *(side // stride * scale for side in x.shape[2:]))
        if output.shape != expected:
            raise ModelFileError(
                f"the model gave an output of shape {output.shape} where its card promises {expected}; export it again"
            )
        if not np.isfinite(output).all():
            raise ModelFileError(
                "the model gave values that are not finite; its training diverged or the file is damaged"
            )
        return to_picture(output)[: height // stride * scale, : width // stride * scale]


def over_orientations(runtime: Runtime, x: np.ndarray, orientations: int) -> np.ndarray:
    """Mean of what the network says about a picture and its mirrored and turned copies, each turned back.

    Args:
        runtime: The network.
        x: Model space, `1 c h w`.
        orientations: 1: the picture alone; 2: and its mirror image; 8: all quarter turns of both.
    """
    if orientations == 1:
        return runtime(np.ascontiguousarray(x))
    total = 0.0
    for turns in range(4 if orientations == 8 else 1):
        turned = np.rot90(x, turns, (2, 3))
        both = runtime(np.concatenate([turned, turned[..., ::-1]]))
        total = total + np.rot90(both[:1] + both[1:, ..., ::-1], -turns, (2, 3))
    return np.asarray(total / orientations, dtype=np.float32)


def to_batch(pixels: np.ndarray) -> np.ndarray:
    """`h w c` to `1 c h w`."""
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))[None]


def to_picture(batch: np.ndarray) -> np.ndarray:
    """`1 c h w` to `h w c`."""
    return np.moveaxis(batch[0], 0, -1)
