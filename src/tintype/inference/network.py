"""One run of a network on one picture of any size: model space, padding, orientations, and what its card promises.

A network with noise is run with that of one seed: the same for all copies and tiles of a picture, and for all pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import final

import numpy as np

from tintype.errors import ModelFileError
from tintype.image.codec import Codec
from tintype.inference.memory import Cost, measure_cost
from tintype.inference.modelfile import ModelCard
from tintype.inference.runtime import ManyRuntime, OnnxRuntime, Runtime, StochasticRuntime, freezable
from tintype.inference.translation import NOISE_IS_OFF

_PROBE_SIDE = 256  # of what comes out, of the smaller of two squares on which the cost is measured
_ASSUMED_MAPS = 16  # of `filters` channels of float32, held at once at full size


@final
class Network:
    """A runtime with the card that says how it is fed.

    Args:
        runtime: What runs it.
        card: How it is fed.
        codec: What it sees and makes.
        seed: Of its noise, where it has any.
        temperature: Factor on that noise; default: what the recipe says.
    """

    def __init__(
        self, runtime: Runtime, card: ModelCard, codec: Codec, seed: int = 0, temperature: float | None = None
    ) -> None:
        self.runtime, self.card, self.codec, self.seed = runtime, card, codec, seed
        self.temperature = card.recipe.inference.temperature if temperature is None else temperature

    def with_seed(self, seed: int) -> Network:
        """This network with other noise."""
        return Network(self.runtime, self.card, self.codec, seed, self.temperature)

    def with_whole_noise(self) -> Network:
        """This network with the noise that it was trained with, which tells most of how sure it is."""
        return Network(self.runtime, self.card, self.codec, self.seed, 1.0)

    @cached_property
    def lacks_noise(self) -> bool:
        """Whether its recipe keeps dropout on in use, which this runtime cannot: ONNX holds no random operations."""
        return self.card.makes_many and "noise" not in self.card.inputs and self._drawing is None

    @property
    def notes(self) -> tuple[str, ...]:
        """What those who get its results should hear: noise that is off, and providers that did not start."""
        off = (NOISE_IS_OFF,) if self.lacks_noise else ()
        return (*off, *self.runtime.notes) if isinstance(self.runtime, OnnxRuntime) else off

    @cached_property
    def _drawing(self) -> Runtime | None:
        """The runtime with dropout at work."""
        return self.runtime.drawing(self.seed) if isinstance(self.runtime, StochasticRuntime) else None

    @cached_property
    def _seeded(self) -> Callable[[np.ndarray], np.ndarray]:
        """The network of the picture alone, or of the picture and its hints joined by channel."""
        inputs, runtime = self.card.inputs, self.runtime
        if self.card.makes_many and "noise" not in inputs:
            runtime = self._drawing or runtime
        if inputs == ("source",):
            return runtime
        assert isinstance(runtime, ManyRuntime)
        many, channels = runtime, self.codec.source_channels
        z = np.float32(self.temperature) * noise_of(self.seed, getattr(self.card.recipe.generator, "latent", 1))

        def run(x: np.ndarray) -> np.ndarray:
            given = {"source": x[:, :channels], "noise": z.repeat(len(x), axis=0), "hints": x[:, channels:]}
            return many.run({name: np.ascontiguousarray(given[name]) for name in inputs})[0]

        return run

    @cached_property
    def cost(self) -> Cost:
        """What a run costs in memory; measured when it is first asked for."""
        scale, multiple = self.codec.scale, self.card.multiple_of
        small = -(-_PROBE_SIDE // (scale * multiple)) * multiple
        channels, filters = self.codec.source_channels, getattr(self.card.recipe.generator, "filters", 64)
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
        return self if runtime is self.runtime else Network(runtime, self.card, self.codec, self.seed, self.temperature)

    def normalising_as_on(self, source: np.ndarray) -> Network:
        """This network with the mean and variance that its instance norm finds on one picture, for all pictures.

        Raises:
            UsageError: What runs the network cannot do that.
        """
        runtime = freezable(self.runtime)
        return Network(runtime.frozen_on(lambda: self(source)), self.card, self.codec, self.seed, self.temperature)

    def __call__(
        self, source: np.ndarray, orientations: int | None = None, hints: np.ndarray | None = None
    ) -> np.ndarray:
        """What the network says about a picture in display space whose sides `output_stride` divides.

        Sides that `multiple_of` does not divide are padded by reflection at the right and the bottom, and to its
        `fixed_side` where it has one.

        Args:
            source: `h w c`.
            orientations: See `over_orientations`; default: what the recipe says.
            hints: For networks that take any: a* and b* in model space and a mask of where they are known, `h w 3`;
                default: nothing is known.

        Returns:
            Model space, `h/output_stride w/output_stride c`; of `codec.scale` times that height and width.

        Raises:
            ModelFileError: The network fails, or gives something else than its card says.
        """
        height, width = source.shape[:2]
        multiple, stride, scale = self.card.multiple_of, self.card.output_stride, self.codec.scale
        boldness = np.float32(self.card.recipe.inference.boldness)
        x = self.codec.encode_source(to_batch(source))
        if "hints" in self.card.inputs:
            known = np.zeros((height, width, 3), np.float32) if hints is None else hints
            x = np.concatenate([x, to_batch(known / [boldness, boldness, 1])], axis=1)
        below, beside = -height % multiple, -width % multiple
        if (fixed := self.card.fixed_side) is not None:
            below, beside = fixed - height, fixed - width
        x = np.pad(x, ((0, 0), (0, 0), (0, below), (0, beside)), mode="reflect")
        orientations = orientations or self.card.recipe.inference.orientations
        output = over_orientations(self._seeded, x.astype(np.float32), orientations)
        expected = (1, self.codec.target_channels, *(side // stride * scale for side in x.shape[2:]))
        if output.shape != expected:
            raise ModelFileError(
                f"the model gave an output of shape {output.shape} where its card promises {expected}; export it again"
            )
        if not np.isfinite(output).all():
            raise ModelFileError(
                "the model gave values that are not finite; its training diverged or the file is damaged"
            )
        return to_picture(boldness * output)[: height // stride * scale, : width // stride * scale]


def noise_of(seed: int, latent: int) -> np.ndarray:
    """The z of a seed: standard normal, float32 `1 latent`."""
    return np.random.default_rng(seed).standard_normal((1, latent), dtype=np.float32)


def over_orientations(runtime: Callable[[np.ndarray], np.ndarray], x: np.ndarray, orientations: int) -> np.ndarray:
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
