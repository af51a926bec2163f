"""What the studio remembers of its visitors: each one's picture, and what networks said about it.

Bounded in number, in what each holds, and in time; no visitor can name another's. Knows nothing of pages.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import final

import numpy as np

from tintype.errors import InputError, LimitError
from tintype.image.file import open_picture, write_image, write_picture
from tintype.image.picture import OpenPicture, Strip, strip_rows
from tintype.inference.hints import Hint
from tintype.inference.one import Turns, map_size, write_made
from tintype.inference.options import TranslateOptions, describe
from tintype.inference.palette import Palette
from tintype.inference.plan import format_of, result_name
from tintype.inference.translator import Prediction, Translator
from tintype.inference.uncertainty import draw_uncertainty, uncertainty
from tintype.server.service import ServedModel

SHOWN_PIXELS = 24_000_000
"""Of a picture up to which the page shows all of them."""
REDUCED_SIDE = 4096
"""Pixels of the longer side of what is shown of larger pictures."""
MARKED_SIDE = 1280
"""Pixels of the longer side of the picture that hints are set on."""
_MOST_PREDICTIONS = 8
_SHOWN_AS_THEY_ARE = ("jpg", "png", "webp")


class GoneError(InputError):
    """A visitor's picture is not held any more."""

    def __init__(self) -> None:
        super().__init__("the picture is not held any more, since nothing was done with it for a while; drop it again")


@final
@dataclass(frozen=True, slots=True)
class Look:
    """Everything that decides how a picture is to look."""

    model: ServedModel
    strength: float = 1.0
    seed: int | None = None
    """Of models with noise."""
    hints: tuple[Hint, ...] = ()
    reference: Palette | None = None

    def translator(self) -> Translator:
        """The model with this noise."""
        translator = self.model.translator
        return translator.with_seed(self.seed) if self.seed and self.model.card.makes_many else translator


@final
@dataclass(frozen=True, slots=True)
class Made:
    """A result: the file to download, the one to show, and what is to be said."""

    file: Path
    shown: Path
    notes: tuple[str, ...]


@final
@dataclass(slots=True, eq=False)
class Visit:
    """One visitor's picture.

    Attributes:
        folder: Of this visit alone; removed with it.
        file: The picture as it was uploaded.
        picture: The same, open.
        shown: What the page shows of it: itself, or a reduced copy.
        before: `shown` as a file that browsers can show.
    """

    folder: Path
    file: Path
    picture: OpenPicture
    shown: OpenPicture
    before: Path
    lock: threading.Lock = field(default_factory=threading.Lock)
    """For one piece of work at a time."""
    used: float = field(default_factory=time.monotonic)
    _predictions: OrderedDict[tuple[object, ...], Prediction] = field(default_factory=OrderedDict)
    _made: int = 0

    @property
    def is_reduced(self) -> bool:
        """Whether the page shows fewer pixels than there are."""
        return self.shown is not self.picture

    @property
    def marked_scale(self) -> float:
        """Pixels of the picture for each of what `mark` draws, along a side."""
        info = self.picture.info
        return max(1.0, max(info.width, info.height) / MARKED_SIDE)

    def make(self, look: Look, options: TranslateOptions, turns: Turns) -> Made:
        """Write the result, byte for byte what `tintype translate` writes for the same file and settings.

        Raises:
            TintypeError: The picture cannot be translated or written, or what is asked does not fit the model.
            StoppedError: It was told to stop.
        """
        info, scale, most = self.picture.info, look.model.translator.codec.scale, options.reading.limits.pixels
        if scale**2 * info.width * info.height > most:
            raise LimitError(
                f"{self.file.name}: {scale * info.width} x {scale * info.height} pixels of its result, more than the "
                f"{most:,} that are allowed; reduce it first"
            )
        folder = self._new_folder()
        name = result_name(self.file.name, None)
        notes = self._write(folder / name, self.picture, look, options, turns)
        if self.is_reduced:
            shown = folder / "shown.jpg"
            self._write(shown, self.shown, look, options, turns)
            notes += (f"shown with {self.shown.info.width} x {self.shown.info.height} pixels; the file has all",)
        elif format_of(folder / name) in _SHOWN_AS_THEY_ARE:
            shown = folder / name
        else:
            shown = folder / "shown.jpg"
            self._write(shown, self.shown, look, options, turns)
        return Made(folder / name, shown, tuple(dict.fromkeys(notes)))

    def make_sample(self, look: Look, options: TranslateOptions, turns: Turns) -> Path:
        """Write what is shown with one seed, as a file that browsers can show; it raises what `make` does."""
        path = self._new_folder() / f"seed-{look.seed}.jpg"
        self._write(path, self.shown, look, options, turns)
        return path

    def make_uncertainty(self, look: Look, turns: Turns) -> Path:
        """Write a map of how sure the model is.

        Raises:
            TintypeError: The model has none, or it fails.
        """
        turns.check()
        spread = uncertainty(
            look.translator(), self.picture, seed=look.seed or 0, strength=look.strength, hints=look.hints
        )
        path = self._new_folder() / "uncertainty.png"
        write_image(path, draw_uncertainty(spread, *map_size(self.shown.info)))
        return path

    def mark(self, hints: Sequence[Hint]) -> Path:
        """Write the picture, at most `MARKED_SIDE` on its longer side, with a dot for each hint.

        Raises:
            ImageError: The picture is damaged.
        """
        info, scale = self.picture.info, self.marked_scale
        pixels = self.shown.reduced(max(1, round(info.height / scale)), max(1, round(info.width / scale)))
        pixels = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels.copy()
        radius = max(4.0, max(pixels.shape[:2]) / 90)
        for hint in hints:
            _draw_dot(pixels, hint.x / scale, hint.y / scale, radius, hint.colour)
        path = self._new_folder() / "hints.jpg"
        write_image(path, pixels)
        return path

    def _write(
        self, path: Path, picture: OpenPicture, look: Look, options: TranslateOptions, turns: Turns
    ) -> tuple[str, ...]:
        model, translator = look.model, look.translator()
        translation = self._prediction(picture, look, translator).translation(look.strength)
        asked = replace(options, strength=look.strength, seed=look.seed, hints=look.hints, reference=look.reference)
        asked = replace(asked, provenance=describe(asked, model.card, model.path))
        pixels = picture.info.width * picture.info.height * translator.codec.scale**2
        with turns.of(pixels):
            return write_made(path, translation, picture, translator, asked, turns, time.monotonic())

    def _prediction(self, picture: OpenPicture, look: Look, translator: Translator) -> Prediction:
        """What the network said, without asking it again where it was asked not long ago."""
        key = (look.model.name, look.model.card.direction, look.seed, look.hints, look.reference, picture is self.shown)
        if key not in self._predictions:
            scale = self.picture.info.width / picture.info.width
            hints = [Hint(hint.x / scale, hint.y / scale, hint.colour) for hint in look.hints]
            self._predictions[key] = translator.predict(picture, hints=hints, reference=look.reference)
        self._predictions.move_to_end(key)
        while len(self._predictions) > _MOST_PREDICTIONS:
            self._predictions.popitem(last=False)
        return self._predictions[key]

    def _new_folder(self) -> Path:
        """A folder for one result; the one before the last is removed, which no page shows any more."""
        self._made += 1
        folder = self.folder / str(self._made)
        folder.mkdir()
        shutil.rmtree(self.folder / str(self._made - 2 * _MOST_PREDICTIONS), ignore_errors=True)
        return folder


@final
class Visits:
    """All visitors.

    Args:
        folder: For what they bring and get; the caller removes it.
        most: Visitors at a time; the one who did nothing for the longest time is forgotten first.
        idle_s: Seconds after which a visitor who does nothing is forgotten.
        clock: Seconds that only grow.
    """

    def __init__(
        self, folder: Path, most: int = 32, idle_s: float = 1800, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder, self._most, self._idle_s, self._clock = folder, most, idle_s, clock
        self._visits: OrderedDict[str, Visit] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._visits)

    def begin(self, uploaded: Path, options: TranslateOptions, key: str | None = None) -> tuple[str, Visit]:
        """Take in a picture, in place of the one that the visitor had.

        Args:
            uploaded: The file, whose name the result will have; it is copied.
            options: How it is read.
            key: Of the visitor's picture before.

        Returns:
            A key that cannot be guessed, and the visit.

        Raises:
            ImageError: It cannot be read, or is beyond the limits.
        """
        if key is not None:
            self._forget(key)
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            file = folder / "picture" / uploaded.name
            file.parent.mkdir()
            shutil.copyfile(uploaded, file)
            picture = open_picture(file, options.reading)
            shown = _shown(picture, folder)
            before = folder / "before.jpg"
            strips = shown.strips(strip_rows(shown.info.width))
            write_picture(before, (_opaque(strip) for strip in strips), shown, channels=shown.info.channels)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        visit = Visit(folder, file, picture, shown, before, used=self._clock())
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._visits[key] = visit
        self.tidy()
        return key, visit

    def get(self, key: str | None) -> Visit:
        """The visit of a key.

        Raises:
            GoneError: It is not held any more.
        """
        self.tidy()
        with self._lock:
            visit = self._visits.get(key or "")
            if visit is None:
                raise GoneError
            self._visits.move_to_end(key or "")
            visit.used = self._clock()
            return visit

    def tidy(self) -> None:
        """Forget those who are too many or did nothing for too long, unless work for them is being done."""
        with self._lock:
            now = self._clock()
            for key, visit in list(self._visits.items()):
                too_old = now - visit.used > self._idle_s
                if (too_old or len(self._visits) > self._most) and not visit.lock.locked():
                    del self._visits[key]
                    shutil.rmtree(visit.folder, ignore_errors=True)

    def _forget(self, key: str) -> None:
        with self._lock:
            visit = self._visits.pop(key, None)
        if visit is not None:
            with visit.lock:
                shutil.rmtree(visit.folder, ignore_errors=True)


def _shown(picture: OpenPicture, folder: Path) -> OpenPicture:
    """What the page shows of a picture; a reduced copy lies in a file, so that no visitor holds much memory."""
    info = picture.info
    if info.width * info.height <= SHOWN_PIXELS:
        return picture
    scale = REDUCED_SIDE / max(info.height, info.width)
    path = folder / "reduced.png"
    write_image(path, picture.reduced(max(1, round(info.height * scale)), max(1, round(info.width * scale))))
    return open_picture(path)


def _draw_dot(pixels: np.ndarray, x: float, y: float, radius: float, colour: tuple[float, float, float]) -> None:
    """Draw a disc of a colour with a white and a black ring, which stand out against everything, into `h w 3`."""
    height, width = pixels.shape[:2]
    rows = slice(max(0, int(y - 2 * radius)), min(height, int(y + 2 * radius) + 1))
    columns = slice(max(0, int(x - 2 * radius)), min(width, int(x + 2 * radius) + 1))
    down, across = np.mgrid[rows, columns] + 0.5
    distance = np.hypot(across - x, down - y)[..., None] / radius
    part = pixels[rows, columns]
    part[:] = np.where(distance <= 1.5, 0, part)
    part[:] = np.where(distance <= 1.3, 1, part)
    part[:] = np.where(distance <= 1, np.array(colour, np.float32), part)


def _opaque(strip: Strip) -> Strip:
    """The rows of a picture without alpha, which JPEG does not hold."""
    return Strip(strip.top, strip.pixels)
