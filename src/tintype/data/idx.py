"""Pictures and labels in idx files, as MNIST and its relatives come: opened without trust in the file.

A folder holds `train-images-idx3-ubyte` and `train-labels-idx1-ubyte` and mostly `t10k-images-idx3-ubyte` and
`t10k-labels-idx1-ubyte`, each of them as it is or with `.gz`: grey bytes, and a class from 0 for each picture. A file
begins with 0, 0, 8 (bytes), the number of its dimensions, and the length of each as 32 bits, the highest byte first.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tintype.errors import DataError
from tintype.image.picture import Limits

MAX_BYTES = 4 * 2**30
"""Files that say to hold more than this are refused."""

_IMAGES = re.compile(r"(?P<set>.*?)(?P<part>train|t10k|test)-images(?P<dot>[-.])idx3-ubyte(?P<gz>\.gz)?")
_PARTS: dict[str, Literal["train", "test"]] = {"train": "train", "t10k": "test", "test": "test"}
_BYTES = 8  # what the files call unsigned bytes


class IdxPicture(NamedTuple):
    """A picture of an idx file: its name in the set, its file and its place there, and the number of its class."""

    name: str
    path: Path
    place: int
    split: Literal["train", "test"]
    label: str


def is_idx(path: Path) -> bool:
    """Whether a file is one of a set by its name."""
    return _IMAGES.fullmatch(path.name.replace("labels", "images").replace("idx1", "idx3")) is not None


def has_idx(folder: Path) -> bool:
    """Whether a folder holds pictures in idx files."""
    return any(_IMAGES.fullmatch(entry.name) for entry in folder.iterdir())


def idx_pictures(folder: Path) -> list[IdxPicture]:
    """The pictures of a folder in the order of their names; the labels of one length, so that they sort as numbers.

    Raises:
        DataError: A file is missing, damaged, or does not fit its partner, or there are two sets.
    """
    named = sorted((entry, name) for entry in folder.iterdir() if (name := _IMAGES.fullmatch(entry.name)))
    splits = [_PARTS[name["part"]] for _, name in named]
    for (path, _), split in zip(named, splits, strict=True):
        if splits.count(split) > 1:
            raise DataError(f"{folder}: two files hold the pictures of {split}, {path.name} is one; leave one there")
    found: list[tuple[Path, Literal["train", "test"], NDArray[np.uint8]]] = []
    for (path, name), split in zip(named, splits, strict=True):
        stem = f"{name['set']}{name['part']}-labels{name['dot']}idx1-ubyte"
        partner = next((folder / one for one in (stem, f"{stem}.gz") if (folder / one).is_file()), None)
        if partner is None:
            raise DataError(f"{path}: {stem}.gz does not lie beside it; the two belong together")
        labels = read_idx(partner, 1)
        if len(labels) != (count := idx_shape(path, 3)[0]):
            raise DataError(f"{partner}: has {len(labels)} labels for {count} pictures; fetch the set again")
        found.append((path, split, labels))
    digits = len(str(max(int(labels.max()) for _, _, labels in found)))
    pictures = [
        IdxPicture(f"{split}/{index:06}", path, index, split, f"{label:0{digits}}")
        for path, split, labels in found
        for index, label in enumerate(labels.tolist())
    ]
    return sorted(pictures)


def idx_shape(path: Path, dimensions: int) -> tuple[int, ...]:
    """What the beginning of an idx file says; errors as for `read_idx`."""
    return _read(path, dimensions, whole=False)[0]


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The bytes of an idx file: pictures `n h w` (3 dimensions) or labels `n` (1).

    Raises:
        DataError: It cannot be read, is damaged, cut short or too long, or holds something else.
    """
    shape, content = _read(path, dimensions, whole=True)
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read(path: Path, dimensions: int, *, whole: bool) -> tuple[tuple[int, ...], bytes]:
    """Shape and, where the whole is wanted, content."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            begin = stream.read(4 + 4 * dimensions)
            if len(begin) != 4 + 4 * dimensions or begin[:4] != bytes((0, 0, _BYTES, dimensions)):
                raise DataError(
                    f"{path}: begins with {begin[:4].hex(' ') or 'nothing'}, needed is 00 00 08 0{dimensions}: it is "
                    "no idx file of bytes with so many dimensions; fetch the set again"
                )
            shape = struct.unpack(f">{dimensions}I", begin[4:])
            wanted = math.prod(shape)
            if wanted == 0 or wanted > MAX_BYTES or math.prod(shape[1:]) > Limits().pixels:
                raise DataError(
                    f"{path}: says to hold {' x '.join(map(str, shape))} bytes, which is no set of pictures"
                )
            # Never more than what it says: a small packed file may unpack to anything.
            content = stream.read(wanted + 1) if whole else b""
    except OSError as error:  # gzip's own among them
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: is damaged or cut short ({error}); fetch the set again") from error
    if whole and len(content) != wanted:
        much = "fewer" if len(content) < wanted else "more"
        raise DataError(f"{path}: holds {much} than the {wanted:,} bytes that its beginning says; fetch the set again")
    return shape, content
