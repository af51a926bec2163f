"""Which pictures train, validate and test: decided by content, so that copies never end up on two sides.

What counts as a copy is the business of `fingerprint.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from tintype.data.fingerprint import Fingerprint, duplicate_groups
from tintype.data.source import Item, SplitName
from tintype.recipe.data import SplitSpec

_MANY = 10  # a group of more than so many pictures, and more than a tenth of the set, is mentioned
HELD_OUT: tuple[Literal["test", "validation"], ...] = ("test", "validation")  # in the order in which they are filled


@dataclass(frozen=True, slots=True)
class Split:
    """The names of the items on each side, in an order that follows from content alone.

    Attributes:
        train: Names to train on.
        validation: Names that choose the checkpoint.
        test: Names that are scored at the end.
        groups: Names of copies and near copies, one tuple for each group of more than one.
        digest: 16 hexadecimal digits that change when any side gains, loses or changes a picture.
        notes: Sentences that a user should see.
        more: Names of further pictures to train on, as `more/NAME`; the digest says nothing of them.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    digest: str
    notes: tuple[str, ...] = ()
    more: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Split:
        """The split that `to_dict` described, also after a passage through JSON."""
        return cls(
            train=tuple(data["train"]),
            validation=tuple(data["validation"]),
            test=tuple(data["test"]),
            groups=tuple(tuple(group) for group in data["groups"]),
            digest=data["digest"],
            notes=tuple(data["notes"]),
            more=tuple(data.get("more", ())),
        )


def make_split(items: Sequence[Item], fingerprints: Sequence[Fingerprint], spec: SplitSpec) -> Split:
    """Divide a set; the same pictures give the same split whatever they are called and in whatever order they come.

    Groups of copies stay together. What folders say (`Item.split`) is kept; a side that they leave out is taken from
    their training pictures. With three groups or more, no side with a fraction above 0 is empty. Two domains, and
    classes, are divided each for itself, or together where copies reach from one to the other.
    """
    groups = duplicate_groups(fingerprints, spec.near_duplicates)
    groups.sort(key=lambda group: _rank(fingerprints[i].sha256 for i in group))
    domains = sorted({_stratum(item) for item in items})
    shared = [group for group in groups if len({_stratum(items[i]) for i in group}) > 1]
    if shared or len(domains) < 2:
        split = _divided(items, fingerprints, groups, domains, spec)
        return replace(split, notes=(_shared_note(items, shared), *split.notes)) if shared else split
    parts = [
        _divided(items, fingerprints, [group for group in groups if _stratum(items[group[0]]) == one], [one], spec)
        for one in domains
    ]
    return Split(
        train=tuple(name for part in parts for name in part.train),
        validation=tuple(name for part in parts for name in part.validation),
        test=tuple(name for part in parts for name in part.test),
        groups=tuple(group for part in parts for group in part.groups),
        digest=_digest([part.digest for part in parts]),
        notes=_of_many(domains, [part.notes for part in parts]),
    )


def without_copies(
    split: Split,
    items: Sequence[Item],
    fingerprints: Sequence[Fingerprint],
    more: Sequence[Fingerprint],
    spec: SplitSpec,
) -> list[int]:
    """Numbers of the further pictures that are no copies of held-out ones, in an order that follows from content alone.

    Args:
        split: How the set is divided.
        items: Of the set.
        fingerprints: Of its pictures.
        more: Of the further pictures.
        spec: Says what a copy is.
    """
    held_out = {*split.validation, *split.test}
    marks = [mark for item, mark in zip(items, fingerprints, strict=True) if item.name in held_out]
    copies: set[int] = set()
    for group in duplicate_groups([*marks, *more], spec.near_duplicates):
        if group[0] < len(marks):
            copies.update(i - len(marks) for i in group)
    return sorted(set(range(len(more))) - copies, key=lambda i: (more[i].sha256, i))


def _stratum(item: Item) -> str:
    """What is divided for itself, so that each part has its share of it: a domain, a class, or the whole set."""
    return item.domain or item.label or ""


def _divided(
    items: Sequence[Item],
    fingerprints: Sequence[Fingerprint],
    groups: list[list[int]],
    domains: Sequence[str],
    spec: SplitSpec,
) -> Split:
    """Divide the items that are in the groups, which come in the order in which they are held out."""
    members = {one: [i for group in groups for i in group if _stratum(items[i]) == one] for one in domains}
    count_of_all = sum(map(len, members.values()))
    copies = [group for group in groups if len(group) > 1]
    sides: dict[SplitName, list[int]] = {"train": [], "validation": [], "test": []}
    notes = []
    whose = f"{domains[0]}: " if domains[0] and len(domains) == 1 else ""
    largest = max(copies, key=len, default=[])
    if len(largest) > max(_MANY, count_of_all / _MANY):
        notes.append(
            f"{whose}{len(largest)} of {count_of_all} pictures are so alike that they stay on one side of the split; "
            f"if they are different pictures, lower data.split.near_duplicates (now {spec.near_duplicates})"
        )
    straddling = [group for group in copies if len({items[i].split for i in group} - {None}) > 1]
    if straddling:
        notes.append(whose + _straddling_note(items, straddling))

    left = []
    for group in groups:
        named = {items[i].split for i in group}
        # Where the folders of one domain alone name splits, its copies in the other one follow them.
        joined = next((side for side in HELD_OUT if side in named), None)
        for i in group:
            if side := items[i].split or joined:
                sides[side].append(i)
        if kept := [i for i in group if (items[i].split or joined or "train") == "train"]:
            left.append(kept)
    groups, sides["train"] = left, []
    in_fold = _fold(groups, spec)

    def size(group: list[int], domain: str) -> int:
        return sum(_stratum(items[i]) == domain for i in group)

    held_out = [s for s in HELD_OUT if getattr(spec, s) > 0 or (s == "test" and spec.folds > 1)]
    wanted = {one: [s for s in held_out if not any(items[i].split == s for i in members[one])] for one in domains}
    if spec.folds > 1 and not any("test" in sides_wanted for sides_wanted in wanted.values()):
        notes.append(f"{whose}the folders name the test pictures, so data.split.folds has no effect")
    total = {one: sum(items[i].split not in HELD_OUT for i in members[one]) for one in domains}
    # In a set that is divided as a whole, the last group of each domain is kept to train on.
    reserved = [[group for group in groups if size(group, one)][-1:] for one in domains] if len(domains) > 1 else []
    kept_back = {group[0] for found in reserved for group in found}
    for side in HELD_OUT:
        for one in domains:
            if side not in wanted[one]:
                continue
            missing = max(1, round(getattr(spec, side) * total[one])) - size(sides[side], one)
            refusing = {other for other in domains if side not in wanted[other]}
            free = [
                group
                for group in groups
                if size(group, one) and group[0] not in kept_back and not any(size(group, other) for other in refusing)
            ]
            # One group is left to train on, and one to each side still to come.
            spare = len(free) - (not kept_back) - len(wanted[one][wanted[one].index(side) + 1 :])
            chosen: list[list[int]] = []
            if side == "test" and spec.folds > 1:
                chosen = [group for group in free if group[0] in in_fold]
            elif missing > 0:
                chosen = _taken(free, [size(group, one) for group in free], missing, spare)
            if chosen:
                sides[side] += [i for group in chosen for i in group]
                gone = {group[0] for group in chosen}
                groups = [group for group in groups if group[0] not in gone]
            found, label = size(sides[side], one), f"{one}: " if one else ""
            if not found:
                notes.append(f"{label}no {side} pictures: the set is too small to keep any from training")
            elif any(items[i].split for i in members[one]):
                notes.append(f"{label}the folders name no {side} pictures: {found} of train/ are kept for it")
    sides["train"] = [i for group in groups for i in group]

    def ordered(indices: Iterable[int]) -> tuple[str, ...]:
        return tuple(items[i].name for i in sorted(indices, key=lambda i: (fingerprints[i].sha256, items[i].name)))

    digests = [
        _digest(
            [
                [name, sorted(fingerprints[i].sha256 for i in indices if _stratum(items[i]) == one)]
                for name, indices in sides.items()
            ]
        )
        for one in domains
    ]
    return Split(
        train=ordered(sides["train"]),
        validation=ordered(sides["validation"]),
        test=ordered(sides["test"]),
        groups=tuple(ordered(group) for group in copies),
        digest=digests[0] if len(digests) == 1 else _digest(digests),
        notes=tuple(notes),
    )


def _digest(data: object) -> str:
    return hashlib.sha256(json.dumps(data).encode()).hexdigest()[:16]


def _rank(hashes: Iterable[str]) -> str:
    """Where a group comes in line; hashed once more, or else larger groups would come first."""
    return hashlib.sha256(min(hashes).encode()).hexdigest()


def _taken(groups: list[list[int]], sizes: list[int], count: int, spare: int) -> list[list[int]]:
    """The first groups that make up about `count` pictures by their sizes: at most `spare` groups, if possible one."""
    chosen: list[list[int]] = []
    missing = count
    for group, size in zip(groups, sizes, strict=True):
        if len(chosen) < spare and size <= 2 * missing:  # at most half of a group is too much
            chosen.append(group)
            missing -= size
    if not chosen and spare > 0:
        chosen = [groups[sizes.index(min(sizes))]]
    return chosen


def _fold(groups: list[list[int]], spec: SplitSpec) -> set[int]:
    """First members of the groups of one part; each group goes to the part that is smallest when its turn comes."""
    filled, chosen = [0] * spec.folds, set()
    for group in groups:
        part = filled.index(min(filled))
        filled[part] += len(group)
        if part == spec.fold:
            chosen.add(group[0])
    return chosen


def _shared_note(items: Sequence[Item], groups: list[list[int]]) -> str:
    example = min(tuple(sorted(items[i].name for i in group)) for group in groups)
    what, where = ("classes", "more than one") if any(item.label for item in items) else ("domains", "both")
    return (
        f"the {what} share pictures, so they are divided together: {len(groups)} group{'s' * (len(groups) > 1)} of "
        f"copies or near copies in {where}, as {', '.join(example[:4])}{', ...' if len(example) > 4 else ''}"
    )


def _of_many(strata: Sequence[str], notes: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Notes of parts that were divided each for itself; what all of several classes have in common is said once."""
    plain = [[note.removeprefix(f"{one}: ") for note in some] for one, some in zip(strata, notes, strict=True)]
    common = [note for note in plain[0] if all(note in some for some in plain)] if len(strata) > 2 else []
    own = [
        note
        for some, bare in zip(notes, plain, strict=True)
        for note, text in zip(some, bare, strict=True)
        if text not in common
    ]
    return (*(f"each of {len(strata)} classes: {note}" for note in common), *own)


def _straddling_note(items: Sequence[Item], groups: list[list[int]]) -> str:
    example = min(tuple(sorted(items[i].name for i in group)) for group in groups)
    what = (
        "1 group of copies or near copies lies"
        if len(groups) == 1
        else f"{len(groups)} groups of copies or near copies lie"
    )
    return (
        f"{what} in more than one split folder, so scores may flatter: "
        f"{', '.join(example[:4])}{', ...' if len(example) > 4 or len(groups) > 1 else ''}"
    )
