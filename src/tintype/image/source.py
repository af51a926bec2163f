"""What a picture is read from: opened once the operating system and the limits allow it, with errors of one line.

Files are opened here and handed to libvips as descriptors: a name may then be of any bytes, a trailing [...] is no
option, and nothing that could make a reader wait (a pipe, a device) gets through.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyvips

from tintype.errors import ImageError, LimitError
from tintype.image.picture import Limits

Source = Path | str | bytes
"""A picture file by its name, or the content of one."""


def label(source: Source) -> str:
    """Name a source in a message; a file name that is no valid text can be printed, too."""
    return "picture given as bytes" if isinstance(source, bytes) else printable(str(source))


def printable(text: str) -> str:
    """Text in one line, whatever it came from: escapes instead of what cannot be printed."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def vips_reason(error: pyvips.Error) -> str:
    """Return the last line with words: libvips collects messages, and those of earlier calls may stand before it."""
    lines = [line.strip() for line in str(error.detail).splitlines() if any(map(str.isalpha, line))]
    return printable(lines[-1])[:200] if lines else "damaged"


@contextmanager
def image_errors(name: str) -> Iterator[None]:
    """Turn what goes wrong while a picture is read into an `ImageError` of one line."""
    try:
        yield
    except pyvips.Error as error:
        raise ImageError(f"{name}: not a readable picture ({vips_reason(error)})") from error
    except UnicodeDecodeError as error:  # libvips passes on what a damaged file says in its own bytes
        raise ImageError(f"{name}: not a readable picture (damaged)") from error
    except OSError as error:
        raise ImageError(f"{name}: cannot be read ({error.strerror or printable(str(error))[:200]})") from error


def open_binary(source: Source, limits: Limits) -> IO[bytes]:
    """Open a picture file, or the content of one, for reading and seeking.

    Raises:
        OSError: The file is missing, may not be read, or is a folder.
        LimitError: It is larger than the limits allow.
        ImageError: It is no regular file, or its name holds a null character.
    """
    if isinstance(source, bytes):
        size = len(source)
        stream: IO[bytes] = io.BytesIO(source)
    else:
        if "\0" in str(source):
            raise ImageError(f"{label(source)}: cannot be read (no file name holds a null character)")
        # a pipe must not make the reader wait before it is known to be one
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        stream = os.fdopen(_descriptor(source, flags), "rb")
        size = os.fstat(stream.fileno()).st_size
    if size > limits.bytes:
        stream.close()
        raise LimitError(f"{label(source)}: {size:,} bytes, more than the {limits.bytes:,} that are allowed")
    return stream


def _descriptor(path: Path | str, flags: int) -> int:
    descriptor = os.open(path, flags)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise ImageError(f"{label(path)}: cannot be read (not a regular file; copy its content to one first)")


def vips_source(source: Source, limits: Limits) -> pyvips.Source:
    """What libvips reads from; it stays readable after the file was closed here.

    Raises:
        OSError, ImageError: As for `open_binary`.
    """
    with open_binary(source, limits) as stream:
        if isinstance(source, bytes):
            return pyvips.Source.new_from_memory(source)
        return pyvips.Source.new_from_descriptor(stream.fileno())
