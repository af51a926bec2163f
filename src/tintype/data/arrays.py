"""Pictures in the arrays of an `.npz` file, as `numpy.savez_compressed` writes them: opened without trust in the file.

Those of idx files, which hold one array each, are read here too; `idx` knows their layout.

An array holds pictures as `n h w 3`, `n h w 1` or `n h w`, in uint8 or in other numbers, whose scale is found from
their range. It is unpacked once, into a temporary file that is mapped, so that an array may be larger than the memory.
What an array is for, by its name, is the business of `source`.
"""

from __future__ import annotations

import lzma
import math
import shutil
import struct
import tempfile
import threading
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tintype.data.idx import read_idx
from tintype.errors import DataError, ImageError, OutputError
from tintype.image.picture import ImageHeader, Limits

MAX_BYTES = 16 * 2**30
"""Files whose arrays take more than this, unpacked, are refused."""

_SUFFIX = ".npy"
_OPEN = 8  # arrays that stay unpacked: training, validation and test pictures of two domains, and two to spare
_SLACK = 0.5 / 255  # of a range: resampling leaves values that lie just outside of it
_RANGES = {
    "f": ((0, 1), (-1, 1), (0, 255)),
    "i": ((0, 255), (0, 65535)),
    "u": ((0, 255), (0, 65535)),
    "b": ((0, 1),),
}
_DAMAGED = (  # what zipfile, its decompressors and the parser of headers raise on bytes that make no sense
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Header:
    shape: tuple[int, int, int, int]
    dtype: np.dtype[Any]
    fortran: bool
    start: int


@dataclass(frozen=True, slots=True, eq=False)
class _Array:
    samples: NDArray[Any]  # n h w c
    low: float  # becomes 0
    high: float  # becomes 255
    note: str | None


def array_names(path: Path) -> tuple[str, ...]:
    """Names of the arrays of a file, in its order.

    Raises:
        DataError: The file cannot be read, is no .npz file, holds no arrays or too much.
    """
    with _opened(path) as archive:
        names = [name.removesuffix(_SUFFIX) for name in archive.namelist() if name.endswith(_SUFFIX)]
    if not names:
        raise DataError(f"{path}: holds no arrays; needed is a file that numpy.savez_compressed wrote")
    return tuple(dict.fromkeys(names))


def count_pictures(path: Path, name: str) -> int:
    """Number of pictures in an array, from its header.

    Raises:
        DataError: The array is damaged or holds no pictures.
    """
    with _opened(path) as archive, archive.open(name + _SUFFIX) as stream:
        return _read_header(stream, archive.getinfo(name + _SUFFIX), f"{path}, array {name}").shape[0]


def read_entry(path: Path, name: str, index: int) -> NDArray[np.uint8]:
    """A picture of an array, uint8 `h w c`, c is 1 or 3.

    Raises:
        DataError: The array is damaged, or its range is that of no picture.
        ImageError: The picture holds values that are no numbers.
        OutputError: There is no room to unpack the array.
    """
    array = _array(path, name)
    if array.samples.dtype == np.uint8:
        return np.array(array.samples[index])
    values = (array.samples[index].astype(np.float32) - array.low) / (array.high - array.low)
    if not np.isfinite(values).all():
        raise ImageError(f"{path}, array {name}, picture {index}: holds values that are no numbers")
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def entry_header(path: Path, name: str) -> ImageHeader:
    """What every picture of an array is like; errors as for `read_entry`."""
    samples = _array(path, name).samples
    _, height, width, bands = samples.shape
    return ImageHeader(
        width=width,
        height=height,
        bands=bands,
        bits=8 if samples.itemsize == 1 else 16 if samples.itemsize == 2 else 32,
        format="npz" if path.suffix.lower() == ".npz" else "idx",
        interpretation="srgb" if bands == 3 else "b-w",
    )


def array_note(path: Path, name: str) -> str | None:
    """Which scale an array was taken to have; None for uint8, which leaves no choice. Errors as for `read_entry`."""
    return _array(path, name).note


def close_arrays() -> None:
    """Free the room that unpacked arrays take."""
    _unpacked.cache_clear()


def _array(path: Path, name: str) -> _Array:
    status = path.stat()
    with _lock:  # or else each of several threads would unpack it
        return _unpacked(path, name, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=_OPEN)
def _unpacked(path: Path, name: str, _size: int, _changed: int) -> _Array:
    """Size and time of change are there to tell a file from an earlier one of its name."""
    if path.suffix.lower() != ".npz":
        return _Array(read_idx(path, 3)[..., None], 0, 255, None)
    label = f"{path}, array {name}"
    with _opened(path) as archive, archive.open(name + _SUFFIX) as stream:
        info = archive.getinfo(name + _SUFFIX)
        header = _read_header(stream, info, label)
        folder = tempfile.gettempdir()
        if shutil.disk_usage(folder).free < info.file_size:
            raise OutputError(
                f"{label}: takes {info.file_size:,} bytes unpacked, more than are free in {folder}; make room there, "
                "or set the environment variable TMPDIR to another folder"
            )
        with tempfile.TemporaryFile() as file:
            shutil.copyfileobj(stream, file, 2**20)
            file.flush()
            samples = np.memmap(file, header.dtype, "r", 0, header.shape, "F" if header.fortran else "C")
    if samples.dtype == np.uint8:
        return _Array(samples, 0, 255, None)
    least, most = _extremes(samples, label)
    for low, high in _RANGES[samples.dtype.kind]:
        slack = _SLACK * (high - low)
        if low - slack <= least and most <= high + slack:
            note = f"{label}: {samples.dtype} from {least:.3g} to {most:.3g}, taken as [{low}, {high}]"
            return _Array(samples, low, high, note)
    raise DataError(
        f"{label}: {samples.dtype} from {least:.3g} to {most:.3g}; needed: pictures in [0, 255], or as floats in "
        "[0, 1] or [-1, 1]"
    )


def _extremes(samples: NDArray[Any], label: str) -> tuple[float, float]:
    """Least and largest value that is a number, found picture by picture."""
    found = [(float(some.min()), float(some.max())) for one in samples if (some := one[np.isfinite(one)]).size]
    if not found:
        raise DataError(f"{label}: none of its values is a number")
    return min(least for least, _ in found), max(most for _, most in found)


def _read_header(stream: IO[bytes], info: zipfile.ZipInfo, label: str) -> _Header:
    """The header at the beginning of an array, where it fits the size of the array and pictures."""
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise DataError(f"{label}: is in format {version[0]}.{version[1]} of NumPy; needed: 1.0 or 2.0")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.kind not in _RANGES:
        raise DataError(f"{label}: holds {dtype}; needed are pictures as uint8 or float")
    hint = "; turn the channels last: array.transpose(0, 2, 3, 1)" if len(shape) == 4 and shape[1] in (1, 3) else ""
    pictures = shape[-1] in (1, 3) if len(shape) == 4 else len(shape) == 3 and shape[-1] > 3
    if not pictures or min(shape) < 1 or shape[1] * shape[2] > Limits().pixels:
        raise DataError(f"{label}: has shape {shape}; needed: n h w 3, n h w 1 or n h w{hint}")
    start = stream.tell()
    if start + math.prod(shape) * dtype.itemsize != info.file_size:
        raise DataError(f"{label}: {shape} of {dtype} do not fit its {info.file_size:,} bytes; the file is damaged")
    n, height, width, channels = shape if len(shape) == 4 else (*shape, 1)
    return _Header((n, height, width, channels), dtype, fortran, start)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """An .npz file of allowed size; what goes wrong while it is read becomes an error of one line."""
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(info.file_size for info in archive.infolist())
            if total > MAX_BYTES:
                raise DataError(
                    f"{path}: takes {total:,} bytes unpacked, more than the {MAX_BYTES:,} that are allowed; "
                    "store the arrays as uint8, or as picture files"
                )
            yield archive
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except _DAMAGED as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: is no whole .npz file ({reason or type(error).__name__})") from error
