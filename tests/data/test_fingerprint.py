"""What pictures are known by, and which of them are copies."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy.fft import dctn
from tests.data.prints import FAR, prints_of, random_prints

from tintype.data.fingerprint import duplicate_groups, fingerprint, perceptual_hash
from tintype.data.paths import bundled_folder


def bits(a, b):
    return (a ^ b).bit_count()


@pytest.fixture(scope="module")
def nebula():
    return Image.open(bundled_folder("hubble") / "heic0715a.jpg")


# --- perceptual hash -------------------------------------------------------------------------------------------------


def test_the_hash_holds_the_signs_of_a_dct():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 1), dtype=np.uint8)
    spectrum = dctn(pixels[..., 0].astype(float), norm="ortho")
    frequencies = sorted(
        ((u, v) for u in range(32) for v in range(32) if (u, v) != (0, 0)),
        key=lambda f: (f[0] ** 2 + f[1] ** 2, abs(f[0] - f[1]), f),
    )
    expected = "".join("1" if spectrum[f] > 0 else "0" for f in frequencies[:256])
    assert f"{perceptual_hash(pixels):0256b}" == expected


@pytest.mark.parametrize("value", [0, 37, 255])
def test_a_picture_without_structure_has_an_empty_hash(value):
    assert perceptual_hash(np.full((50, 71, 3), value, np.uint8)) == 0


def test_sizes_brightness_and_grey_hardly_change_the_hash(nebula):
    original = perceptual_hash(np.asarray(nebula))
    for changed in (
        nebula.resize((205, 128), Image.Resampling.LANCZOS),
        nebula.resize((820, 512), Image.Resampling.BICUBIC),
        ImageEnhance.Brightness(nebula).enhance(0.6),
        nebula.convert("L"),
    ):
        pixels = np.asarray(changed)
        assert bits(original, perceptual_hash(pixels if pixels.ndim == 3 else pixels[..., None])) <= 12


def test_a_copy_saved_again_has_the_same_hash_but_for_a_few_bits(nebula, tmp_path):
    nebula.save(tmp_path / "again.jpg", quality=30)
    first, second = fingerprint(bundled_folder("hubble") / "heic0715a.jpg"), fingerprint(tmp_path / "again.jpg")
    assert first.sha256 != second.sha256
    assert bits(first.phash, second.phash) <= 12


def test_the_fingerprint_of_a_pair_follows_both_files(nebula, tmp_path):
    for name, value in (("a.png", 1), ("b.png", 2), ("c.png", 3)):
        Image.new("RGB", (8, 8), (value,) * 3).save(tmp_path / name)
    one = fingerprint(tmp_path / "a.png", tmp_path / "b.png")
    other = fingerprint(tmp_path / "a.png", tmp_path / "c.png")
    assert one.sha256 != other.sha256
    assert one == fingerprint(tmp_path / "a.png", tmp_path / "b.png")


# --- groups ----------------------------------------------------------------------------------------------------------


def test_copies_of_copies_are_in_one_group():
    # three bits in every 64 from one to the next
    first, second = sum(0b111 << 64 * i for i in range(4)), sum(0b111111 << 64 * i for i in range(4))
    hashes = [FAR[0], FAR[3], FAR[0] ^ first, FAR[0] ^ second]
    assert duplicate_groups(prints_of(hashes), 3) == [[0, 2, 3], [1]]
    assert duplicate_groups(prints_of(hashes), 2) == [[0], [1], [2], [3]]


def test_pictures_that_are_alike_only_in_their_coarse_structure_are_no_copies():
    fine = FAR[0] ^ (FAR[1] & 2**192 - 1)  # the same first 64 bits
    assert duplicate_groups(prints_of([FAR[0], fine]), 6) == [[0], [1]]


@pytest.mark.parametrize(
    "turn",
    [
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.ROTATE_90,
        Image.Transpose.ROTATE_180,
        Image.Transpose.ROTATE_270,
        Image.Transpose.TRANSPOSE,
        Image.Transpose.TRANSVERSE,
    ],
)
def test_mirrored_and_turned_copies_are_found(nebula, turn):
    hashes = [perceptual_hash(np.asarray(picture)) for picture in (nebula, nebula.transpose(turn))]
    assert bits(*hashes) > 4 * 6, "found without turning: the test would prove nothing"
    assert duplicate_groups(prints_of(hashes), 2) == [[0, 1]]


def test_no_two_bundled_pictures_are_copies_and_a_planted_copy_is_found(nebula, tmp_path):
    files = sorted(bundled_folder("hubble").glob("*.jpg"))
    prints = [fingerprint(path) for path in files]
    assert all(len(group) == 1 for group in duplicate_groups(prints, 6))
    nebula.resize((300, 187)).save(tmp_path / "copy.webp", quality=60)
    groups = duplicate_groups([*prints, fingerprint(tmp_path / "copy.webp")], 6)
    names = [path.name for path in files]
    assert [group for group in groups if len(group) > 1] == [[names.index("heic0715a.jpg"), len(files)]]


def test_many_hashes_are_compared_in_blocks():
    # the copies of the first one lie in the last block
    hashes = [f.phash for f in random_prints(1000)]
    hashes[999] = hashes[0] ^ 0b11
    assert [group for group in duplicate_groups(prints_of(hashes), 2) if len(group) > 1] == [[0, 999]]
