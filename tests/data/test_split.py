"""Copies and the split: contract, properties and the bundled pictures."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance
from scipy.fft import dctn

from tintype.data.source import Item, bundled_folder
from tintype.data.split import Fingerprint, Split, duplicate_groups, fingerprint, make_split, perceptual_hash
from tintype.recipe.schema import SplitSpec

rng = np.random.default_rng(7)
FAR = [int.from_bytes(rng.bytes(32)) for _ in range(5)]
"""Hashes that are no copies of each other."""
NEAR = [0, *(1 << i for i in (255, 254, 200, 120, 60, 10))]
"""Hashes that differ in a bit or two."""


def items_of(count, split=None):
    return [Item(f"{i:03}.png", target=None, split=split) for i in range(count)]


def prints_of(hashes):
    return [Fingerprint(f"{i:04x}", phash) for i, phash in enumerate(hashes)]


def random_prints(count, seed=0):
    """Fingerprints with hashes so far apart that no two are copies."""
    rng = np.random.default_rng(seed)
    return [Fingerprint(rng.bytes(32).hex(), int.from_bytes(rng.bytes(32))) for _ in range(count)]


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


# --- split -----------------------------------------------------------------------------------------------------------

SETS = st.lists(
    st.tuples(st.binary(min_size=4, max_size=4), st.sampled_from([*FAR, *NEAR])),
    min_size=1,
    max_size=40,
    unique_by=lambda pair: pair[0],
)
SPECS = st.builds(
    SplitSpec,
    validation=st.floats(0, 0.49),
    test=st.floats(0, 0.49),
    near_duplicates=st.integers(0, 3),
)


@given(SETS, SPECS)
def test_every_picture_is_on_exactly_one_side(pictures, spec):
    prints = [Fingerprint(sha.hex(), phash) for sha, phash in pictures]
    split = make_split(items_of(len(prints)), prints, spec)
    assert Counter(split.train + split.validation + split.test) == Counter(item.name for item in items_of(len(prints)))


@given(SETS, SPECS)
def test_near_duplicates_stay_on_one_side_of_the_split(pictures, spec):
    prints = [Fingerprint(sha.hex(), phash) for sha, phash in pictures]
    items = items_of(len(prints))
    split = make_split(items, prints, spec)
    side = {name: which for which in ("train", "validation", "test") for name in getattr(split, which)}
    for group in duplicate_groups(prints, spec.near_duplicates):
        assert len({side[items[i].name] for i in group}) == 1
    assert all(len({side[name] for name in group}) == 1 and len(group) > 1 for group in split.groups)


@given(SETS, SPECS)
def test_no_side_that_was_asked_for_is_empty_with_three_groups(pictures, spec):
    prints = [Fingerprint(sha.hex(), phash) for sha, phash in pictures]
    split = make_split(items_of(len(prints)), prints, spec)
    assert split.train
    if len(duplicate_groups(prints, spec.near_duplicates)) >= 3:
        assert bool(split.validation) == (spec.validation > 0)
        assert bool(split.test) == (spec.test > 0)


@given(SETS, SPECS, st.randoms(use_true_random=False))
def test_names_and_order_do_not_matter(pictures, spec, random):
    prints = [Fingerprint(sha.hex(), phash) for sha, phash in pictures]
    items = items_of(len(prints))
    shuffled = list(range(len(prints)))
    random.shuffle(shuffled)
    first = make_split(items, prints, spec)
    second = make_split(items, [prints[i] for i in shuffled], spec)  # the same contents under other names

    def contents(split, prints):
        known = {item.name: f.sha256 for item, f in zip(items, prints, strict=True)}
        return [[known[name] for name in getattr(split, side)] for side in ("train", "validation", "test")]

    assert contents(first, prints) == contents(second, [prints[i] for i in shuffled])
    assert first.digest == second.digest


def test_fractions_are_met_when_there_are_no_copies():
    split = make_split(items_of(200), random_prints(200), SplitSpec(validation=0.15, test=0.2))
    assert [len(side) for side in (split.train, split.validation, split.test)] == [130, 30, 40]
    assert split.notes == () and split.groups == ()


def test_a_group_that_is_much_too_large_for_a_side_stays_in_training():
    prints = random_prints(40)
    prints = [Fingerprint(f.sha256, 0) if i < 25 else f for i, f in enumerate(prints)]
    split = make_split(items_of(40), prints, SplitSpec(validation=0.1, test=0.1))
    assert {f"{i:03}.png" for i in range(25)} <= set(split.train)
    assert (len(split.validation), len(split.test)) == (4, 4)
    assert "25 of 40 pictures are so alike" in split.notes[0]


def test_the_digest_changes_with_content_and_with_sides():
    prints, items = random_prints(10), items_of(10)
    digest = make_split(items, prints, SplitSpec()).digest
    assert digest != make_split(items, [*prints[:-1], *random_prints(1, seed=1)], SplitSpec()).digest
    assert digest != make_split(items, prints, SplitSpec(test=0.4)).digest
    assert len(digest) == 16 and int(digest, 16)


def test_given_folders_win():
    items = items_of(6, "train")[:3] + items_of(6, "validation")[3:4] + items_of(6, "test")[4:]
    split = make_split(items, random_prints(6), SplitSpec())
    assert set(split.train) == {"000.png", "001.png", "002.png"}
    assert (split.validation, set(split.test)) == (("003.png",), {"004.png", "005.png"})
    assert split.notes == ()


@pytest.mark.parametrize(("named", "missing"), [("test", "validation"), ("validation", "test")])
def test_a_side_that_folders_leave_out_is_taken_from_their_training_pictures(named, missing):
    items = items_of(25, "train")[:20] + items_of(25, named)[20:]
    split = make_split(items, random_prints(25), SplitSpec(validation=0.2, test=0.2))
    assert len(getattr(split, named)) == 5
    assert len(getattr(split, missing)) == 4 and len(split.train) == 16
    assert split.notes == (f"the folders name no {missing} pictures: 4 of train/ are kept for it",)


def test_copies_across_given_folders_are_said_and_stay_where_they_are():
    items = items_of(9, "train")[:7] + items_of(9, "validation")[7:8] + items_of(9, "test")[8:]
    prints = random_prints(8)
    split = make_split(items, [*prints, Fingerprint("ff", prints[0].phash ^ 1)], SplitSpec())
    assert "000.png" in split.train and split.test == ("008.png",)
    assert split.notes == (
        "1 group of copies or near copies lies in more than one split folder, so scores may flatter: 000.png, 008.png",
    )


def test_a_set_too_small_to_split_says_so():
    split = make_split(items_of(2), random_prints(2), SplitSpec())
    assert (len(split.train), len(split.validation), len(split.test)) == (1, 1, 0)
    assert split.notes == ("no test pictures: the set is too small to keep any from training",)


def test_a_split_survives_json():
    prints = random_prints(12)
    prints[3] = Fingerprint("ab", prints[4].phash)
    split = make_split(items_of(12), prints, SplitSpec())
    assert split.groups
    assert Split.from_dict(json.loads(json.dumps(split.to_dict()))) == split


# --- two domains -----------------------------------------------------------------------------------------------------


def domain_items(count_a, count_b):
    return [
        Item(f"{domain}/{i:03}.png", None, domain=domain)
        for domain, n in (("A", count_a), ("B", count_b))
        for i in range(n)
    ]


@given(st.integers(3, 30), st.integers(3, 30), SPECS)
def test_two_domains_are_divided_each_as_if_it_were_alone(count_a, count_b, spec):
    items, prints = domain_items(count_a, count_b), random_prints(count_a + count_b)
    split = make_split(items, prints, spec)
    for domain, part in (("A", slice(count_a)), ("B", slice(count_a, None))):
        alone = make_split(items[part], prints[part], spec)
        for side in ("train", "validation", "test"):
            assert tuple(name for name in getattr(split, side) if name.startswith(domain)) == getattr(alone, side)


def test_the_digest_of_two_domains_changes_with_each_and_when_they_change_places():
    items, prints = domain_items(5, 5), random_prints(11)
    digests = {
        make_split(items, chosen, SplitSpec()).digest
        for chosen in (prints[:10], prints[1:], [*prints[:9], prints[10]], prints[5:10] + prints[:5])
    }
    assert len(digests) == 4


def test_notes_name_their_domain():
    split = make_split(domain_items(12, 1), random_prints(13), SplitSpec())
    assert split.notes == (
        "B: no test pictures: the set is too small to keep any from training",
        "B: no validation pictures: the set is too small to keep any from training",
    )


def test_folders_of_one_domain_leave_the_other_one_to_be_divided():
    items = [
        Item(f"A/{i}.png", None, split=side, domain="A")
        for i, side in enumerate(["train", "train", "validation", "test"])
    ]
    split = make_split(items + domain_items(0, 20), random_prints(24), SplitSpec(validation=0.1, test=0.1))
    sizes = [Counter(name[0] for name in side) for side in (split.train, split.validation, split.test)]
    assert sizes == [{"A": 2, "B": 16}, {"A": 1, "B": 2}, {"A": 1, "B": 2}]


def with_shared(prints, count, start):
    """The same prints, but that `count` pictures from `start` on look like the first ones."""
    changed = [Fingerprint(prints[start + i].sha256, prints[i].phash) for i in range(count)]
    return prints[:start] + changed + prints[start + count :]


@given(st.integers(2, 25), st.integers(2, 25), st.data(), SPECS)
def test_copies_across_domains_stay_on_one_side_and_both_domains_are_trained(count_a, count_b, data, spec):
    shared = data.draw(st.integers(1, min(count_a, count_b)))
    items = domain_items(count_a, count_b)
    split = make_split(items, with_shared(random_prints(count_a + count_b), shared, count_a), spec)
    side_of = {name: side for side in ("train", "validation", "test") for name in getattr(split, side)}
    assert len(side_of) == count_a + count_b
    assert all(side_of[f"A/{i:03}.png"] == side_of[f"B/{i:03}.png"] for i in range(shared))
    assert {name[0] for name in split.train} == {"A", "B"}
    assert split.notes[0].startswith("the domains share pictures, so they are divided together")


def test_domains_that_share_pictures_are_held_out_each_in_its_share():
    split = make_split(domain_items(20, 60), with_shared(random_prints(80), 10, 20), SplitSpec())
    sizes = [Counter(name[0] for name in side) for side in (split.train, split.validation, split.test)]
    assert sizes[1]["A"] in (3, 4, 5, 6) and sizes[2]["A"] in (4, 5, 6)
    assert sizes[1]["B"] in (9, 10) and sizes[2]["B"] in (12, 13)


def test_copies_of_a_picture_in_a_test_folder_are_not_trained_on_in_the_other_domain():
    sides = ["train", "train", "train", "validation", "test"]
    items = [Item(f"A/{i:03}.png", None, split=side, domain="A") for i, side in enumerate(sides)]
    split = make_split(items + domain_items(0, 20), with_shared(random_prints(25), 5, 5), SplitSpec())
    assert [name for name in split.test if name[0] == "A"] == ["A/004.png"]
    assert "B/004.png" in split.test and "B/003.png" in split.validation
    assert {f"B/{i:03}.png" for i in range(3)} <= set(split.train)
    assert Counter(name[0] for name in split.test)["B"] == 4


def test_the_digest_of_domains_that_share_pictures_changes_when_they_change_places():
    prints = with_shared(random_prints(10), 2, 5)
    items = domain_items(5, 5)
    assert (
        make_split(items, prints, SplitSpec()).digest != make_split(items, prints[5:] + prints[:5], SplitSpec()).digest
    )
