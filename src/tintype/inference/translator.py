"""One picture of any size and depth in, one translated picture out: the single path of samples, scores and commands.

The network's size, padding, and the joining of predicted chroma with the picture's own luminance are decided here;
decoding and encoding of files is `image/file.py`, display space to model space is `image/codec.py`.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, final, overload

import numpy as np

from tintype.errors import ImageError, ModelFileError, UsageError
from tintype.image.codec import Codec, build_codec
from tintype.image.file import DecodedImage, read_image
from tintype.image.picture import OpenPicture, Strip
from tintype.image.resize import resize
from tintype.inference.modelfile import ModelCard, find_model, require_direction
from tintype.inference.runtime import Runtime, open_runtime
from tintype.inference.sizing import Sizing
from tintype.inference.translation import COLOUR_REPLACED
from tintype.recipe.schema import Direction

LONGEST_SIDE = (
    8  # of what a colouriser's network sees, in model sizes: a 1 x 10,000 picture is not enlarged to 256 x 2,560,000
)
STRIP_PIXELS = (
    2**18
)  # pixels decoded at once: bounds the temporaries of big pictures, and is fastest when caches hold them
COLOUR_STEP = (
    8 / 255
)  # difference between channels above which a pixel counts as coloured, beyond what scanning and JPEG add


@final
@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What the network said about one picture, to be shown at any strength without running it again."""

    source: np.ndarray  # h w c, display space, as the codec reads it
    output: np.ndarray  # h w c', model space, already at the size of the picture
    codec: Codec

    def render(self, strength: float = 1.0) -> np.ndarray:
        """The translated picture: `h w c` float32 in [0, 1].

        Args:
            strength: Factor on predicted chroma: 0 gives grey, 1 what the network said.

        Raises:
            UsageError: The strength is negative or not finite, or is not 1 for a model that does not predict chroma.
        """
        check_strength(strength, self.codec)
        output = self.output if strength == 1 else self.output * np.float32(strength)
        channels = 3 if self.codec.predicts_chroma else self.codec.target_channels
        return _by_strips(self.codec.decode, channels, self.source, output)


class Translation:
    """Shim."""

    keeps_luminance = True

    def __init__(self, image: DecodedImage, notes: tuple[str, ...]) -> None:
        self._image, self.notes = image, notes
        self.channels: Literal[1, 3] = 1 if image.pixels.shape[2] == 1 else 3

    def strips(self) -> Iterator[Strip]:
        """Shim."""
        for top in range(0, self._image.height, 64):
            alpha = None if self._image.alpha is None else self._image.alpha[top : top + 64]
            yield Strip(top, self._image.pixels[top : top + 64], alpha)


@final
class Translator:
    """A model with everything that is needed to use it on pictures.

    Args:
        model: A run folder, a `.onnx` or a `.safetensors` file.
        direction: The one to translate in, of a run folder that has two; default: "ab", or that of a file.

    Raises:
        ModelFileError: The model is missing, damaged, or not made by Tintype.
        MissingExtraError: It is a `.safetensors` file and torch is not installed.
        UsageError: The model translates in the other direction.
    """

    def __init__(self, model: str | Path, direction: Direction | None = None, *, threads: int | None = None) -> None:
        path = find_model(model, direction)
        runtime, card = open_runtime(path, threads)
        require_direction(card, path, direction)
        self._attach(runtime, card)

    @classmethod
    def from_runtime(cls, runtime: Runtime, card: ModelCard) -> Translator:
        """A translator for a network that is in memory already, as in training."""
        translator = cls.__new__(cls)
        translator._attach(runtime, card)
        return translator

    def _attach(self, runtime: Runtime, card: ModelCard) -> None:
        self.runtime, self.card = runtime, card
        self.codec = build_codec(card.recipe, card.direction)

    @overload
    def __call__(self, image: np.ndarray, *, strength: float = 1.0) -> np.ndarray: ...

    @overload
    def __call__(self, image: DecodedImage | str | Path, *, strength: float = 1.0) -> DecodedImage: ...

    def __call__(
        self, image: np.ndarray | DecodedImage | str | Path, *, strength: float = 1.0
    ) -> np.ndarray | DecodedImage:
        """Translate one picture; its size, depth, alpha and path are kept.

        Args:
            image: A file; a decoded picture; or an sRGB array `h w`, `h w 1` or `h w 3` of uint8, uint16, or float in
                [0, 1].
            strength: Factor on predicted chroma; only 1 for models that do not predict chroma.

        Returns:
            A decoded picture for a file or decoded picture; an array `h w 3` of the same type for an array (`h w 1`
            from models that make grey pictures).

        Raises:
            ImageError: The file cannot be read, or values are not finite or out of range.
            ModelFileError: The network fails, or gives something else than its card says.
            UsageError: The array is no picture, or the strength does not fit.
        """
        check_strength(strength, self.codec)
        if isinstance(image, str | Path):
            image = read_image(image)
        result = self.predict(image).render(strength)
        if isinstance(image, DecodedImage):
            return dataclasses.replace(image, pixels=result)
        if image.dtype.kind == "u":
            result *= np.iinfo(image.dtype).max
            return np.rint(result, out=result).astype(image.dtype)
        return result.astype(image.dtype)

    def translate(
        self,
        picture: OpenPicture,
        *,
        strength: float = 1.0,
        keep_colour: bool = False,
        settings: Sizing | None = None,
    ) -> Translation:
        """Shim."""
        whole = list(picture.strips(10**9))
        image = DecodedImage(whole[0].pixels, whole[0].alpha)
        loses = self.loses_colour(image)
        result = image if loses and keep_colour else self(image, strength=strength)
        return Translation(result, (COLOUR_REPLACED,) if loses and not keep_colour else ())

    def predict(self, image: np.ndarray | DecodedImage) -> Prediction:
        """Run the network once on a picture as `__call__` takes it, and leave how strongly to apply it for later.

        Raises:
            ImageError: Values are not finite or out of range.
            ModelFileError: The network fails, or gives something else than its card says.
            UsageError: The array is no picture.
        """
        source = _by_strips(self.codec.source_from, self.codec.source_channels, display_pixels(image))
        height, width = source.shape[:2]
        if not self.codec.predicts_chroma:
            return Prediction(source, self._run(source), self.codec)
        small = resize(source, *network_size(height, width, self.card), kernel="lanczos3")
        chroma = resize(self._run(np.clip(small, 0, 1)), height, width, kernel="cubic")
        return Prediction(source, chroma, self.codec)

    def loses_colour(self, image: np.ndarray | DecodedImage) -> bool:
        """Whether the picture has colour of its own that this model puts another colour in place of."""
        if not self.codec.colourises:
            return False
        pixels = display_pixels(image)
        if pixels.shape[2] == 1:
            return False
        red, green, blue = (pixels[..., channel] for channel in range(3))
        return bool(max(np.abs(red - green).max(), np.abs(green - blue).max(), np.abs(red - blue).max()) > COLOUR_STEP)

    def _run(self, source: np.ndarray) -> np.ndarray:
        """Network output for a display-space source of sides that `output_stride` divides: `h/stride w/stride c'`."""
        height, width = source.shape[:2]
        multiple, stride = self.card.multiple_of, self.card.output_stride
        x = self.codec.encode_source(_to_batch(source))
        x = np.pad(x, ((0, 0), (0, 0), (0, -height % multiple), (0, -width % multiple)), mode="reflect")
        output = over_orientations(self.runtime, x.astype(np.float32), self.card.recipe.inference.orientations)
        expected = (1, self.codec.target_channels, x.shape[2] // stride, x.shape[3] // stride)
        if output.shape != expected:
            raise ModelFileError(
                f"the model gave an output of shape {output.shape} where its card promises {expected}; export it again"
            )
        if not np.isfinite(output).all():
            raise ModelFileError(
                "the model gave values that are not finite; its training diverged or the file is damaged"
            )
        return _to_picture(output)[: height // stride, : width // stride]


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


def network_size(height: int, width: int, card: ModelCard) -> tuple[int, int]:
    """Height and width at which a colouriser's network sees a picture, before padding.

    The shorter side becomes the recipe's `data.size`, unless the longer one would then exceed `LONGEST_SIDE` times
    that. Sides are rounded to multiples of `output_stride`, so that predicted chroma covers exactly the picture.
    """
    size, stride = card.recipe.data.size, card.output_stride
    scale = min(size / min(height, width), LONGEST_SIDE * size / max(height, width))
    return max(1, round(height * scale / stride)) * stride, max(1, round(width * scale / stride)) * stride


def check_strength(strength: float, codec: Codec) -> None:
    """Refuse a strength that means nothing for this model.

    Raises:
        UsageError: It is negative or not finite, or is not 1 where no chroma is predicted.
    """
    if not (math.isfinite(strength) and strength >= 0):
        raise UsageError(f"strength {strength} must be a number of at least 0; 1 is what the network predicts")
    if strength != 1 and not codec.predicts_chroma:
        raise UsageError(
            f"strength {strength} has no meaning for this model, which does not predict chroma; leave it out"
        )


def display_pixels(image: np.ndarray | DecodedImage) -> np.ndarray:
    """The picture as `h w c` float32 in [0, 1], c 1 or 3.

    Raises:
        ImageError: Values are not finite or out of range.
        UsageError: The array is no picture.
    """
    if isinstance(image, DecodedImage):
        pixels, name = image.pixels, str(image.path or "picture")
    else:
        pixels, name = np.asarray(image), "picture"
    shape = pixels.shape
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
        raise UsageError(
            f"{name}: an array of shape {shape} is no picture; give `h w`, `h w 1` or `h w 3`, without alpha"
        )
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    if pixels.dtype.kind != "f":
        raise UsageError(f"{name}: an array of {pixels.dtype} is no picture; give uint8, uint16, or float in [0, 1]")
    low, high = float(pixels.min()), float(pixels.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ImageError(f"{name}: holds values that are not finite; every value must be in [0, 1]")
    if low < -0.1 or high > 1.1:  # a little beyond is what resizing leaves
        raise ImageError(f"{name}: holds values from {low:.4g} to {high:.4g}; float pictures must be in [0, 1]")
    pixels = pixels.astype(np.float32, copy=False)
    return pixels if low >= 0 and high <= 1 else np.clip(pixels, 0, 1)


def _by_strips(function: Callable[..., np.ndarray], channels: int, *pictures: np.ndarray) -> np.ndarray:
    """Apply a pixelwise function of batches `1 c h w` to pictures `h w c` of one size; gives `h w channels` float32."""
    height, width = pictures[0].shape[:2]
    result = np.empty((height, width, channels), np.float32)
    rows = max(1, STRIP_PIXELS // width)

    def apply(top: int) -> None:
        strip = slice(top, top + rows)
        result[strip] = _to_picture(function(*(_to_batch(picture[strip]) for picture in pictures)))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(apply, range(0, height, rows)))
    return result


def _to_batch(pixels: np.ndarray) -> np.ndarray:
    """`h w c` to `1 c h w`."""
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))[None]


def _to_picture(batch: np.ndarray) -> np.ndarray:
    """`1 c h w` to `h w c`."""
    return np.moveaxis(batch[0], 0, -1)
