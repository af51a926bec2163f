"""What the server does, without HTTP: models that are ready, and one picture translated for API and studio alike."""

from __future__ import annotations

import dataclasses
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar, cast, final

from tintype.errors import LimitError, OutOfMemoryError, UsageError
from tintype.image.file import open_picture
from tintype.image.picture import Limits, OpenPicture, PictureInfo, Reading
from tintype.image.provenance import Provenance
from tintype.inference.batch import core_count, large_for
from tintype.inference.hints import Hint, check_hints
from tintype.inference.memory import is_out_of_memory
from tintype.inference.modelfile import ModelCard, find_model
from tintype.inference.one import Turns
from tintype.inference.options import TranslateOptions, check_options, describe
from tintype.inference.palette import palette_of
from tintype.inference.plan import Format
from tintype.inference.runtime import OnnxRuntime
from tintype.inference.stream import at_most, own_format, translate_into
from tintype.inference.translator import Translator, check_keep_colour, check_strength
from tintype.recipe.schema import Direction
from tintype.server.jobs import Job, Place, WorkQueue
from tintype.server.joining import JoiningRuntime
from tintype.server.settings import ServerSettings

Made = TypeVar("Made")

SPOOLED_BYTES = 4 * 2**20
"""Of a result, from which on it is kept in a temporary file without a name instead of in memory."""

MEDIA_TYPES: dict[Format, str] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "tif": "image/tiff",
    "avif": "image/avif",
    "fits": "application/fits",
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for with one picture; plain data, of which nothing is trusted."""

    picture: bytes
    """The content of a picture file of any format."""
    model: str | None = None
    """Name of a model; default: the first."""
    direction: Direction | None = None
    """Default: "ab", or the one that the model has."""
    picture_format: Format | None = None
    """Of the result; default: that of the picture, or PNG where it cannot be written."""
    size: int | None = None
    """Pixels of the longer side of the result at most."""
    strength: float = 1.0
    """Factor on predicted chroma."""
    seed: int | None = None
    """Of a model with noise."""
    keep_colour: bool = False
    """Leave a picture that has colour already as it is."""
    hints: tuple[Hint, ...] = ()
    """Colours at points of the picture, in its own pixels whatever `size` is."""
    reference: bytes | None = None
    """The content of another picture file, whose colours are to be used."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A translated picture."""

    picture: BinaryIO
    """The file of the result, to be read from its beginning."""
    size: int
    """Bytes of the file."""
    format: Format
    width: int
    height: int
    model: ServedModel
    notes: tuple[str, ...]
    """What the user should hear."""
    provenance: Provenance
    queued_s: float
    """Seconds that it has waited for its turn."""
    work_s: float
    """Seconds that the work took."""

    @property
    def media_type(self) -> str:
        """What the file is, for HTTP."""
        return MEDIA_TYPES[self.format]

    def data(self) -> bytes:
        """The whole file."""
        self.picture.seek(0)
        return self.picture.read()


@final
@dataclass(frozen=True, slots=True, eq=False)
class ServedModel:
    """A model that is ready for use in one direction."""

    name: str
    path: Path
    """The model file."""
    translator: Translator

    @property
    def card(self) -> ModelCard:
        """What its file says about it."""
        return self.translator.card


@final
class Service:
    """Models, and the queue of what is asked of them.

    Args:
        models: A run folder or model file by the name that requests call it; the first is the default.
        settings: Limits and sizes.
        joined: Told the number of pictures in each run of a network.

    Raises:
        ModelFileError: A model is missing, damaged, or not made by Tintype.
        MissingExtraError: One is a `.safetensors` file and torch is not installed.
        UsageError: One translates no pictures, or there is none.

    Attributes:
        settings: Limits and sizes.
        models: By name and direction; the first direction is the default one.
        queue: Where jobs wait.
    """

    def __init__(
        self,
        models: Mapping[str, Path],
        settings: ServerSettings,
        joined: Callable[[int], None] = lambda _: None,
    ) -> None:
        if not models:
            raise UsageError("no model to serve; give one")
        self.settings = settings
        self.queue = WorkQueue(settings.worker_count, settings.queue, settings.held_bytes)
        self._turn = threading.Lock()
        self.models = {name: self._open(name, path, joined) for name, path in models.items()}

    def _open(self, name: str, path: Path, joined: Callable[[int], None]) -> dict[Direction, ServedModel]:
        """A model in all directions that it has."""
        first = Translator(path, threads=core_count())
        found = {first.card.direction: first}
        back: Direction = "ba" if first.card.direction == "ab" else "ab"
        if path.is_dir() and find_model(path, back) != find_model(path):
            found[back] = Translator(path, back, threads=core_count())
        return {
            direction: ServedModel(name, find_model(path, direction), self._shared(translator, joined))
            for direction, translator in found.items()
        }

    def _shared(self, translator: Translator, joined: Callable[[int], None]) -> Translator:
        """A translator for several threads at a time; runs are joined where the network sees reduced copies."""
        settings, runtime = self.settings, translator.runtime
        threads = max(1, core_count() // settings.worker_count)
        if isinstance(runtime, OnnxRuntime) and translator.codec.predicts_chroma:
            queue = self.queue
            shared = JoiningRuntime(
                runtime, settings.batch, settings.batch_wait, lambda: max(0, queue.in_work - 1), joined
            )
            return translator.with_runtime(shared, threads)
        return translator.with_runtime(runtime, threads)

    def model(self, name: str | None = None, direction: Direction | None = None) -> ServedModel:
        """The model that is meant.

        Raises:
            UsageError: There is no such model, or it does not go that way.
        """
        directions = next(iter(self.models.values())) if name is None else self.models.get(name)
        if directions is None:
            raise UsageError(f"model {name}: there is none of that name; choose {_or(self.models)}")
        if direction is None:
            return next(iter(directions.values()))
        if direction not in directions:
            raise UsageError(f"direction {direction}: this model goes {' and '.join(directions)} only; leave it out")
        return directions[direction]

    def submit(self, asked: Asked, place: Place | None = None) -> Job[Answer]:
        """Let a picture wait for its turn; the future of the job has the answer.

        Args:
            asked: The picture and what is asked for.
            place: The place in the queue that was taken for it; default: one is taken now.

        Raises:
            QueueFullError: There is no place; not with one that was taken before.
            StoppingError: The server is stopping; not with one that was taken before.
            UsageError: What is asked does not fit the model. The place is not given back.

        The future raises `TintypeError` where the picture cannot be translated, and `StoppedError` where the job was
        cancelled.
        """
        model = self.model(asked.model, asked.direction)
        _check(asked, model)
        size = len(asked.picture) + len(asked.reference or b"")
        return self.run(lambda job: self._translate(asked, model, job), size, place)

    def run(self, work: Callable[[Job[Made]], Made], size: int, place: Place | None = None) -> Job[Made]:
        """Let any other work wait for its turn in the same queue; it should look at `job.stop` now and then.

        Args:
            work: Done in a worker thread.
            size: Bytes that it holds while it waits.
            place: As for `submit`.

        Raises:
            QueueFullError: There is no place.
            StoppingError: The server is stopping.
        """
        return self.queue.begin(place or self.queue.take_place(size), work)

    def turns(self, model: ServedModel, job: Job[Made]) -> Turns:
        """What tells a job with this model when to stop, and when it is the turn of a large picture."""
        return Turns(large_for(model.translator), job.stop, self._turn)

    def open(self, picture: bytes) -> OpenPicture:
        """Open a picture within the limits.

        Raises:
            LimitError: It is beyond them.
            ImageError: It is no picture that can be read.
        """
        opened = open_picture(picture, self.reading)
        self._check_pixels(opened.info.width, opened.info.height, "")
        return opened

    @property
    def reading(self) -> Reading:
        """How pictures are read."""
        most = self.settings.max_pixels
        whole = min(most, Limits().pixels_in_memory)
        return Reading(limits=Limits(pixels=most, pixels_in_memory=whole, bytes=self.settings.max_bytes))

    def _options(
        self, asked: Asked, model: ServedModel, shown: PictureInfo, worked_on: PictureInfo
    ) -> TranslateOptions:
        """How a picture is translated that may have been reduced first."""
        across, down = worked_on.width / shown.width, worked_on.height / shown.height
        options = TranslateOptions(
            reading=self.reading,
            strength=asked.strength,
            keep_colour=asked.keep_colour,
            seed=asked.seed,
            hints=tuple(dataclasses.replace(hint, x=hint.x * across, y=hint.y * down) for hint in asked.hints),
            reference=None if asked.reference is None else palette_of(self.open(asked.reference)),
            time_limit=self.settings.time_limit,
        )
        check_options(options, model.card)
        return dataclasses.replace(options, provenance=describe(options, model.card, model.path))

    def _translate(self, asked: Asked, model: ServedModel, job: Job[Answer]) -> Answer:
        start = time.monotonic()
        scale = model.translator.codec.scale
        target = cast(BinaryIO, tempfile.SpooledTemporaryFile(SPOOLED_BYTES))  # noqa: SIM115  its reader closes it
        try:
            picture = self.open(asked.picture)
            chosen = asked.picture_format or own_format(picture.info, asked.picture)
            shown = picture.info
            if asked.size is not None:
                picture = at_most(picture, asked.size, scale)
            self._check_pixels(scale * picture.info.width, scale * picture.info.height, " of its result")
            options = self._options(asked, model, shown, picture.info)
            turns = self.turns(model, job)
            done = translate_into(target, picture, model.translator, options, chosen, turns, start)
            turns.check()  # nobody would close the result
        except Exception as error:
            target.close()
            if is_out_of_memory(error) and not isinstance(error, OutOfMemoryError):
                raise OutOfMemoryError("the picture needs more memory than there is; reduce it first") from error
            raise
        size = target.tell()
        target.seek(0)
        provenance = options.provenance
        assert provenance is not None
        return Answer(
            picture=target,
            size=size,
            format=done.format,
            width=done.width,
            height=done.height,
            model=model,
            notes=tuple(dict.fromkeys(done.notes)),
            provenance=provenance,
            queued_s=job.queued_s,
            work_s=time.monotonic() - start,
        )

    def _check_pixels(self, width: int, height: int, of_what: str) -> None:
        most = self.settings.max_pixels
        if width * height > most:
            raise LimitError(f"picture: {width} x {height} pixels{of_what}, more than the {most:,} that are allowed")


def _check(asked: Asked, model: ServedModel) -> None:
    """Refuse what means nothing for a model before anything waits for it.

    Raises:
        UsageError: It would be without effect.
    """
    codec = model.translator.codec
    if asked.seed is not None and not model.card.makes_many:
        raise UsageError(f"seed {asked.seed}: this model makes one result of a picture; leave it out")
    check_strength(asked.strength, codec)
    check_keep_colour(asked.keep_colour, codec)
    check_hints(asked.hints, model.card)


def _or(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
