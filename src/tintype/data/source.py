"""Where pictures come from: a data section of a recipe -> the items of the set, found and paired, none of them opened.

Five layouts, named by `data.kind`:

    colour          FOLDER/**/picture                   the source is made from the target later; with
                    FOLDER/**/SUBJECT/picture           `data.subject=folder` the folder says what is in it
    folders         FOLDER/A/**/name.*, FOLDER/B/**/name.*, or `path` and `path_b`; paired by path without suffix
    side_by_side    FOLDER/**/picture                   A in the left half, B in the right one
    unpaired        FOLDER/trainA/**/picture, FOLDER/trainB/..., any of valA, valB, testA, testB; or FOLDER/A and
                    FOLDER/B; or `path` and `path_b`    no partners
    labelled        FOLDER/**/CLASS/picture, or FOLDER/**/CLASS_name; or the idx files of MNIST and its relatives

In each of the others, and in each of two folders, a top level of `train/` and any of `val/` (`valid/`, `validation/`)
and `test/` gives the split. `colour` and `unpaired` take .npz files too; the names of their arrays say the same as
those of folders, see `arrays_by_role`. Nothing is left out silently: a picture without a partner where there should be
one, outside the split folders, or in an array of no known use is an error that names it. Beside `trainA/` and `trainB/`
other folders may lie, as in public sets; they are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from tintype.data.arrays import array_names, count_pictures
from tintype.data.idx import has_idx, idx_pictures, is_idx
from tintype.data.paths import data_folder, data_path
from tintype.errors import DataError
from tintype.image.file import find_pictures, picture_suffix
from tintype.recipe.data import ColourData, DataSpec, FoldersData, LabelledData, SideBySideData, UnpairedData
from tintype.recipe.schema import Direction

SplitName = Literal["train", "validation", "test"]
Domain = Literal["A", "B"]
ENDS: dict[Direction, tuple[Domain, Domain]] = {"ab": ("A", "B"), "ba": ("B", "A")}
"""Where each direction comes from and where it goes."""
DOMAINS: tuple[Domain, Domain] = ("A", "B")
Role = tuple[Domain | None, SplitName | None]
"""What an array or a folder is for; None: it is the only domain, or its split is still to be made."""

SPLIT_FOLDERS: dict[str, SplitName] = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_ROLE = re.compile(rf"({'|'.join(SPLIT_FOLDERS)})?_?([ab])?", re.IGNORECASE)
_NAMED = 3  # names that an error lists before "..."


@dataclass(frozen=True, slots=True)
class Item:
    """One sample of a set before it is read.

    Attributes:
        name: Relative POSIX path, unique in the set; of the picture in A where there are two.
        target: File of the target; of both halves where `half` is set.
        source: File of the source; None where it is made from the target or lies in the same file.
        split: What the folders say, None where they say nothing.
        half: For side-by-side files: "ab" if the left half is the source, "ba" if the right one is.
        domain: For pictures without partners: which of the two domains they belong to; their names begin with it.
        entry: For a picture in an .npz or idx file, which is the target then: name of the array and position in it.
        label: For a picture of a class: what the class is called. Each class is divided for itself.
        subject: For a colour picture of which it was said: what is in it.
    """

    name: str
    target: Path
    source: Path | None = None
    split: SplitName | None = None
    half: Direction | None = None
    domain: Domain | None = None
    entry: tuple[str, int] | None = None
    label: str | None = None
    subject: str | None = None


class Picture(NamedTuple):
    """One picture of a domain: what `Item` has of a target."""

    name: str
    path: Path
    entry: tuple[str, int] | None
    split: SplitName | None


def find_items(spec: DataSpec, field: str = "data.path") -> tuple[Item, ...]:
    """All items of a set, ordered by name.

    Args:
        spec: Where it lies.
        field: The field that says so, for errors about a folder of colour pictures.

    Raises:
        UsageError: A path is empty.
        DataError: A folder is missing or empty, or pictures lack a partner or lie outside the split folders.
    """
    match spec:
        case ColourData():
            told = spec.subject == "folder"
            return tuple(
                Item(
                    name,
                    path,
                    split=split,
                    entry=entry,
                    subject=_folder_of(name, split) if told and entry is None else None,
                )
                for name, path, entry, split in domain_pictures(data_path(spec.path, field))
            )
        case SideBySideData():
            return tuple(
                Item(name, path, split=split, half=spec.direction)
                for name, path, split in _pictures_with_split(data_folder(spec.path))
            )
        case FoldersData():
            return _paired_items(spec)
        case UnpairedData():
            return _unpaired_items(spec)
        case LabelledData():
            return _labelled_items(spec)


def arrays_by_role(npz: Path) -> dict[Role, str]:
    """What the arrays of an .npz file are for, by their names.

    Two domains: `trainA`, `trainB` and any of `valA`, `valB`, `testA`, `testB` (also as `train_A`, in any case), or
    `A` and `B`, or the `arr_0` and `arr_1` of arrays that were saved without names. One domain: `train` and any of
    `val` and `test`, also with the letter of the domain, or one array of any name.

    Raises:
        DataError: The file cannot be read, or the names say something else.
    """
    names = array_names(npz)
    if len(names) == 1:
        return {(None, None): names[0]}
    if set(names) == {"arr_0", "arr_1"}:
        return {("A", None): "arr_0", ("B", None): "arr_1"}
    roles = {role: name for name in names if (role := _role(name))}
    domains, splits = {domain for domain, _ in roles}, {split for _, split in roles}
    one_each = len(roles) == len(names) and (None not in domains or len(domains) == 1)
    trained = None not in splits and all((domain, "train") in roles for domain in domains)
    if not one_each or not (trained or splits == {None}):
        raise DataError(
            f"{npz}: cannot tell what its arrays are for: {_listed(names, 8)}; name them trainA and trainB (valA, "
            "testA, ...), or A and B; for one domain train, val and test, or store one array"
        )
    return roles if len(domains) > 1 else {(None, split): name for (_, split), name in roles.items()}


def has_two_domains(path: Path) -> bool:
    """Whether an .npz file has arrays of two domains, or a folder `trainA/` and `trainB/`.

    Raises:
        DataError: As for `arrays_by_role`.
    """
    if path.is_dir():
        return {("A", "train"), ("B", "train")} <= {role for role, _ in _folders_with_roles(path)}
    return any(domain for domain, _ in arrays_by_role(path))


def has_a_and_b(path: Path) -> bool:
    """Whether a folder has folders `A/` and `B/`."""
    return (path / "A").is_dir() and (path / "B").is_dir()


def domain_pictures(path: Path, domain: Domain | None = None) -> list[Picture]:
    """The pictures of one domain, in the order of names.

    Args:
        path: An .npz file or a folder of pictures.
        domain: Which one, where `has_two_domains(path)`; None: there is only one.

    Raises:
        DataError: There are none, the file cannot be read, or it has two domains where one is needed.
    """
    if path.is_dir():
        if domain is None:
            return [Picture(name, file, None, split) for name, file, split in _pictures_with_split(path)]
        return [
            Picture(f"{below}/{name}", file, None, split)
            for (whose, split), below in sorted(_folders_with_roles(path), key=lambda one: one[1])
            if whose == domain and split
            for name, file, _ in _pictures(path / below)
        ]
    roles = arrays_by_role(path)
    arrays = {name: split for (whose, split), name in roles.items() if whose == domain}
    if not arrays:
        raise DataError(f"{path}: has two domains ({_listed(roles.values(), 8)}) where one is needed; store one alone")
    return [
        Picture(f"{name}/{index:05}", path, (name, index), split)
        for name, split in sorted(arrays.items())
        for index in range(count_pictures(path, name))
    ]


def _role(name: str) -> Role | None:
    match = _ROLE.fullmatch(name)
    if match is None or not any(match.groups()):
        return None
    split, letter = match.groups()
    domain: dict[str | None, Domain | None] = {"a": "A", "b": "B", None: None}
    return domain[letter and letter.lower()], SPLIT_FOLDERS[split.lower()] if split else None


def _folders_with_roles(folder: Path) -> list[tuple[Role, str]]:
    return [(role, below.name) for below in folder.iterdir() if below.is_dir() and (role := _role(below.name))]


def count_other_files(folder: Path) -> int:
    """Number of visible files below a folder that are no pictures by their name."""
    return sum(
        path.is_file() and not picture_suffix(path) and not is_idx(path)
        for path in folder.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def find_pairs(spec: FoldersData) -> tuple[tuple[Item, ...], tuple[str, ...]]:
    """The pairs of two folders, ordered by name, and the pictures that have no partner, as `FOLDER/NAME`.

    Raises:
        UsageError: A path is empty.
        DataError: A folder is missing or holds no pictures, or two pictures claim the same partner.
    """
    folder_a = data_folder(spec.path)
    if spec.path_b:
        folder_b = data_folder(spec.path_b, "data.path_b")
    else:
        parent = folder_a
        folder_a, folder_b = parent / "A", parent / "B"
        for folder in (folder_a, folder_b):
            if not folder.is_dir():
                raise DataError(
                    f"{parent}: no folder {folder.name}/ in it; data.kind=folders needs A/ and B/, or data.path_b too"
                )
    found_a, found_b = _by_stem(folder_a), _by_stem(folder_b)
    items = []
    for stem in found_a.keys() & found_b.keys():
        (name, path_a, split), (_, path_b, _) = found_a[stem], found_b[stem]
        source, target = (path_a, path_b) if spec.direction == "ab" else (path_b, path_a)
        items.append(Item(name, target, source, split))
    lonely = [f"{folder_a.name}/{found_a[stem][0]}" for stem in found_a if stem not in found_b]
    lonely += [f"{folder_b.name}/{found_b[stem][0]}" for stem in found_b if stem not in found_a]
    return tuple(sorted(items, key=lambda item: item.name)), tuple(lonely)


def _paired_items(spec: FoldersData) -> tuple[Item, ...]:
    items, lonely = find_pairs(spec)
    where = f"{spec.path} and {spec.path_b}" if spec.path_b else spec.path
    if not items:
        raise DataError(
            f"{where}: no two of the {len(lonely)} pictures pair up; partners need the same relative path, suffix aside"
        )
    if lonely:
        raise DataError(
            f"{where}: {len(lonely)} pictures have no partner: {_listed(lonely)}; add the partners or move these away"
        )
    return items


def _unpaired_items(spec: UnpairedData) -> tuple[Item, ...]:
    path = data_path(spec.path)
    found: dict[Domain, list[Picture]]
    if spec.path_b:
        path_b = data_path(spec.path_b, "data.path_b")
        for one in (path, path_b):
            if has_two_domains(one) or has_a_and_b(one):
                raise DataError(
                    f"{one}: has two domains of its own, but data.path_b names a second one; leave out data.path_b, or "
                    "give two paths of one domain each"
                )
        found = {"A": domain_pictures(path), "B": domain_pictures(path_b)}
    elif has_two_domains(path):
        found = {"A": domain_pictures(path, "A"), "B": domain_pictures(path, "B")}
    elif has_a_and_b(path):
        found = {"A": domain_pictures(path / "A"), "B": domain_pictures(path / "B")}
    else:
        raise DataError(
            f"{path}: holds neither trainA and trainB nor A and B; data.kind=unpaired needs one of these, or "
            "data.path_b too"
        )
    items = [
        Item(f"{domain}/{one.name}", one.path, split=one.split, domain=domain, entry=one.entry)
        for domain, pictures in found.items()
        for one in pictures
    ]
    return tuple(sorted(items, key=lambda item: item.name))


def _labelled_items(spec: LabelledData) -> tuple[Item, ...]:
    items, unnamed, folder = [], [], data_folder(spec.path)
    if has_idx(folder):
        return tuple(
            Item(one.name, one.path, split=one.split, entry=("images", one.place), label=one.label)
            for one in idx_pictures(folder)
        )
    for name, path, split in _pictures_with_split(folder):
        if spec.label == "folder":
            label = _folder_of(name, split) or ""
        else:
            label = name.rpartition("/")[2].removesuffix(path.suffix).rpartition("_")[0]
        items.append(Item(name, path, split=split, label=label))
        unnamed += [] if label else [name]
    if unnamed:
        other = "name" if spec.label == "folder" else "folder"
        needed = "lie in no folder of a class" if spec.label == "folder" else "are not called CLASS_something"
        raise DataError(
            f"{spec.path}: {len(unnamed)} of {len(items)} pictures {needed}: {_listed(unnamed)}; give each its class, "
            f"or use data.label={other}"
        )
    return tuple(items)


def _folder_of(name: str, split: SplitName | None) -> str | None:
    """The folder that a picture lies in, where that is not the whole set or a split of it."""
    folders = name.split("/")[:-1]
    return folders[-1] if len(folders) > (split is not None) else None


def _by_stem(folder: Path) -> dict[str, tuple[str, Path, SplitName | None]]:
    found: dict[str, tuple[str, Path, SplitName | None]] = {}
    for name, path, split in _pictures_with_split(folder):
        stem = name.removesuffix(path.suffix)
        if stem in found:
            raise DataError(f"{folder}: {found[stem][0]} and {name} claim the same partner; move one of them away")
        found[stem] = (name, path, split)
    return found


def _pictures(folder: Path) -> list[tuple[str, Path, SplitName | None]]:
    named: list[tuple[str, Path, SplitName | None]] = [
        (path.relative_to(folder).as_posix(), path, None) for path in find_pictures(folder)
    ]
    if not named:
        others = count_other_files(folder)
        what = f"none of its {others} files is a picture" if others else "holds no files"
        raise DataError(f"{folder}: {what}; needed are pictures such as .jpg, .png or .tif")
    return named


def _pictures_with_split(folder: Path) -> list[tuple[str, Path, SplitName | None]]:
    named = _pictures(folder)
    tops = {name: name.split("/")[0] if "/" in name else "" for name, _, _ in named}
    if "train" not in tops.values():  # a lone folder called "test" is a subject, not a split
        return named
    if stray := [name for name, _, _ in named if tops[name] not in SPLIT_FOLDERS]:
        raise DataError(
            f"{folder}: has a train/ folder, but {len(stray)} pictures lie outside train/, val/ and test/: "
            f"{_listed(stray)}; move them into one of these"
        )
    return [(name, path, SPLIT_FOLDERS[tops[name]]) for name, path, _ in named]


def _listed(names: Iterable[str], most: int = _NAMED) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
