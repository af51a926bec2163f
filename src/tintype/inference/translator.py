"""One picture of any size and depth in, one translated picture out: the single path of samples, scores and commands.

Which way a picture goes is decided here: chroma for the whole joined with its own luminance (`colourise.py`), or whole
pictures in and out, in tiles where memory is short (`tiling.py`). Decoding and encoding of files is `image/file.py`.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, final, overload

import numpy as np

from tintype.errors import UsageError
from tintype.image.array_picture import ArrayPicture
from tintype.image.codec import Codec, LabSpace, build_codec
from tintype.image.file import DecodedImage, read_image
from tintype.image.picture import OpenPicture, strip_rows
from tintype.image.pillow import from_pillow, is_pillow, to_pillow
from tintype.image.provenance import Provenance
from tintype.image.resize import resize
from tintype.inference.colourise import EDGES, Chroma, coloured_strips, memory_note
from tintype.inference.hints import Hint, check_hints
from tintype.inference.mark import mark_of
from tintype.inference.modelfile import ModelCard, find_model, require_direction
from tintype.inference.network import Network
from tintype.inference.palette import Palette
from tintype.inference.runtime import Runtime, freezable, open_runtime
from tintype.inference.sizing import Sizing
from tintype.inference.tiling import translated_strips
from tintype.inference.translation import COLOUR_KEPT, Translation, has_colour
from tintype.recipe.schema import Direction

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Prediction", "Sizing", "Translation", "Translator", "check_keep_colour", "check_strength"]


@final
class Prediction:
    """What the network said about one picture, to be shown at any strength without running it again.

    That holds for chroma. Whole pictures are not kept: they are translated anew each time they are asked for.
    """

    def __init__(
        self,
        network: Network,
        picture: OpenPicture,
        settings: Sizing,
        threads: int,
        hints: Sequence[Hint] = (),
        reference: Palette | None = None,
    ) -> None:
        self._network, self._picture, self._settings, self._threads = network, picture, settings, threads
        if network.codec.predicts_chroma:
            edges = EDGES if settings.edges is None else settings.edges
            self._chroma = Chroma(network, picture, edges, hints, reference)

    def translation(self, strength: float = 1.0) -> Translation:
        """The translated picture, on its way.

        Args:
            strength: Factor on predicted chroma: 0 gives grey, 1 what the network said.

        Raises:
            UsageError: The strength is negative or not finite, or is not 1 for a model that does not predict chroma.
        """
        codec = self._network.codec
        check_strength(strength, codec)
        notes = self._network.notes
        if isinstance(codec, LabSpace):
            return Translation(
                self._picture.info,
                lambda tally: coloured_strips(self._picture, codec, self._chroma, strength, self._threads, tally),
                channels=3,
                keeps_luminance=True,
                notes=(*notes, *memory_note(self._picture.info, self._chroma, self._threads, self._settings.memory)),
            )
        return Translation(
            self._picture.info,
            lambda tally: translated_strips(self._network, self._picture, self._settings, tally),
            channels=1 if codec.target_channels == 1 or (codec.scale > 1 and self._picture.info.channels == 1) else 3,
            keeps_luminance=False,
            scale=codec.scale,
            notes=notes,
        )

    def render(self, strength: float = 1.0) -> np.ndarray:
        """The pixels of `translation`: `h w c` float32 in [0, 1]."""
        return self.translation(strength).pixels()


@final
class Translator:
    """A model with everything that is needed to use it on pictures.

    Args:
        model: A run folder, a `.onnx` or a `.safetensors` file; or `bundled`, `bundled:NAME` for one that comes with
            Tintype.
        direction: The one to translate in, of a run folder that has two; default: "ab", or that of a file.
        threads: Of the network and of the work on strips; default: one a core.
        provider: What ONNX Runtime computes with: "cpu", "cuda", "coreml", "directml" or "openvino"; default: what the
            environment variable TINTYPE_PROVIDER says, or the first that is there and starts.

    Raises:
        ModelFileError: The model is missing, damaged, or not made by Tintype.
        MissingExtraError: It is a `.safetensors` file and torch is not installed.
        UsageError: The model translates in the other direction, or the provider is not there.

    Attributes:
        runtime: What runs the network.
        card: What its file says about it.
        codec: What the network sees and makes.
        network: All of it, to run on a part of a picture.
    """

    def __init__(
        self,
        model: str | Path,
        direction: Direction | None = None,
        threads: int | None = None,
        provider: str | None = None,
    ) -> None:
        path = find_model(model, direction)
        runtime, card = open_runtime(path, threads, provider)
        require_direction(card, path, direction)
        self._attach(runtime, card, threads, path=path)

    @classmethod
    def from_runtime(cls, runtime: Runtime, card: ModelCard, codec: Codec | None = None) -> Translator:
        """A translator for a network that is in memory already, as in training; `codec`: instead of the card's."""
        translator = cls.__new__(cls)
        translator._attach(runtime, card, codec=codec)
        return translator

    def _attach(
        self,
        runtime: Runtime,
        card: ModelCard,
        threads: int | None = None,
        codec: Codec | None = None,
        path: Path | None = None,
    ) -> None:
        refuse_other_uses(card, path)
        self.runtime, self.card, self._path = runtime, card, path
        self.codec = codec or build_codec(card.recipe, card.direction)
        self.network = Network(runtime, card, self.codec)
        self._threads = threads or os.cpu_count() or 1

    def with_seed(self, seed: int) -> Translator:
        """This model with the noise of another seed, for other colourings; the default is 0.

        Raises:
            UsageError: The model has no noise, so that a seed would be without effect.
        """
        if not self.card.makes_many:
            raise UsageError(f"seed {seed}: this model makes one result of a picture; leave it out")
        translator = type(self).from_runtime(self.runtime, self.card, self.codec)
        translator.network = self.network.with_seed(seed)
        translator._path, translator._threads = self._path, self._threads
        return translator

    def with_runtime(self, runtime: Runtime, threads: int) -> Translator:
        """This model, its network run by something else.

        Args:
            runtime: Gives the same as its own.
            threads: Of the work on strips.
        """
        translator = type(self).from_runtime(runtime, self.card, self.codec)
        translator._path, translator._threads = self._path, threads
        return translator

    def mark(
        self, strength: float = 1.0, hints: Sequence[Hint] = (), reference: Palette | None = None
    ) -> Provenance | None:
        """What results say of their making; nothing, where the network came from no file."""
        settings = [("strength", f"{strength:g}")] if self.codec.predicts_chroma else []
        settings += told_settings(hints, reference)
        settings += [("seed", str(self.network.seed))] if self.card.makes_many else []
        return None if self._path is None else mark_of(self.card, self._path, settings)

    @overload
    def __call__(
        self,
        image: np.ndarray,
        *,
        strength: float = 1.0,
        hints: Sequence[Hint] = (),
        reference: Palette | None = None,
    ) -> np.ndarray: ...

    @overload
    def __call__(
        self,
        image: Image,
        *,
        strength: float = 1.0,
        hints: Sequence[Hint] = (),
        reference: Palette | None = None,
    ) -> Image: ...

    @overload
    def __call__(
        self,
        image: DecodedImage | str | Path,
        *,
        strength: float = 1.0,
        hints: Sequence[Hint] = (),
        reference: Palette | None = None,
    ) -> DecodedImage: ...

    def __call__(
        self,
        image: np.ndarray | Image | DecodedImage | str | Path,
        *,
        strength: float = 1.0,
        hints: Sequence[Hint] = (),
        reference: Palette | None = None,
    ) -> np.ndarray | Image | DecodedImage:
        """Translate one picture; its depth, alpha, extras and path are kept, and a decoded one carries its mark.

        Its size is kept too, unless the model enlarges; then alpha is enlarged with it, and a grey picture stays grey.

        Args:
            image: A file; a decoded picture; an sRGB array `h w`, `h w 1` or `h w 3` of uint8, uint16, or float in
                [0, 1]; or a picture of Pillow, whose pixels are taken as they stand, as those of arrays are.
            strength: Factor on predicted chroma; only 1 for models that do not predict chroma.
            hints: Colours at points of the picture, for models that were trained with hints.
            reference: Colours of another picture, from `palette_of`; only for models that predict chroma.

        Returns:
            A decoded picture for a file or decoded picture; an array `h w 3` of the same type for an array (`h w 1`
            from models that make grey pictures, and of a grey one from models that enlarge); for one of Pillow another
            of 8 bits, with its alpha.

        Raises:
            ImageError: The file cannot be read, or values are not finite or out of range.
            ModelFileError: The network fails, or gives something else than its card says.
            UsageError: The array is no picture, a hint lies outside it, or what is asked does not fit the model.
        """
        check_strength(strength, self.codec)
        if is_pillow(image):
            return to_pillow(self(from_pillow(image), strength=strength, hints=hints, reference=reference))
        if isinstance(image, str | Path):
            image = read_image(image)
        result = self.translate(ArrayPicture(image), strength=strength, hints=hints, reference=reference).pixels()
        if isinstance(image, DecodedImage):
            alpha = image.alpha
            if self.codec.scale > 1 and alpha is not None:
                height, width = result.shape[:2]
                alpha = np.clip(resize(alpha[..., None], height, width, "cubic")[..., 0], 0, 1)
            return dataclasses.replace(
                image, pixels=result, alpha=alpha, provenance=self.mark(strength, hints, reference)
            )
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
        settings: Sizing = Sizing(),  # noqa: B008  frozen
        hints: Sequence[Hint] = (),
        reference: Palette | None = None,
    ) -> Translation:
        """Translate an open picture of any size; the work on its strips begins when they are asked for.

        A model that predicts chroma sees the picture, reduced, before this returns.

        Args:
            picture: From `open_picture`, or an `ArrayPicture`.
            strength: Factor on predicted chroma; only 1 for models that do not predict chroma.
            keep_colour: Leave a picture that has colour of its own as it is, instead of putting another colour in its
                place; only for models that make colour from grey.
            settings: How the picture is fitted to the network and to memory.
            hints: Colours at points of the picture, which the network spreads; only for models that were trained with
                hints.
            reference: Colours of another picture, from `palette_of`, that predicted ones are brought to, hints among
                them; only for models that predict chroma.

        Raises:
            ImageError: The picture is damaged or cut short.
            ModelFileError: The network fails, or gives something else than its card says.
            OutOfMemoryError: The network, at the size that it needs, does not fit into memory.
            UsageError: The strength, the settings, hints or reference do not fit the model, or a hint lies outside the
                picture.
        """
        check_strength(strength, self.codec)
        check_keep_colour(keep_colour, self.codec)
        check_hints(hints, self.card)
        check_reference(reference, self.codec)
        if settings.statistics == "whole" and not self.codec.predicts_chroma and self.card.tiling == "approximate":
            freezable(self.runtime)
        if keep_colour and _is_coloured(picture):
            rows = strip_rows(picture.info.width)
            return Translation(
                picture.info, lambda _: picture.strips(rows), channels=3, keeps_luminance=True, notes=(COLOUR_KEPT,)
            )
        prediction = Prediction(self.network, picture, settings, self._threads, hints, reference)
        return prediction.translation(strength)

    def predict(
        self,
        image: np.ndarray | DecodedImage | OpenPicture,
        *,
        hints: Sequence[Hint] = (),
        reference: Palette | None = None,
    ) -> Prediction:
        """Run the network on a picture as `__call__` or `translate` takes it, and leave its strength for later.

        Raises:
            ImageError: The picture is damaged or cut short, or values are not finite or out of range.
            ModelFileError: The network fails, or gives something else than its card says.
            UsageError: The array is no picture, a hint lies outside it, or hints or reference do not fit the model.
        """
        check_hints(hints, self.card)
        check_reference(reference, self.codec)
        picture = ArrayPicture(image) if isinstance(image, np.ndarray | DecodedImage) else image
        return Prediction(self.network, picture, Sizing(), self._threads, hints, reference)

    def loses_colour(self, image: np.ndarray | DecodedImage) -> bool:
        """Whether the picture has colour of its own that this model puts another colour in place of."""
        return self.codec.colourises and _is_coloured(ArrayPicture(image))


def refuse_other_uses(card: ModelCard, path: Path | None) -> None:
    """Refuse a model that translates no pictures.

    Raises:
        UsageError: It tells classes apart, or makes pictures from noise.
    """
    where = path or "this model"
    if card.recipe.generator.kind == "classifier":
        raise UsageError(
            f"{where}: tells classes of pictures apart and translates none; give a model of another recipe"
        )
    if "source" not in card.inputs:
        raise UsageError(f"{where}: makes pictures from noise and translates none; use it with tintype sample")


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


def check_keep_colour(keep_colour: bool, codec: Codec) -> None:
    """Refuse to keep the colour of pictures that the model does not put another colour in place of.

    Raises:
        UsageError: The model does not make colour from grey.
    """
    if keep_colour and not codec.colourises:
        raise UsageError("keeping colour has no meaning for this model, which does not colour grey pictures")


def check_reference(reference: Palette | None, codec: Codec) -> None:
    """Refuse a reference for a model that does not predict chroma.

    Raises:
        UsageError: It cannot be used.
    """
    if reference is not None and not codec.predicts_chroma:
        raise UsageError("a reference has no meaning for this model, which does not predict chroma; leave it out")


def told_settings(hints: Sequence[Hint], reference: Palette | None) -> list[tuple[str, str]]:
    """What a mark says of hints and reference."""
    settings = [("hints", str(len(hints)))] if hints else []
    return settings if reference is None else [*settings, ("reference", reference.name)]


def _is_coloured(picture: OpenPicture) -> bool:
    if picture.info.channels == 1:
        return False
    return any(has_colour(strip.pixels) for strip in picture.strips(strip_rows(picture.info.width)))
