"""What a picture is known by: a hash of its bytes, and a perceptual hash that finds copies and near copies of it.

Copies are found at another size, depth, format or brightness, mirrored, or turned by quarter turns; not crops, other
fields of view and rotations by odd angles.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype.data.arrays import read_entry
from tintype.data.source import Item
from tintype.image.file import read_thumbnail
from tintype.image.resize import resize

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


def _near_pairs(hashes: Sequence[int], max_bits: int) -> Iterator[tuple[int, int]]:
    """Pairs of indices of near hashes, in any of the eight orientations of the second picture.

    The first 64 bits are compared in blocks of all pairs, the others only for pairs that are near in these.
    """
    size = len(_FREQUENCIES) // 8
    packed = np.frombuffer(b"".join(h.to_bytes(size, "big") for h in hashes), dtype=np.uint8).reshape(-1, size)
    bits = np.unpackbits(packed, axis=1)
    if max_bits == 0:  # equal ones are found without comparing all with all, which takes a minute for 70,000
        yield from _equal_pairs(packed, bits)
        return
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


def _equal_pairs(packed: NDArray[np.uint8], bits: NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    """Pairs of indices of hashes that are equal in some orientation of the second picture."""
    known = {row.tobytes(): index for index, row in enumerate(packed)}
    for turned in _orientations(bits):
        for second, row in enumerate(np.packbits(turned, axis=1)):
            first = known.get(row.tobytes())
            if first is not None and first < second:
                yield first, second


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
