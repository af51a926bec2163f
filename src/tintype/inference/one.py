"""One file of a batch: opened, translated, written, and a `Result` whatever happens on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from tintype.atomic import make_folder
from tintype.errors import LimitError, TintypeError
from tintype.image.file import open_picture, write_image, write_picture
from tintype.image.picture import OpenPicture, PictureInfo, Reading, Strip
from tintype.inference.options import TranslateOptions
from tintype.inference.plan import Job, format_of
from tintype.inference.translator import Translation, Translator
from tintype.inference.uncertainty import draw_uncertainty, uncertainty

LARGE = 2**25
"""Pixels above which a picture is in work alone, and no second one of its kind beside it."""
LARGE_FOR_NETWORK = 2**20
"""The same where the network sees every pixel, which takes a hundred times their memory and all cores at once."""
MAP_SIDE = 2048
"""The longer side, in pixels, of a map of uncertainty at most: it has no detail beyond model size."""


@final
@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file.

    `done`: written; `kept`: its output was there already and stayed; `failed`: `reason` says why, nothing was written;
    `passed over`: in a folder, and no picture by its name.
    """

    input: Path
    output: Path | None
    status: Literal["done", "failed", "kept", "passed over"]
    reason: str | None = None
    seconds: float = 0.0
    width: int | None = None
    """Of the output, as the height is."""
    height: int | None = None
    bits: int | None = None
    """Of a sample of the output."""
    format: str | None = None
    """Of the output."""
    warnings: tuple[str, ...] = ()


class StoppedError(Exception):
    """The batch was interrupted; what was begun has been taken back."""


@final
class Turns:
    """What the files that are in work at one time share: the word to stop, and the turn of large pictures.

    Args:
        large: Pixels above which a picture is large.
        stop: The word to stop, where it is for fewer than share the turn; default: a new one.
        turn: The turn of large pictures; default: a new one.
    """

    def __init__(
        self, large: int = LARGE, stop: threading.Event | None = None, turn: threading.Lock | None = None
    ) -> None:
        self.stop = stop or threading.Event()
        self._large, self._turn = large, turn or threading.Lock()

    @contextmanager
    def of(self, pixels: int) -> Iterator[None]:
        """Wait for the turn of a picture of so many pixels.

        Raises:
            StoppedError: The batch was interrupted.
        """
        if pixels <= self._large:
            yield
            return
        while not self._turn.acquire(timeout=0.2):
            self.check()
        try:
            yield
        finally:
            self._turn.release()

    def check(self) -> None:
        """Raise if the batch was interrupted.

        Raises:
            StoppedError: It was.
        """
        if self.stop.is_set():
            raise StoppedError


def settled(job: Job, overwrite: bool) -> Result | None:
    """What is known of a job without any work."""
    if job.problem is not None:
        return Result(job.input, job.output, "failed", job.problem)
    return _kept(job) if job.exists and not overwrite else None


def translate_file(
    job: Job, translator: Translator, options: TranslateOptions, turns: Turns, *, overwrite: bool = False
) -> Result:
    """Do one job; whatever goes wrong with it is its result.

    Raises:
        StoppedError: The batch was interrupted.
    """
    start = time.monotonic()
    wanted = [job.output] if job.uncertainty_output is None else [job.output, job.uncertainty_output]
    missing = [path for path in wanted if overwrite or not path.exists()]
    if not missing:
        return _kept(job)
    try:
        picture = open_picture(job.input, options.reading)
        with turns.of(picture.info.width * picture.info.height * translator.codec.scale**2):
            notes: tuple[str, ...] = ()
            make_folder(job.output.parent)
            if job.output in missing:
                notes += write_translation(job.output, picture, translator, options, turns, start)
            if job.uncertainty_output in missing:
                turns.check()
                spread = uncertainty(
                    translator, picture, seed=options.seed or 0, strength=options.strength, hints=options.hints
                )
                write_image(job.uncertainty_output, draw_uncertainty(spread, *map_size(picture.info)))
            bits = _bits(job.output, options)
    except StoppedError:
        raise
    except TintypeError as error:
        reason = str(error)
    except MemoryError:
        reason = f"{job.input}: needs more memory than there is; reduce the picture first"
    except Exception as error:  # a defect in the way of one file must not cost the others
        what = " ".join(str(error).split())[:200]
        reason = f"{job.input}: {type(error).__name__}: {what}; that is a defect of Tintype, please report it"
    else:
        seconds, info, scale = time.monotonic() - start, picture.info, translator.codec.scale
        warnings = tuple(dict.fromkeys(notes if job.warning is None else (job.warning, *notes)))
        size = scale * info.width, scale * info.height
        return Result(job.input, job.output, "done", None, seconds, *size, bits, format_of(job.output), warnings)
    return Result(job.input, job.output, "failed", reason, time.monotonic() - start)


def write_translation(
    path: Path, picture: OpenPicture, translator: Translator, options: TranslateOptions, turns: Turns, start: float
) -> tuple[str, ...]:
    """Translate an open picture into a file; returns what the user should hear of it.

    Raises:
        TintypeError: It cannot be read, translated or written.
        StoppedError: The batch was interrupted.
    """
    translation = translator.translate(
        picture,
        strength=options.strength,
        keep_colour=options.keep_colour,
        settings=options.sizing,
        hints=options.hints,
        reference=options.reference,
    )
    return write_made(path, translation, picture, translator, options, turns, start)


def write_made(
    path: Path,
    translation: Translation,
    picture: OpenPicture,
    translator: Translator,
    options: TranslateOptions,
    turns: Turns,
    start: float,
) -> tuple[str, ...]:
    """The second half of `write_translation`, for what the network has seen already; it raises the same."""
    with closing(_watched(translation.strips(), picture, turns, start, options.time_limit)) as strips:
        notes = write_picture(
            path,
            strips,
            picture,
            channels=translation.channels,
            provenance=options.provenance or translator.mark(options.strength, options.hints, options.reference),
            writing=options.writing,
            keeps_luminance=translation.keeps_luminance,
            scale=translation.scale,
        )
    return *picture.info.notes, *translation.notes, *notes


def _watched(
    strips: Iterator[Strip], picture: OpenPicture, turns: Turns, start: float, limit: float | None
) -> Generator[Strip, None, None]:
    for strip in strips:
        turns.check()
        if limit is not None and time.monotonic() - start > limit:
            raise LimitError(f"{picture.info.name}: takes longer than the {limit:g} s that --time-limit allows")
        yield strip


def map_size(info: PictureInfo) -> tuple[int, int]:
    """Height and width of the map of uncertainty: those of the picture, as far as more pixels could show more."""
    scale = min(1.0, MAP_SIDE / max(info.height, info.width))
    return max(1, round(info.height * scale)), max(1, round(info.width * scale))


def _bits(output: Path, options: TranslateOptions) -> int:
    """Bits of a sample of a result, by its own header; those of FITS are known."""
    if format_of(output) == "fits":
        return 32
    return open_picture(output, Reading(limits=options.reading.limits)).info.bits


def _kept(job: Job) -> Result:
    return Result(job.input, job.output, "kept", "its result is there already; --overwrite replaces it")
