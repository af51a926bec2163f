"""Which pictures train, validate and test: decided by content, so that copies never end up on two sides.

A perceptual hash finds pictures that are in a set more than once: at another size, depth, format or brightness,
mirrored, or turned by quarter turns. What it does not find are crops, other fields of view and rotations by odd angles.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tintype.data.arrays import read_entry
from tintype.data.source import Item, SplitName
from tintype.image.file import read_thumbnail
from tintype.image.resize import resize
from tintype.recipe.schema import SplitSpec

_MANY = 10  # a group of more than so many pictures, and more than a tenth of the set, is mentioned
HELD_OUT: tuple[Literal["test", "validation"], ...] = ("test", "validation")  # in the order in which they are filled

_SIDE = 32  # side of the grey picture that is hashed
_THUMBNAIL = 64  # shorter side that files are decoded at for hashing, whatever the set is trained at
_PAIRS = 100_000  # pairs of hashes that are compared at once; what does not fit into a processor's cache is slower
# The 256 lowest frequencies (rows, columns) without the mean; closed under the exchange of rows and columns.
_FREQUENCIES = sorted(
    ((u, v) for u in range(_SIDE) for v in range(_SIDE) if u + v),
    key=lambda f: (f[0] ** 2 + f[1] ** 2, abs(f[0] - f[1]), f),
)[:256]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a sample is known by.

    Attributes:
        sha256: Of the bytes of its file, of both files of a pair, or of the samples of an array, in hexadecimal.
        phash: 256-bit perceptual hash of its target, see `perceptual_hash`.
    """

    sha256: str
    phash: int


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
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    digest: str
    notes: tuple[str, ...] = ()

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
        )


def fingerprint(target: Path, source: Path | None = None) -> Fingerprint:
    """Fingerprint of a file, or of a pair of files.

    Raises:
        ImageError: The target cannot be decoded.
        OSError: A file cannot be read.
    """
    digest = hashlib.sha256()
    for path in (target, source):
        if path is not None:
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return Fingerprint(digest.hexdigest(), perceptual_hash(read_thumbnail(target, _THUMBNAIL)))


def item_fingerprint(item: Item) -> Fingerprint:
    """Fingerprint of an item: of its files, or of its samples and their shape where it lies in an array.

    Raises:
        ImageError: The target cannot be decoded.
        OSError: A file cannot be read.
    """
    if item.entry is None:
        return fingerprint(item.target, item.source)
    pixels = read_entry(item.target, *item.entry)
    height, width = pixels.shape[:2]
    scale = _THUMBNAIL / min(height, width)
    small = resize(pixels.astype(np.float32), round(height * scale), round(width * scale))
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes())
    return Fingerprint(digest.hexdigest(), perceptual_hash(np.rint(np.clip(small, 0, 255)).astype(np.uint8)))


def perceptual_hash(pixels: NDArray[np.uint8]) -> int:
    """Signs of the 256 lowest spatial frequencies of a picture, the first one in the highest bit.

    The picture is turned grey (Rec. 601 weights), averaged to 32 x 32 whatever its aspect, and taken through a DCT-II.
    Signs are used rather than the more common comparison with the median: mirroring a picture then only inverts fixed
    bits, and a quarter turn exchanges some too, so that copies of that kind are found from the hash alone.

    Args:
        pixels: `h w c` with 1 or 3 channels, 0 to 255.
    """
    grey = pixels[..., 0] if pixels.shape[-1] == 1 else pixels @ np.array([0.299, 0.587, 0.114])
    small = _averaging(grey.shape[0]) @ grey @ _averaging(grey.shape[1]).T
    spectrum = _dct() @ small @ _dct().T
    # Frequencies that are absent must not be decided by rounding errors.
    bits = [int(spectrum[u, v] > 1e-6) for u, v in _FREQUENCIES]
    return int("".join(map(str, bits)), 2)


def duplicate_groups(fingerprints: Sequence[Fingerprint], max_bits: int) -> list[list[int]]:
    """All indices in groups of copies; most groups have one member.

    Two pictures are copies if their perceptual hashes differ in at most `max_bits` of every 64 bits on average, and of
    the first 64, one of them mirrored or turned by quarter turns if need be; equal files have equal hashes. (The first
    64 alone, the usual choice, take objects of one outline on white for the same.) Copies of copies are in the same
    group.
    """
    unique = sorted({f.phash for f in fingerprints})
    parents = list(range(len(unique)))

    def root(node: int) -> int:
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    for first, second in _near_pairs(unique, max_bits):
        parents[root(second)] = root(first)

    groups: dict[int, list[int]] = defaultdict(list)
    position = {phash: index for index, phash in enumerate(unique)}
    for index, mark in enumerate(fingerprints):
        groups[root(position[mark.phash])].append(index)
    return sorted(groups.values())


def make_split(items: Sequence[Item], fingerprints: Sequence[Fingerprint], spec: SplitSpec) -> Split:
    """Divide a set; the same pictures give the same split whatever they are called and in whatever order they come.

    Groups of copies stay together. What folders say (`Item.split`) is kept; a side that they leave out is taken from
    their training pictures. With three groups or more, no side with a fraction above 0 is empty. Two domains are
    divided each for itself, or together where copies reach from one to the other.
    """
    groups = duplicate_groups(fingerprints, spec.near_duplicates)
    groups.sort(key=lambda group: _rank(fingerprints[i].sha256 for i in group))
    domains = sorted({item.domain or "" for item in items})
    shared = [group for group in groups if len({items[i].domain for i in group}) > 1]
    if shared or len(domains) < 2:
        split = _divided(items, fingerprints, groups, domains, spec)
        return replace(split, notes=(_shared_note(items, shared), *split.notes)) if shared else split
    parts = [
        _divided(items, fingerprints, [group for group in groups if (items[group[0]].domain or "") == one], [one], spec)
        for one in domains
    ]
    return Split(
        train=tuple(name for part in parts for name in part.train),
        validation=tuple(name for part in parts for name in part.validation),
        test=tuple(name for part in parts for name in part.test),
        groups=tuple(group for part in parts for group in part.groups),
        digest=_digest([part.digest for part in parts]),
        notes=tuple(note for part in parts for note in part.notes),
    )


def _divided(
    items: Sequence[Item],
    fingerprints: Sequence[Fingerprint],
    groups: list[list[int]],
    domains: Sequence[str],
    spec: SplitSpec,
) -> Split:
    """Divide the items that are in the groups, which come in the order in which they are held out."""
    members = {one: [i for group in groups for i in group if (items[i].domain or "") == one] for one in domains}
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

    def size(group: list[int], domain: str) -> int:
        return sum((items[i].domain or "") == domain for i in group)

    wanted = {
        one: [s for s in HELD_OUT if getattr(spec, s) > 0 and not any(items[i].split == s for i in members[one])]
        for one in domains
    }
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
            if missing > 0:
                chosen = _taken(free, [size(group, one) for group in free], missing, spare)
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
                [name, sorted(fingerprints[i].sha256 for i in indices if (items[i].domain or "") == one)]
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


def _shared_note(items: Sequence[Item], groups: list[list[int]]) -> str:
    example = min(tuple(sorted(items[i].name for i in group)) for group in groups)
    return (
        f"the domains share pictures, so they are divided together: {len(groups)} group{'s' * (len(groups) > 1)} of "
        f"copies or near copies in both, as {', '.join(example[:4])}{', ...' if len(example) > 4 else ''}"
    )


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


def _near_pairs(hashes: Sequence[int], max_bits: int) -> Iterable[tuple[int, int]]:
    """Pairs of indices of near hashes, in any of the eight orientations of the second picture.

    The first 64 bits are compared in blocks of all pairs, the others only for pairs that are near in these.
    """
    size = len(_FREQUENCIES) // 8
    packed = np.frombuffer(b"".join(h.to_bytes(size, "big") for h in hashes), dtype=np.uint8).reshape(-1, size)
    bits = np.unpackbits(packed, axis=1)
    words = _words(bits)
    rows = max(1, _PAIRS // max(1, len(hashes)))
    for turned in _orientations(bits):
        others = _words(turned)
        for start in range(0, len(hashes), rows):
            near = np.bitwise_count(words[0, start : start + rows, None] ^ others[0, start:]) <= max_bits
            first, second = start + np.stack(np.divmod(np.flatnonzero(near), near.shape[1]))
            differing = np.bitwise_count(words[:, first] ^ others[:, second]).sum(axis=0)
            close = (first < second) & (differing <= max_bits * len(words))
            yield from zip(first[close].tolist(), second[close].tolist(), strict=True)


def _orientations(bits: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Hashes, a bit an element, of pictures mirrored and turned in all ways that keep their axes."""
    odd = np.array(_FREQUENCIES) % 2  # a mirrored axis changes the sign of its odd frequencies
    exchange = [_FREQUENCIES.index((v, u)) for u, v in _FREQUENCIES]
    for turned in (bits, bits[:, exchange]):
        for vertical in (0, 1):
            for horizontal in (0, 1):
                yield turned ^ (vertical * odd[:, 0] ^ horizontal * odd[:, 1]).astype(np.uint8)


def _words(bits: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hashes `n 256` as `4 n`: the first 64 bits of all, the next ones, and so on."""
    return np.ascontiguousarray(np.ascontiguousarray(np.packbits(bits, axis=1)).view(np.uint64).T)


@cache
def _dct() -> NDArray[np.float64]:
    """Orthonormal DCT-II matrix."""
    k = np.arange(_SIDE)
    matrix = np.cos(np.pi * (2 * k[None, :] + 1) * k[:, None] / (2 * _SIDE)) * np.sqrt(2 / _SIDE)
    matrix[0] /= np.sqrt(2)
    return matrix


def _averaging(length: int) -> NDArray[np.float64]:
    """Matrix that averages `length` samples to `_SIDE` ones, exact for lengths that are no multiples."""
    edges = np.linspace(0, length, _SIDE + 1)
    pixel = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return np.clip(overlap, 0, None) * (_SIDE / length)
