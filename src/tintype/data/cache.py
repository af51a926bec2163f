"""Pictures decoded once: every picture of a set at the size that training needs, in one memory-mapped file of bytes.

A cache is two files, `FAMILY-KEY.bin` with the pixels and `FAMILY-KEY.json` with what and where they are. FAMILY
follows from the folder and the data section, KEY from every file's name, size and time of change: a set that changed
gets a new cache, which replaces the old one. Both files are written beside their final place and moved there, so that
a cache is whole or absent.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.data.arrays import array_note, close_arrays, entry_header, read_entry
from tintype.data.fingerprint import Fingerprint, item_fingerprint
from tintype.data.paths import data_path
from tintype.data.source import Item
from tintype.errors import DataError, ImageError, OutputError
from tintype.image.file import ImageHeader, read_header, read_image, read_thumbnail
from tintype.image.resize import resize
from tintype.recipe.data import DataSpec

_VERSION = 2  # raised when the layout or the decoding changes, so that older files are not used
_THREADS = 4
LONGEST_SIDE = 16  # in shorter sides: at 256 px a strip of 1 x 2000 px would take 400 MB
_AT_ONCE = 64  # pictures that may wait in memory for their turn to be written
_ABANDONED_S = 3600.0  # age at which a half-written file no longer belongs to a process that is at work
_NAMED = 3  # pictures that a note lists before "..."

Progress = Callable[[int, int], None]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class PictureCache:
    """The readable pictures of a set, in the order of its items.

    Attributes:
        path: The file of pixels; its index has the same name with the suffix `.json`.
        items: The readable items.
        flat: All pixels, uint8 sRGB, memory-mapped: `h w 3` of each target and, if `paired`, of its source after it.
        offsets: First byte of each target in `flat`; its source begins `3 * height * width` bytes later.
        heights: In pixels.
        widths: In pixels.
        fingerprints: Of the files, or of the pictures of arrays.
        paired: Whether sources are stored.
        unreadable: Names and reasons of the items that were left out.
        notes: Sentences that a user should see.
    """

    path: Path
    items: tuple[Item, ...]
    flat: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    heights: NDArray[np.int64]
    widths: NDArray[np.int64]
    fingerprints: tuple[Fingerprint, ...]
    paired: bool
    unreadable: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the readable items."""
        return tuple(item.name for item in self.items)

    def __len__(self) -> int:
        return len(self.items)

    def target(self, index: int) -> Pixels:
        """A target, uint8 `h w 3`; a view of the file."""
        return self._picture(index, 0)

    def source(self, index: int) -> Pixels | None:
        """A source, uint8 `h w 3` like its target; None where sources are made from targets."""
        return self._picture(index, 1) if self.paired else None

    def _picture(self, index: int, which: int) -> Pixels:
        height, width = int(self.heights[index]), int(self.widths[index])
        start = int(self.offsets[index]) + which * 3 * height * width
        return self.flat[start : start + 3 * height * width].reshape(height, width, 3)


def default_cache_folder() -> Path:
    """Where caches are kept: `$TINTYPE_CACHE`, else `tintype` in the user's cache folder (XDG)."""
    if chosen := os.environ.get("TINTYPE_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tintype"


def open_cache(
    items: Sequence[Item], spec: DataSpec, *, cache_dir: Path | None = None, progress: Progress | None = None
) -> PictureCache:
    """The cache of a set; built if there is none yet, or if the one there is damaged.

    Pictures keep their aspect; their shorter side becomes `spec.shorter_side`, smaller ones are enlarged. A picture
    that cannot be read is left out and named in `unreadable`. A source is scaled to exactly the size of its target.

    Args:
        items: What `find_items(spec)` found.
        spec: The data section.
        cache_dir: Default: `default_cache_folder()`.
        progress: Called with the number of pictures done and of all pictures while the cache is built.

    Raises:
        DataError: No picture can be read.
        OutputError: The cache cannot be written.
    """
    folder = cache_dir or default_cache_folder()
    family, key = _family(spec), _key(items)
    path = folder / f"{family}-{key}.bin"
    _remove_abandoned(folder, family)
    opened = _load(path, items)
    if opened is None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _build(path, items, spec.shorter_side, progress)
            _remove_outdated(folder, family, path.stem)
        except OSError as error:
            raise OutputError(
                f"{folder}: cannot write the picture cache ({error.strerror or error}); make room there, or set the "
                "environment variable TINTYPE_CACHE to another folder"
            ) from error
        opened = _load(path, items)
    if opened is None:
        raise OutputError(f"{path}: the picture cache changed while it was opened; run again")
    return opened


def as_rgb(pixels: Pixels) -> Pixels:
    """A picture of one or three channels as `h w 3`."""
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels


def decode_item(item: Item, shorter_side: int) -> tuple[Pixels, Pixels | None, str | None]:
    """Target and source of an item, uint8 `h w 3` and of equal size, and a note where their files differed in size.

    Raises:
        ImageError: A file cannot be decoded, or a picture of an array holds values that are no numbers.
        DataError: An array is damaged or holds no pictures.
    """
    header = target_header(item)
    if max(header.width, header.height) > LONGEST_SIDE * min(header.width, header.height):
        raise ImageError(
            f"{item.target}: {header.width} x {header.height} is too long to train on; needed: at most {LONGEST_SIDE}:1"
        )
    if item.entry is not None:
        pixels = np.divide(read_entry(item.target, *item.entry), 255, dtype=np.float32)
        scale = shorter_side / min(header.height, header.width)
        return _scaled(pixels, round(header.height * scale), round(header.width * scale)), None, None
    if item.half is not None:
        return *_decode_halves(item, shorter_side), None
    target = as_rgb(read_thumbnail(item.target, shorter_side))
    if item.source is None:
        return target, None, None
    height, width = target.shape[:2]
    theirs, mine = read_header(item.source), header
    if (theirs.width, theirs.height) == (mine.width, mine.height):
        source = read_thumbnail(item.source, shorter_side)
        if source.shape[:2] == (height, width):
            return target, as_rgb(source), None
    note = f"{item.name} (source {theirs.width} x {theirs.height}, target {mine.width} x {mine.height})"
    return target, _scaled(read_image(item.source).pixels, height, width), note


def target_header(item: Item) -> ImageHeader:
    """What the target of an item is like before it is decoded.

    Raises:
        ImageError: Its file is missing or no picture.
        DataError: Its array is damaged or holds no pictures.
    """
    return read_header(item.target) if item.entry is None else entry_header(item.target, item.entry[0])


def _decode_halves(item: Item, shorter_side: int) -> tuple[Pixels, Pixels]:
    # Cut before scaling: scaled first, the two halves would bleed into each other at the seam.
    pixels = read_image(item.target).pixels
    height, width = pixels.shape[0], pixels.shape[1] // 2
    if width == 0:
        raise ImageError(f"{item.target}: is 1 pixel wide; side-by-side pictures need two halves")
    left, right = pixels[:, :width], pixels[:, -width:]  # the middle column of an odd width belongs to neither
    scale = shorter_side / min(height, width)
    size = max(shorter_side, round(height * scale)), max(shorter_side, round(width * scale))
    source, target = (left, right) if item.half == "ab" else (right, left)
    return _scaled(target, *size), _scaled(source, *size)


def _scaled(pixels: NDArray[np.float32], height: int, width: int) -> Pixels:
    return as_rgb(np.rint(np.clip(resize(pixels, height, width), 0, 1) * 255).astype(np.uint8))


@dataclass(frozen=True, slots=True)
class _Sample:
    target: Pixels
    source: Pixels | None
    fingerprint: Fingerprint
    note: str | None


def _read(item: Item, shorter_side: int) -> _Sample | str:
    """A decoded item, or why there is none."""
    try:
        target, source, note = decode_item(item, shorter_side)
        return _Sample(target, source, item_fingerprint(item), note)
    except (ImageError, OSError) as error:
        return str(error)


def _read_all(items: Sequence[Item], shorter_side: int) -> Iterator[tuple[Item, _Sample | str]]:
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(items), _AT_ONCE):
            some = items[start : start + _AT_ONCE]
            yield from zip(some, pool.map(lambda item: _read(item, shorter_side), some), strict=True)


def _build(path: Path, items: Sequence[Item], shorter_side: int, progress: Progress | None) -> None:
    entries: list[dict[str, Any]] = []
    unreadable: list[tuple[str, str]] = []
    unequal: list[str] = []
    with _replacing(path) as part, part.open("wb") as stream:
        for done, (item, sample) in enumerate(_read_all(items, shorter_side), start=1):
            if isinstance(sample, str):
                unreadable.append((item.name, sample))
            else:
                stream.write(sample.target.tobytes())
                if sample.source is not None:
                    stream.write(sample.source.tobytes())
                if sample.note:
                    unequal.append(sample.note)
                height, width = sample.target.shape[:2]
                entries.append({"name": item.name, "height": height, "width": width} | asdict(sample.fingerprint))
            if progress:
                progress(done, len(items))
        if not entries:
            raise DataError(f"none of the {len(items)} pictures can be read; the first one: {unreadable[0][1]}")
        stream.flush()
        os.fsync(stream.fileno())
    arrays = dict.fromkeys((item.target, item.entry[0]) for item in items if item.entry)
    notes = [note for path, name in arrays if (note := array_note(path, name))]
    close_arrays()
    if unequal:
        named = "; ".join(unequal[:_NAMED]) + ("; ..." if len(unequal) > _NAMED else "")
        notes.append(
            f"{len(unequal)} of {len(entries)} pairs differ in size, the source is scaled to its target: {named}"
        )
    index = {"version": _VERSION, "pictures": entries, "unreadable": unreadable, "notes": notes}
    with _replacing(path.with_suffix(".json")) as part:
        part.write_text(json.dumps(index), encoding="utf-8")


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file to write that takes the place of `path` at the end, or goes away on an error."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _load(path: Path, items: Sequence[Item]) -> PictureCache | None:
    """The cache at a path, None if there is none that is whole and fits the items."""
    try:
        index = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        if index["version"] != _VERSION:
            return None
        by_name = {item.name: item for item in items}
        entries = index["pictures"]
        kept = tuple(by_name[entry["name"]] for entry in entries)
        heights = np.array([entry["height"] for entry in entries], dtype=np.int64)
        widths = np.array([entry["width"] for entry in entries], dtype=np.int64)
        paired = _paired(items)
        sizes = heights * widths * (6 if paired else 3)
        flat = np.memmap(path, dtype=np.uint8, mode="r")
        if flat.size != sizes.sum():
            return None
        return PictureCache(
            path=path,
            items=kept,
            flat=flat,
            offsets=np.cumsum(sizes) - sizes,
            heights=heights,
            widths=widths,
            fingerprints=tuple(Fingerprint(entry["sha256"], int(entry["phash"])) for entry in entries),
            paired=paired,
            unreadable=tuple((name, reason) for name, reason in index["unreadable"]),
            notes=tuple(index["notes"]),
        )
    except (OSError, ValueError, KeyError, TypeError):  # absent, cut short, or not what this version writes
        return None


def _remove_outdated(folder: Path, family: str, current: str) -> None:
    """Remove what earlier states of the same set left behind."""
    for path in folder.glob(f"{family}-*"):
        if path.suffix != ".part" and path.stem != current:
            with contextlib.suppress(OSError):  # another process may be reading it, or have removed it
                path.unlink()


def _remove_abandoned(folder: Path, family: str) -> None:
    """Remove what killed processes were writing."""
    for path in folder.glob(f"{family}-*.part"):
        if _age(path) > _ABANDONED_S:
            with contextlib.suppress(OSError):
                path.unlink()


def _age(path: Path) -> float:
    """Seconds since a file was changed; 0 if it has gone."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _paired(items: Sequence[Item]) -> bool:
    return any(item.source is not None or item.half is not None for item in items)


def _family(spec: DataSpec) -> str:
    folders = [str(data_path(path).resolve()) for path in (spec.path, getattr(spec, "path_b", "")) if path]
    return _digest([folders, spec.kind, getattr(spec, "direction", None), spec.shorter_side])


def _key(items: Sequence[Item]) -> str:
    identity = functools.cache(_identity)  # many pictures may lie in one file
    files = [[item.name, identity(item.target), identity(item.source), *(item.entry or ())] for item in items]
    return _digest([_VERSION, files])


def _identity(path: Path | None) -> list[Any] | None:
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return [path.name]  # a dangling link; it is named when it is read
    return [path.name, status.st_size, status.st_mtime_ns]


def _digest(data: object) -> str:
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()[:16]
