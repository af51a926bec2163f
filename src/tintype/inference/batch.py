"""Translating many files: which files are meant, where each result goes, and one `Result` for each, failed or not.

Nothing is printed here; the commands say what the results hold.
"""

from __future__ import annotations

import glob
import os
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tintype.atomic import make_folder
from tintype.errors import InputError, OutputError
from tintype.image.file import PICTURE_SUFFIXES, find_pictures, read_image, write_image
from tintype.inference.translator import Translator, check_strength

WRITABLE_SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})  # what image.file.write_image knows
COLOUR_REPLACED = "its own colour was replaced"


@dataclass(frozen=True, slots=True)
class Job:
    """One file to translate; `problem` says why it cannot be, where that is known beforehand."""

    input: Path
    output: Path
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done: the jobs in order, and how many files in folders were passed over as no pictures."""

    jobs: tuple[Job, ...]
    out: Path
    passed_over: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file.

    `done`: written; `kept`: its output was there already and stayed; `failed`: `reason` says why, nothing was written.
    """

    input: Path
    output: Path
    status: Literal["done", "failed", "kept"]
    reason: str | None = None
    seconds: float = 0.0
    width: int | None = None
    height: int | None = None
    warnings: tuple[str, ...] = ()


def plan_batch(inputs: Iterable[str | Path], out: Path) -> Plan:
    """Work out which files are meant and where their results go.

    Args:
        inputs: Files; folders, which are searched to the bottom and whose structure is kept below `out`; and glob
            patterns, whose structure is kept from the first folder that is named by a wildcard. In folders and
            patterns, hidden files and those that are no pictures by their suffix are counted and passed over, and
            earlier results are left out where `out` lies inside; a file that is named directly is always meant.
        out: Folder of the results. They have the name of their input; a suffix that cannot be written becomes .png.
    """
    found: dict[str, tuple[Path, Path]] = {}  # by place, so that a file that is named twice is done once
    problems: list[Job] = []
    passed_over: set[str] = set()
    for given in inputs:
        path = Path(given)
        if _is_folder(path):
            root = path
            pictures, others, closed = _below(path)
        elif glob.has_magic(str(given)) and _inode(path) is None:
            root = _fixed_part(path)
            pictures, others, closed = _matching(str(given))
            if not pictures and not others and not closed:
                problems.append(Job(path, out, f"{given}: matches no file; check the pattern"))
        else:
            found.setdefault(_place(path), (path, Path(path.name)))
            continue
        if root.resolve() in out.resolve().parents:
            pictures, others = (
                [p for p in files if out.resolve() not in p.resolve().parents] for files in (pictures, others)
            )
        problems += [Job(folder, out, f"{folder}: cannot be read; check your right to it") for folder in closed]
        for picture in pictures:
            found.setdefault(_place(picture), (picture, picture.relative_to(root)))
        passed_over.update(map(_place, others))
    return Plan((*_with_outputs(found.values(), out), *problems), out, len(passed_over - found.keys()))


def run_batch(
    plan: Plan, translator: Translator, *, strength: float = 1.0, overwrite: bool = False
) -> Iterator[Result]:
    """Carry out a plan, one result at a time; a file that fails does not stop the others.

    Args:
        plan: From `plan_batch`.
        translator: The model.
        strength: See `Translator.__call__`.
        overwrite: Replace results that are there already; inputs are never replaced.

    Raises:
        OutputError: The folder for the results cannot be made or written to; raised before any work is done.
        UsageError: The strength does not fit the model; raised before any work is done.
    """
    check_strength(strength, translator.codec)
    _prepare(plan.out)
    return (_run(job, translator, strength, overwrite) for job in plan.jobs)


def _run(job: Job, translator: Translator, strength: float, overwrite: bool) -> Result:
    start = time.perf_counter()
    if job.problem is not None:
        return Result(job.input, job.output, "failed", job.problem)
    if not overwrite and _inode(job.output) is not None:
        return Result(job.input, job.output, "kept", "its result is there already; --overwrite replaces it")
    try:
        image = read_image(job.input)
        warnings = [COLOUR_REPLACED] if translator.loses_colour(image) else []
        if job.output.suffix != job.input.suffix:
            warnings.append(
                f"written as {job.output.suffix}: {job.input.suffix or 'a file without suffix'} cannot be written"
            )
        result = translator(image, strength=strength)
        make_folder(job.output.parent)
        write_image(job.output, result)
    except (InputError, OutputError) as error:
        return Result(job.input, job.output, "failed", str(error), time.perf_counter() - start)
    except MemoryError:
        reason = f"{job.input}: needs more memory than there is; reduce the picture first"
        return Result(job.input, job.output, "failed", reason, time.perf_counter() - start)
    seconds = time.perf_counter() - start
    return Result(job.input, job.output, "done", None, seconds, result.width, result.height, tuple(warnings))


def _with_outputs(found: Collection[tuple[Path, Path]], out: Path) -> Iterator[Job]:
    """A job for each file; those that would replace an input or the result of an earlier job carry the problem."""
    inputs = {_inode(path): path for path, _ in found}
    taken: dict[str, Path] = {}
    for path, relative in found:
        output = out / _writable(relative)
        inode, key = _inode(output), os.path.normcase(output.resolve())
        problem = None
        if inode is not None and inode in inputs:
            problem = f"{path}: its result would replace the input {inputs[inode]}; give another folder for the results"
        elif key in taken:
            problem = f"{path}: its result would replace that of {taken[key]}; translate them into different folders"
        else:
            taken[key] = path
        yield Job(path, output, problem)


def _writable(relative: Path) -> Path:
    """The name of a result: that of its input, with .png where the suffix cannot be written."""
    suffix = relative.suffix.lower()
    if suffix in WRITABLE_SUFFIXES:
        return relative
    return relative.with_suffix(".png") if suffix in PICTURE_SUFFIXES else relative.with_name(f"{relative.name}.png")


def _below(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Pictures and other files below a folder, and the folders among them that may not be looked into."""
    closed: list[Path] = []
    walk = os.walk(folder, onerror=lambda error: closed.append(Path(error.filename)))
    every = {Path(parent, name) for parent, _, names in walk for name in names}
    pictures = find_pictures(folder)
    return pictures, list(every - set(pictures)), closed


def _matching(pattern: str) -> tuple[list[Path], list[Path], list[Path]]:
    """What `_below` gives, of the files that a glob pattern matches and of all below the folders that it matches."""
    pictures: list[Path] = []
    others: list[Path] = []
    closed: list[Path] = []
    for path in map(Path, sorted(glob.glob(pattern, recursive=True))):  # noqa: PTH207  Path.glob matches hidden files
        if _is_folder(path):
            for known, more in zip((pictures, others, closed), _below(path), strict=True):
                known.extend(more)
        else:
            (pictures if path.suffix.lower() in PICTURE_SUFFIXES else others).append(path)
    return pictures, others, closed


def _fixed_part(pattern: Path) -> Path:
    """The folder of a glob pattern above its first part that holds a wildcard."""
    fixed: list[str] = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # reading it says why
        return False


def _place(path: Path) -> str:
    """Where a file is, however its folder was named; a link to a file is a file of its own."""
    return os.path.normcase(path.parent.resolve() / path.name)


def _inode(path: Path) -> tuple[int, int] | None:
    """What tells a file from all others, whatever it is called and whether or not the file system knows capitals."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _prepare(out: Path) -> None:
    """Make the folder for the results and prove that it can be written to."""
    make_folder(out)
    try:
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written to: {error.strerror}; give a folder that you may write to"
        ) from error
