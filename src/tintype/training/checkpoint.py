"""Checkpoints: everything that a run needs to go on, in one file that is whole or absent.

A checkpoint is serialised in memory, written beside its final name, flushed to the disk, read back, compared, and
only then renamed. A process that dies, or a disk that fills up, at any moment leaves the previous one as it was.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from tintype.atomic import atomic_path
from tintype.errors import CheckpointError, OutputError

_FORMAT = 2


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values atomically, verified by reading back.

    Raises:
        OutputError: The disk is full or gave back something else; the file that stood there before still stands.
    """
    buffer = io.BytesIO()
    torch.save({"format": _FORMAT, **content}, buffer)
    data = buffer.getbuffer()
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
        with temporary.open("rb") as file:
            if hashlib.file_digest(file, "sha256").digest() != hashlib.sha256(data).digest():
                raise OutputError(f"{path}: what was written reads back differently; check the disk")


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` wrote, on the CPU; no code in the file is run.

    Raises:
        CheckpointError: The file is missing, damaged or no checkpoint.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise CheckpointError(
                f"{path}: damaged ({damaged} does not match its checksum); restore it or start a new run"
            )
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such checkpoint") from None
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path}: damaged or no checkpoint ({reason}); restore it or start a new run") from None
    if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
        raise CheckpointError(f"{path}: not a checkpoint of this version of Tintype; start a new run")
    return content
