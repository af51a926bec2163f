"""The split: contract and properties."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.prints import FAR, random_prints

from tintype.data.fingerprint import Fingerprint, duplicate_groups
from tintype.data.source import Item
from tintype.data.split import Split, make_split
from tintype.recipe.data import SplitSpec

NEAR = [0, *(1 << i for i in (255, 254, 200, 120, 60, 10))]
"""Hashes that differ in a bit or two."""


def items_of(count, split=None):
    return [Item(f"{i:03}.png", target=None, split=split) for i in range(count)]


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


@given(SETS, st.integers(2, 6))
def test_each_picture_is_tested_in_exactly_one_fold_and_its_copies_with_it(pictures, folds):
    prints = [Fingerprint(content.hex(), phash) for content, phash in pictures]
    items = items_of(len(prints))
    specs = [SplitSpec(folds=folds, fold=fold, near_duplicates=3) for fold in range(folds)]
    splits = [make_split(items, prints, spec) for spec in specs]
    tested = Counter(name for split in splits for name in split.test)
    assert set(tested.values()) <= {1}
    for split in splits:
        assert not {*split.train, *split.validation} & {*split.test}
        assert all(len({name in split.test for name in group}) == 1 for group in split.groups)


def test_folds_are_of_one_size_and_cover_the_set():
    splits = [make_split(items_of(109), random_prints(109), SplitSpec(folds=5, fold=fold)) for fold in range(5)]
    assert sorted(len(split.test) for split in splits) == [21, 22, 22, 22, 22]
    assert len({name for split in splits for name in split.test}) == 109
    assert len({split.digest for split in splits}) == 5
    assert {len(split.validation) for split in splits} == {16}


def test_test_pictures_that_folders_name_are_not_dealt_into_folds():
    items = items_of(30, "train")[:25] + items_of(30, "test")[25:]
    splits = [make_split(items, random_prints(30), SplitSpec(folds=3, fold=fold)) for fold in (0, 1)]
    assert splits[0].test == splits[1].test and len(splits[0].test) == 5
    assert splits[0].notes[0] == "the folders name the test pictures, so data.split.folds has no effect"


def test_copies_in_two_classes_stay_on_one_side_and_every_class_keeps_its_share():
    items = [replace(item, label="ab"[number % 2]) for number, item in enumerate(items_of(40))]
    prints = random_prints(40)
    prints[1] = replace(prints[1], phash=prints[0].phash)
    split = make_split(items, prints, SplitSpec(validation=0.2, test=0.2, near_duplicates=0))
    assert len(split.groups) == 1
    assert any("the classes share pictures" in note and "more than one" in note for note in split.notes)
    sides = [split.train, split.validation, split.test]
    assert any(set(split.groups[0]) <= set(side) for side in sides)
    label = {item.name: item.label for item in items}
    for side, wanted in zip(sides, (12, 4, 4), strict=True):
        assert all(abs(sum(label[name] == one for name in side) - wanted) <= 1 for one in "ab")
