"""Writing a file so that it is there whole or not at all. Nothing here knows what a file holds."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tintype.errors import OutputError

_TEMPORARY = re.compile(r"\.(?P<stem>.{1,32})-[0-9a-f]{8}(?P<suffix>(\.[^.]+)?)", re.DOTALL)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, if they are not there.

    Raises:
        OutputError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}; give a folder that you may write to") from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; on success it is flushed to disk and takes the name `path`.

    The temporary name is hidden and ends in the suffix of `path`, for writers that choose their format by it. On any
    error the temporary file is removed and an existing `path` stays as it was.

    Raises:
        OutputError: The body or the renaming met an OSError: no such folder, no right, no space.
    """
    temporary = path.with_name(f".{path.stem[:32]}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror or error}); check that its folder exists, may be "
            "written to and has space"
        ) from error
    finally:
        with suppress(OSError):  # a folder that is no folder has nothing to remove
            temporary.unlink(missing_ok=True)


def final_name(name: str) -> str | None:
    """The name that a temporary file of `atomic_path` was to take (cut to 32 letters before the suffix), else None."""
    match = _TEMPORARY.fullmatch(name)
    return match["stem"] + match["suffix"] if match else None
