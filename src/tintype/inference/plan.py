"""Planning a batch: where the result of each file goes, and whether it is there. Nothing is opened, folders are listed.

A folder is listed once, however many files it holds, and no file in it is looked at by itself, so that a hundred
thousand of them, done already or not, are planned in about a second.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

from tintype.atomic import final_name
from tintype.image.file import PICTURE_SUFFIXES
from tintype.inference.search import Found, Inode, Search, inode_of, join, place_of, suffix_of

Format = Literal["png", "tif", "jpg", "webp", "avif", "fits"]

SUFFIXES: dict[Format, tuple[str, ...]] = {
    "png": (".png",),
    "tif": (".tif", ".tiff"),
    "jpg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "webp": (".webp",),
    "avif": (".avif",),
    "fits": (".fits", ".fit", ".fts"),
}
"""Suffixes that results are written with, by format; the first is given to files that had one of another format."""

WRITABLE_SUFFIXES = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)


@final
@dataclass(frozen=True, slots=True)
class Job:
    """One file to translate; text and no paths, of which a hundred thousand take seconds to make."""

    source: str
    target: str
    uncertainty: bool = False
    """A picture of the uncertainty is wanted beside the result."""
    exists: bool = False
    """All that is to be written was there when the plan was made."""
    problem: str | None = None
    """Why it cannot be translated, where that is known beforehand."""
    warning: str | None = None
    """What is to be said of its name."""

    @property
    def input(self) -> Path:
        """The file."""
        return Path(self.source)

    @property
    def output(self) -> Path:
        """Its result."""
        return Path(self.target)

    @property
    def uncertainty_output(self) -> Path | None:
        """Where the picture of the uncertainty goes, if one is wanted."""
        return Path(_beside(self.target)) if self.uncertainty else None


@final
@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file in a folder or of a pattern that is not meant, and why."""

    path: Path
    reason: str


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in order."""

    jobs: tuple[Job, ...]
    out: Path
    others: tuple[PassedOver, ...] = ()
    leftovers: tuple[Path, ...] = ()
    """Temporary files of results of this plan, which an earlier run that was killed may have left."""

    @property
    def passed_over(self) -> int:
        """How many files were passed over as no pictures."""
        return len(self.others)


def plan_batch(
    inputs: Iterable[str | Path], out: Path, *, picture_format: Format | None = None, uncertainty: bool = False
) -> Plan:
    """Work out which files are meant and where their results go.

    Args:
        inputs: Files; folders, which are searched to the bottom and whose structure is kept below `out`; and glob
            patterns, whose structure is kept from the first folder that is named by a wildcard. In folders and
            patterns, hidden files and those that are no pictures by their suffix are passed over, and earlier results
            are left out where `out` lies inside; a file that is named directly is always meant.
        out: Folder of the results. They have the name of their input.
        picture_format: What the results are to be; default: what the inputs are, and PNG where that cannot be written.
        uncertainty: Results have a picture NAME.uncertainty.png beside them.
    """
    search = Search(out)
    for given in inputs:
        search.add(given)
    outputs = _Outputs(search.inodes, out, picture_format, uncertainty)
    found = search.found
    renamed = {place: result_name(one.name, picture_format) != one.name for place, one in found.items()}
    by_place = {place: outputs.job(found[place]) for place in sorted(found, key=renamed.__getitem__)}
    jobs = [by_place[place] for place in found]  # in their order; those that keep their names chose first
    others = tuple(PassedOver(Path(path), reason) for path, reason in search.others.values())
    problems = [Job(path, str(out), problem=reason) for path, reason in search.problems]
    return Plan((*jobs, *problems), out, others, tuple(outputs.leftovers()))


def result_name(name: str, picture_format: Format | None) -> str:
    """The name of a result: that of its input, with another suffix where the format is not or cannot be the same."""
    suffix = suffix_of(name)
    if picture_format is not None:
        new = suffix if suffix in SUFFIXES[picture_format] else SUFFIXES[picture_format][0]
    elif suffix in WRITABLE_SUFFIXES:
        new = suffix
    else:
        inner = suffix.rpartition(".")[0]  # of .fits.gz and the like
        new = inner if inner in WRITABLE_SUFFIXES else ".png"
    if new == suffix:
        return name
    return (name[: -len(suffix)] if suffix in PICTURE_SUFFIXES else name) + new


def format_of(path: Path) -> Format:
    """The format that the suffix of a result stands for."""
    return next(name for name, suffixes in SUFFIXES.items() if path.suffix.lower() in suffixes)


@final
class _Outputs:
    """Names of results: none replaces an input or the result of an earlier job."""

    def __init__(self, inputs: dict[Inode, str], out: Path, picture_format: Format | None, uncertainty: bool) -> None:
        self._inputs, self._out, self._format, self._uncertainty = inputs, str(out), picture_format, uncertainty
        self._taken: dict[str, Found] = {}
        self._listings: dict[str, _Listing] = {}

    def job(self, found: Found) -> Job:
        """The job of one file."""
        if (listing := self._listings.get(found.below)) is None:
            listing = self._listings[found.below] = _Listing(join(self._out, found.below))
        name = result_name(found.name, self._format)
        if name != found.name and place_of(listing.resolved, name) in self._taken:
            name = found.name + name[name.rfind(".") :]  # a.gif.png beside the a.png that was one before
        names = [name, _beside(name)] if self._uncertainty else [name]
        source, target, exists = found.path, join(listing.folder, name), True
        for one in names:
            inode, place = listing.inode(one), place_of(listing.resolved, one)
            exists = exists and inode is not None
            if inode is not None and inode in self._inputs:
                reason = (
                    f"its result would replace the input {self._inputs[inode]}; give another folder for the results"
                )
                return Job(source, target, problem=f"{source}: {reason}")
            if earlier := self._taken.get(place):
                reason = f"its result would replace that of {earlier.path}; translate them into different folders"
                return Job(source, target, problem=f"{source}: {reason}")
        for one in names:
            self._taken[place_of(listing.resolved, one)] = found
        suffix = found.name[found.name.rfind(".") :] if "." in found.name else "a file without suffix"
        lost = self._format is None and name.endswith(".png") and suffix.lower() != ".png"
        warning = f"written as .png: {suffix} cannot be written" if lost else None
        return Job(source, target, self._uncertainty, exists, warning=warning)

    def leftovers(self) -> Iterator[Path]:
        """Temporary files that were to become results of these jobs."""
        for listing in self._listings.values():
            unfinished = [(name, whole) for name in listing.names if (whole := final_name(name))]
            if unfinished:
                ours = {_cut(place) for place in self._taken}
                for name, whole in unfinished:
                    if place_of(listing.resolved, whole) in ours:
                        yield Path(listing.folder, name)


@final
class _Listing:
    """What is in a folder of results before the work begins; nothing, where it is not there or cannot be read."""

    def __init__(self, folder: str) -> None:
        self.folder, self.resolved = folder, os.path.realpath(folder)
        self.names: dict[str, Inode | None] = {}
        try:
            device = Path(folder).stat().st_dev
            with os.scandir(folder) as listing:
                for entry in listing:
                    self.names[entry.name] = inode_of(entry.path) if entry.is_symlink() else (device, entry.inode())
        except OSError:
            pass
        self._whatever_case = {name.casefold() for name in self.names}

    def inode(self, name: str) -> Inode | None:
        """That of a file in this folder; it is asked for itself only where capitals may or may not matter."""
        known = self.names.get(name)
        unsure = known is None and name.casefold() in self._whatever_case
        return inode_of(join(self.folder, name)) if unsure else known


def _beside(name: str) -> str:
    """The picture of the uncertainty that belongs to a result."""
    return name[: name.rfind(".")] + ".uncertainty.png"


def _cut(place: str) -> str:
    """The name of a result as its temporary files tell it."""
    path = Path(place)
    return str(path.with_name(path.stem[:32] + path.suffix))
