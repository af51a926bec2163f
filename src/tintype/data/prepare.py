"""A set of pictures made ready once: reduced, divided, and written as folders or as one `.npz` file.

What is written is a source again, in the layout that its names say: `train/`, `val/`, `test/` of one domain, `trainA/`,
`trainB/`, ... of two, or arrays of these names. It is made under a hidden name beside its place and moved there in one
step: what has the name is whole. Pictures are decoded by streaming, a few at a time, so that neither large pictures nor
large sets need much memory.
"""

from __future__ import annotations

import itertools
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import Literal

from numpy.lib import format as npy

from tintype.atomic import atomic_path
from tintype.data.arrays import array_note, close_arrays
from tintype.data.cache import Progress, decode_item, target_header
from tintype.data.fingerprint import Fingerprint, item_fingerprint
from tintype.data.paths import ARRAYS_SUFFIX, data_path
from tintype.data.source import Domain, Item, Picture, SplitName, domain_pictures, has_two_domains
from tintype.data.split import make_split
from tintype.errors import DataError, ImageError, OutputError, UsageError
from tintype.image.file import write_image
from tintype.recipe.data import SplitSpec

PictureFormat = Literal["png", "jpg"]

_THREADS = 4
_AT_ONCE = 64  # pictures that are handed to the threads together: an interruption waits for no more
_SIDES: dict[SplitName, str] = {"train": "train", "validation": "val", "test": "test"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was written.

    Attributes:
        counts: Number of pictures in each folder or array.
        unreadable: Names and reasons of the pictures that were left out.
        enlarged: Number of pictures whose shorter side was below the size.
        notes: Sentences that a user should see.
    """

    counts: dict[str, int]
    unreadable: tuple[tuple[str, str], ...]
    enlarged: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Job:
    """A picture of a source, what it is called below its split, and the file for it until its side is known."""

    item: Item
    domain: Domain | None
    name: str
    staged: Path


@dataclass(frozen=True, slots=True)
class _Done:
    job: _Job
    fingerprint: Fingerprint
    enlarged: bool


def prepare(
    source: str,
    out: Path,
    *,
    source_b: str | None = None,
    size: int = 256,
    crop: bool = False,
    picture_format: PictureFormat = "png",
    split: SplitSpec | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Reduce and divide pictures; `out` is there whole at the end, or not at all.

    Pictures become 8-bit sRGB. The split is the one that training on the source would make: copies and near copies
    stay together, over two domains too, and what folders or arrays of the source say is kept.

    Args:
        source: Folder of pictures, .npz file, or "bundled:NAME"; one that has two domains gives both.
        out: Folder to make, or an .npz file, whose pictures are cropped.
        source_b: Second domain, where `source` is the first one.
        size: Shorter side of the results in pixels; smaller pictures are enlarged.
        crop: Cut the centre square.
        picture_format: Of the files in a folder; PNG by default, which adds no errors to what is learnt and scored.
        split: Fractions of validation and test pictures; default: those of a recipe.
        progress: Called with the number of pictures done and of all pictures.

    Raises:
        UsageError: A path is empty, or the sources cannot be taken as one domain or two.
        DataError: A source is missing or has no readable pictures.
        OutputError: `out` is there already, lies inside a source, or cannot be written.
    """
    arrays = out.suffix.lower() == ARRAYS_SUFFIX
    paths = [data_path(source, "SOURCE"), *([data_path(source_b, "--b")] if source_b is not None else [])]
    domains = _domains(paths)
    _check_place(out, arrays, paths)
    part = out.absolute().with_name(f".{out.name[:32]}-{token_hex(4)}.part")
    jobs = list(_jobs(domains, part, ".raw" if arrays else f".{picture_format}"))
    done: list[_Done] = []
    failed: list[tuple[_Job, str]] = []
    try:
        part.mkdir(parents=True)
        for number, (job, result) in enumerate(_reduce_all(jobs, size, crop or arrays), start=1):
            if isinstance(result, str):
                failed.append((job, result))
            else:
                done.append(result)
            if progress:
                progress(number, len(jobs))
        for empty in domains.keys() - {one.job.domain for one in done}:
            reasons = [reason for job, reason in failed if job.domain == empty]
            whose = f" of domain {empty}" if empty else ""
            raise DataError(f"none of the {len(reasons)} pictures{whose} can be read; the first one: {reasons[0]}")
        notes = _array_notes(done)
        sides, notes_of_split = _divide(done, split or SplitSpec())
        if arrays:
            with atomic_path(out) as temporary:
                _write_arrays(sides, temporary, size)
        else:
            _move_into_folders(sides, part / "set")
            if out.is_dir():
                out.rmdir()  # empty, or else this fails
            (part / "set").replace(out)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written ({error.strerror or error}); check that its folder may be written to and has "
            "space"
        ) from error
    finally:
        close_arrays()
        shutil.rmtree(part, ignore_errors=True)
    return Prepared(
        counts={name: len(some) for name, some in sides.items()},
        unreadable=tuple((job.item.name, reason) for job, reason in failed),
        enlarged=sum(one.enlarged for one in done),
        notes=(*notes, *notes_of_split),
    )


def _domains(paths: Sequence[Path]) -> dict[Domain | None, list[Picture]]:
    """The pictures of each domain; None is the only one."""
    for path in paths:
        if path.is_dir() and all((path / name).is_dir() for name in ("A", "B")):
            raise UsageError(
                f"{path}: has A/ and B/, whose pairs would be parted; train on it as it is (data.kind=folders), or "
                f"give {path / 'A'} --b {path / 'B'}"
            )
    two = [path for path in paths if has_two_domains(path)]
    if two and len(paths) > 1:
        raise UsageError(f"{two[0]}: has two domains of its own; leave out --b, or give sources of one domain")
    if two:
        return {"A": domain_pictures(paths[0], "A"), "B": domain_pictures(paths[0], "B")}
    if len(paths) > 1:
        return {"A": domain_pictures(paths[0]), "B": domain_pictures(paths[1])}
    return {None: domain_pictures(paths[0])}


def _check_place(out: Path, arrays: bool, sources: Sequence[Path]) -> None:
    if out.is_symlink() or out.is_file() or (out.is_dir() and (arrays or any(out.iterdir()))):
        raise OutputError(f"{out}: is there already; remove it first, or give another name")
    for source in sources:
        if source.resolve() in out.resolve().parents:
            raise OutputError(
                f"{out}: lies inside of {source}, which would then hold its results too; put it elsewhere"
            )


def _jobs(domains: dict[Domain | None, list[Picture]], part: Path, suffix: str) -> Iterator[_Job]:
    number = itertools.count()
    for domain, pictures in domains.items():
        for name, path, entry, split in pictures:
            item = Item(f"{domain}/{name}" if domain else name, path, split=split, domain=domain, entry=entry)
            # the first part of the name is the folder of its split, or its array
            short = name.partition("/")[2] if split or entry else name
            yield _Job(item, domain, short, part / f"{next(number):06}{suffix}")


def _reduce_all(jobs: Sequence[_Job], size: int, crop: bool) -> Iterator[tuple[_Job, _Done | str]]:
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(jobs), _AT_ONCE):
            some = jobs[start : start + _AT_ONCE]
            yield from zip(some, pool.map(lambda job: _reduce(job, size, crop), some), strict=True)


def _reduce(job: _Job, size: int, crop: bool) -> _Done | str:
    """Write a reduced picture to its staged file, or say why it cannot be read."""
    try:
        header = target_header(job.item)
        pixels, _, _ = decode_item(job.item, size)
        mark = item_fingerprint(job.item)
    except (ImageError, OSError) as error:
        return str(error)
    if crop:
        top, left = (pixels.shape[0] - size) // 2, (pixels.shape[1] - size) // 2
        pixels = pixels[top : top + size, left : left + size]
    if job.staged.suffix == ".raw":
        job.staged.write_bytes(pixels.tobytes())
    else:
        write_image(job.staged, pixels)
    return _Done(job, mark, min(header.height, header.width) < size)


def _divide(done: Sequence[_Done], spec: SplitSpec) -> tuple[dict[str, list[_Job]], tuple[str, ...]]:
    """The pictures of each folder or array, in the order of the source, and what there is to say."""
    split = make_split([one.job.item for one in done], [one.fingerprint for one in done], spec)
    side_of = {name: side for side in _SIDES for name in getattr(split, side)}
    domains = dict.fromkeys(one.job.domain for one in done)
    sides: dict[str, list[_Job]] = {f"{word}{domain or ''}": [] for word in _SIDES.values() for domain in domains}
    for one in done:
        sides[f"{_SIDES[side_of[one.job.item.name]]}{one.job.domain or ''}"].append(one.job)
    return {name: jobs for name, jobs in sides.items() if jobs}, split.notes


def _array_notes(done: Sequence[_Done]) -> list[str]:
    arrays = dict.fromkeys((one.job.item.target, one.job.item.entry[0]) for one in done if one.job.item.entry)
    return [note for path, name in arrays if (note := array_note(path, name))]


def _write_arrays(sides: dict[str, list[_Job]], path: Path, size: int) -> None:
    """As `numpy.savez_compressed` would write it, picture by picture."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, jobs in sides.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                shape = (len(jobs), size, size, 3)
                npy.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
                for job in jobs:
                    stream.write(job.staged.read_bytes())


def _move_into_folders(sides: dict[str, list[_Job]], folder: Path) -> None:
    for side, jobs in sides.items():
        taken: set[str] = set()
        for job in jobs:
            place = folder / side / _free_name(job.name, job.staged.suffix, taken)
            place.parent.mkdir(parents=True, exist_ok=True)
            job.staged.replace(place)


def _free_name(name: str, suffix: str, taken: set[str]) -> str:
    """The name with another suffix, after the first one (`a.tif.png`) where a picture (`a.png`) has that already."""
    stem = PurePosixPath(name).with_suffix("").as_posix()
    for candidate in itertools.chain((stem, name), (f"{name}-{n}" for n in itertools.count(2))):
        key = candidate.casefold()  # names that differ in capitals alone are the same on some file systems
        if key not in taken:
            break
    taken.add(key)
    return candidate + suffix
