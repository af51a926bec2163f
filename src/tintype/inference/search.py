"""Finding the files that are meant by what was typed: files, folders and patterns. No file is opened.

A folder is listed once, however many files it holds, and none of them is asked for by itself. Paths are text here: a
hundred thousand path objects take seconds.
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import final

from tintype.image.file import PICTURE_SUFFIXES, picture_suffix

Inode = tuple[int, int]


@final
@dataclass(frozen=True, slots=True)
class Found:
    """A file that is meant: its folder and name as they were given, and its folder below the root of the search."""

    folder: str
    name: str
    below: str

    @property
    def path(self) -> str:
        """The file as it was named."""
        return join(self.folder, self.name)


@final
class Search:
    """The files that are meant, each once however often it is named."""

    def __init__(self, out: Path) -> None:
        self.found: dict[str, Found] = {}  # by place; a link to a file is a file of its own
        self.others: dict[str, tuple[str, str]] = {}
        self.problems: list[tuple[str, str]] = []
        self.inodes: dict[Inode, str] = {}
        self._resolved_out = os.path.realpath(out)

    def add(self, given: str | Path) -> None:
        """Add what one argument stands for."""
        path = str(Path(given))
        if _is_folder(path):
            self._walk(path, path)
        elif glob.has_magic(path) and inode_of(path) is None:
            self._match(path)
        else:
            folder, name = os.path.split(path)
            self._take(os.path.realpath(folder), Found(folder, name, ""), inode_of(path))

    def _match(self, pattern: str) -> None:
        """Add the files that a glob pattern matches, and all below the folders that it matches."""
        root = _fixed_part(pattern)
        matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  Path.glob matches hidden files
        if not matches:
            self.problems.append((pattern, f"{pattern}: matches no file; check the pattern"))
        resolved = _Folders()
        for path in matches:
            folder, name = os.path.split(path.rstrip(os.sep))
            if _is_folder(path):
                self._walk(path, root)
            elif not self._is_result(resolved[folder], resolved[root]):
                found = Found(folder, name, _below(folder, root))
                reason = _reason(name.lstrip("."), Path(path).is_file())  # hidden ones match only where that is meant
                self._sort(resolved[folder], found, reason, inode_of(path))

    def _walk(self, folder: str, root: str) -> None:
        """Add all files below a folder, in the order of their names."""
        resolved_root = os.path.realpath(root)
        waiting = [(folder, False)]
        while waiting:
            parent, hidden = waiting.pop()
            resolved = os.path.realpath(parent)
            if self._is_result(resolved, resolved_root):
                continue
            try:
                with os.scandir(parent) as listing:
                    entries = sorted(listing, key=lambda entry: entry.name)
                device = Path(parent).stat().st_dev
            except OSError as error:
                reason = f"{parent}: cannot be read ({error.strerror}); check your right to it"
                self.problems.append((parent, reason))
                continue
            below, folders = _below(parent, root), []
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append((join(parent, entry.name), hidden or entry.name.startswith(".")))
                    continue
                linked = entry.is_symlink()
                why = _reason(entry.name, entry.is_file(), linked and entry.is_dir())
                why = "in a hidden folder" if hidden else why
                inode = inode_of(entry.path) if linked else (device, entry.inode())
                self._sort(resolved, Found(parent, entry.name, below), why, inode)
            waiting += reversed(folders)

    def _sort(self, resolved: str, found: Found, reason: str | None, inode: Inode | None) -> None:
        if reason is None:
            self._take(resolved, found, inode)
        elif (place := place_of(resolved, found.name)) not in self.found:
            self.others[place] = found.path, reason

    def _take(self, resolved: str, found: Found, inode: Inode | None) -> None:
        place = place_of(resolved, found.name)
        self.found.setdefault(place, found)
        self.others.pop(place, None)
        if inode is not None:
            self.inodes.setdefault(inode, found.path)

    def _is_result(self, folder: str, root: str) -> bool:
        """Whether a folder is that of the results, or inside it, while the search began above it."""
        return _contains(self._resolved_out, folder) and not _contains(self._resolved_out, root)


@final
class _Folders(dict[str, str]):
    """Resolved folders, each asked for once."""

    def __missing__(self, folder: str) -> str:
        return self.setdefault(folder, os.path.realpath(folder))


def inode_of(path: str | Path) -> Inode | None:
    """What tells a file from all others, whatever it is called and whether or not the file system knows capitals."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


@lru_cache(4096)
def _suffix_of_tail(tail: str) -> str:
    return picture_suffix(Path("x" + tail))


def suffix_of(name: str) -> str:
    """`picture_suffix`, asked for once for the many names that end alike."""
    before = name.rfind(".", 0, max(0, name.rfind(".")))
    return _suffix_of_tail(name[before if before > 0 else max(0, name.rfind(".")) :])


def join(folder: str, name: str) -> str:
    """A name in a folder; no name: the folder."""
    return os.path.join(folder, name) if name else folder  # noqa: PTH118


def place_of(folder: str, name: str) -> str:
    """Where a file is, whatever its folder was called."""
    return os.path.normcase(join(folder, name))


def _below(folder: str, root: str) -> str:
    below = os.path.relpath(folder or os.curdir, root or os.curdir)
    return "" if below == os.curdir else below


def _reason(name: str, is_file: bool, is_linked_folder: bool = False) -> str | None:
    """Why a file in a folder is passed over; None: it is a picture by its name."""
    if is_linked_folder:
        return "a link to a folder"
    if name.startswith("."):
        return "hidden"
    if suffix_of(name) not in PICTURE_SUFFIXES:
        return f"{Path(name).suffix or 'no suffix'}: not one of a picture"
    return None if is_file else "no regular file"


def _contains(folder: str, other: str) -> bool:
    """Whether a resolved folder is the other one or above it."""
    return other == folder or other.startswith(folder.rstrip(os.sep) + os.sep)


def _fixed_part(pattern: str) -> str:
    """The folder of a glob pattern above its first part that holds a wildcard."""
    fixed: list[str] = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return str(Path(*fixed)) if fixed else ""


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):  # reading it says why
        return False
