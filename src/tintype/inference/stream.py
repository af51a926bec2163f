"""One picture from bytes to bytes, for `tintype translate -` and the server."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, final

from tintype.errors import ImageError, LimitError, OutputError
from tintype.image.file import open_picture
from tintype.image.picture import OpenPicture, PictureInfo
from tintype.image.shrunk import ShrunkPicture
from tintype.inference.one import Turns, write_translation
from tintype.inference.options import TranslateOptions, seeded
from tintype.inference.plan import SUFFIXES, Format
from tintype.inference.translator import Translator

_FORMATS: dict[str, Format] = {"jpeg": "jpg", "png": "png", "tiff": "tif", "webp": "webp", "fits": "fits"}
"""What the result of a picture is by default, by `PictureInfo.format`; PNG for all others."""


@final
@dataclass(frozen=True, slots=True)
class Streamed:
    """What became of a picture."""

    format: Format
    width: int
    height: int
    notes: tuple[str, ...]
    """What the user should hear."""


def translate_stream(
    source: BinaryIO, target: BinaryIO, translator: Translator, options: TranslateOptions, picture_format: Format | None
) -> tuple[str, ...]:
    """Read a picture, write its translation, and return what the user should hear of it.

    Args:
        source: Read to its end.
        target: Nothing but the translated picture is written to it, and nothing if it fails.
        translator: The model.
        options: How to read, translate and write.
        picture_format: Of the result; default: that of the picture, or PNG where it cannot be written.

    Raises:
        TintypeError: It cannot be read, translated or written.
        OSError: The target cannot be written to.
    """
    most, start = options.reading.limits.bytes, time.monotonic()
    data = source.read(most + 1)
    if len(data) > most:
        raise LimitError(f"standard input: more than the {most:,} bytes that are allowed; give a file")
    if not data:
        raise ImageError("standard input: empty; pipe a picture into it")
    picture = open_picture(data, options.reading)
    chosen = picture_format or own_format(picture.info, data)
    streamed = translate_into(target, picture, translator, options, chosen, Turns(), start)
    target.flush()
    return streamed.notes


def translate_into(
    target: BinaryIO,
    picture: OpenPicture,
    translator: Translator,
    options: TranslateOptions,
    picture_format: Format,
    turns: Turns,
    start: float,
) -> Streamed:
    """Translate an open picture and write the result as a stream.

    Args:
        target: Nothing but the translated picture is written to it, and nothing if it fails.
        picture: From `open_picture`, or a `ShrunkPicture`.
        translator: The model.
        options: How to translate and write.
        picture_format: Of the result.
        turns: Tells when to stop, and when it is the turn of a large picture.
        start: When the time that `options` allow began, by `time.monotonic`.

    Raises:
        TintypeError: It cannot be read, translated or written.
        StoppedError: It was told to stop.
        OSError: The target cannot be written to.
    """
    info, scale = picture.info, translator.codec.scale
    with tempfile.TemporaryDirectory() as folder, turns.of(info.width * info.height * scale**2):
        path = Path(folder, f"picture{SUFFIXES[picture_format][0]}")
        try:
            notes = write_translation(path, picture, seeded(translator, options), options, turns, start)
        except OutputError as error:
            raise OutputError(str(error).replace(str(path), "result")) from error
        with path.open("rb") as result:
            while block := result.read(2**20):
                target.write(block)
    return Streamed(picture_format, scale * info.width, scale * info.height, notes)


def at_most(picture: OpenPicture, longest: int, scale: int) -> OpenPicture:
    """The picture, reduced where the longer side of its result would have more than so many pixels.

    Args:
        picture: The picture.
        longest: Pixels of the longer side of the result.
        scale: Times that the result is larger than its source.
    """
    most = max(1, longest // scale)
    return ShrunkPicture(picture, most) if max(picture.info.width, picture.info.height) > most else picture


def own_format(info: PictureInfo, data: bytes) -> Format:
    """The format of the result of a picture, unless another one is asked for."""
    return "avif" if data[4:12] in (b"ftypavif", b"ftypavis") else _FORMATS.get(info.format, "png")
