"""Made fingerprints: perceptual hashes that are far apart or near each other."""

from __future__ import annotations

import numpy as np

from tintype.data.fingerprint import Fingerprint

rng = np.random.default_rng(7)
FAR = [int.from_bytes(rng.bytes(32)) for _ in range(5)]
"""Hashes that are no copies of each other."""


def prints_of(hashes):
    return [Fingerprint(f"{i:04x}", phash) for i, phash in enumerate(hashes)]


def random_prints(count, seed=0):
    """Fingerprints with hashes so far apart that no two are copies."""
    rng = np.random.default_rng(seed)
    return [Fingerprint(rng.bytes(32).hex(), int.from_bytes(rng.bytes(32))) for _ in range(count)]
