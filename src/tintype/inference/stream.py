"""One picture from bytes to bytes, for `tintype translate -`."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import BinaryIO

from tintype.errors import ImageError
from tintype.image.file import open_picture
from tintype.image.picture import PictureInfo
from tintype.inference.one import Turns, write_translation
from tintype.inference.options import TranslateOptions, seeded
from tintype.inference.plan import SUFFIXES, Format
from tintype.inference.translator import Translator

_FORMATS: dict[str, Format] = {"jpeg": "jpg", "png": "png", "tiff": "tif", "webp": "webp", "fits": "fits"}
"""What the result of a picture is by default, by `PictureInfo.format`; PNG for all others."""


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
        raise ImageError(f"standard input: more than the {most:,} bytes that are allowed; give a file")
    if not data:
        raise ImageError("standard input: empty; pipe a picture into it")
    picture = open_picture(data, options.reading)
    chosen = picture_format or _format(picture.info, data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"picture{SUFFIXES[chosen][0]}")
        notes = write_translation(path, picture, seeded(translator, options), options, Turns(), start)
        with path.open("rb") as result:
            while block := result.read(2**20):
                target.write(block)
    target.flush()
    return notes


def _format(info: PictureInfo, data: bytes) -> Format:
    return "avif" if data[4:12] in (b"ftypavif", b"ftypavis") else _FORMATS.get(info.format, "png")
