"""Finding and pairing pictures: contract."""

from __future__ import annotations

import pytest

from tintype.data.paths import bundled_folder
from tintype.data.source import find_items
from tintype.errors import DataError, UsageError
from tintype.recipe.data import ColourData, FoldersData, LabelledData, SideBySideData, UnpairedData


def touch(root, *names):
    """Files that have the right name; finding never opens one."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return str(root)


def splits(items):
    return {item.name: item.split for item in items}


def test_colour_pictures_are_found_in_subfolders_in_order_of_name(tmp_path):
    path = touch(tmp_path, "b.png", "sub/a.JPG", "a.tif", "notes.txt", ".hidden/c.png")
    items = find_items(ColourData(path=path))
    assert [item.name for item in items] == ["a.tif", "b.png", "sub/a.JPG"]
    assert all(item.source is None and item.half is None and item.split is None for item in items)


@pytest.mark.parametrize("kind", [ColourData, SideBySideData])
def test_split_folders_give_the_split(tmp_path, kind):
    path = touch(
        tmp_path, "train/a.png", "train/deep/b.png", "val/c.png", "validation/d.png", "valid/e.png", "test/f.png"
    )
    assert splits(find_items(kind(path=path))) == {
        "train/a.png": "train",
        "train/deep/b.png": "train",
        "val/c.png": "validation",
        "validation/d.png": "validation",
        "valid/e.png": "validation",
        "test/f.png": "test",
    }


def test_a_folder_called_test_without_train_beside_it_is_only_a_name(tmp_path):
    path = touch(tmp_path, "test/a.png", "cats/b.png")
    assert set(splits(find_items(ColourData(path=path))).values()) == {None}


def test_pictures_outside_the_split_folders_are_an_error_that_names_them(tmp_path):
    path = touch(tmp_path, "train/a.png", "test/b.png", "lost.png", "other/c.png")
    with pytest.raises(DataError, match=r"2 pictures lie outside .*: lost\.png, other/c\.png; move") as error:
        find_items(ColourData(path=path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("direction", "source"), [("ab", "A"), ("ba", "B")])
def test_pairs_have_one_relative_path_and_any_suffix(tmp_path, direction, source):
    path = touch(tmp_path, "A/x.jpg", "A/sub/y.jpg", "B/x.png", "B/sub/y.tif")
    items = find_items(FoldersData(path=path, direction=direction))
    assert [item.name for item in items] == ["sub/y.jpg", "x.jpg"]
    for item in items:
        assert item.source.relative_to(tmp_path).parts[0] == source
        assert item.target.relative_to(tmp_path).parts[0] != source
        assert item.source.stem == item.target.stem


def test_pairs_may_lie_in_two_folders_of_any_name(tmp_path):
    touch(tmp_path, "old/x.png", "new/x.png")
    (item,) = find_items(FoldersData(path=str(tmp_path / "old"), path_b=str(tmp_path / "new")))
    assert (item.source, item.target) == (tmp_path / "old/x.png", tmp_path / "new/x.png")


def test_pairs_take_their_split_from_folders(tmp_path):
    path = touch(tmp_path, "A/train/x.png", "B/train/x.png", "A/test/y.png", "B/test/y.png")
    assert splits(find_items(FoldersData(path=path))) == {"train/x.png": "train", "test/y.png": "test"}


def test_pictures_without_partner_are_an_error_that_names_the_first_few(tmp_path):
    path = touch(tmp_path, "A/x.png", "B/x.png", "B/z.png", *(f"A/lonely{i}.png" for i in range(4)))
    with pytest.raises(DataError, match=r"5 pictures .*: A/lonely0\.png, A/lonely1\.png, A/lonely2\.png, \.\.\.; add"):
        find_items(FoldersData(path=path))


def test_folders_without_any_pair_are_an_error(tmp_path):
    with pytest.raises(DataError, match="no two of the 2 pictures pair up"):
        find_items(FoldersData(path=touch(tmp_path, "A/x.png", "B/y.png")))


def test_two_pictures_that_claim_one_partner_are_an_error(tmp_path):
    with pytest.raises(DataError, match=r"x\.jpg and x\.png claim the same partner"):
        find_items(FoldersData(path=touch(tmp_path, "A/x.png", "A/x.jpg", "B/x.png")))


def test_a_missing_half_of_the_folders_is_named(tmp_path):
    with pytest.raises(DataError, match="no folder B/ in it"):
        find_items(FoldersData(path=touch(tmp_path, "A/x.png")))


def test_side_by_side_files_say_which_half_is_the_source(tmp_path):
    (item,) = find_items(SideBySideData(path=touch(tmp_path, "x.png"), direction="ba"))
    assert (item.half, item.source) == ("ba", None)


def test_an_empty_path_is_wrong_usage_and_shows_the_command():
    with pytest.raises(UsageError, match=r"data\.path is empty: .*tintype train RECIPE data\.path=FOLDER"):
        find_items(ColourData())


def test_unusable_folders_are_told_apart(tmp_path):
    touch(tmp_path, "texts/a.txt", "texts/b.md", "file.png")
    (tmp_path / "empty").mkdir()
    for name, message in {
        "missing": "no such folder",
        "file.png": "is a file",
        "empty": "holds no files",
        "texts": "none of its 2 files is a picture",
    }.items():
        with pytest.raises(DataError, match=message) as error:
            find_items(ColourData(path=str(tmp_path / name)))
        assert name in str(error.value)


def test_the_bundled_set_is_found_and_an_unknown_one_is_not():
    items = find_items(ColourData(path="bundled:hubble"))
    assert len(items) == 109
    assert all(item.target.parent == bundled_folder("hubble") for item in items)
    with pytest.raises(UsageError, match=r"bundled:atlantis .* there is bundled:hubble"):
        find_items(ColourData(path="bundled:atlantis"))


# --- two domains without partners ------------------------------------------------------------------------------------


def domains(items):
    return {item.name: (item.domain, item.split) for item in items}


def test_folders_of_domain_and_split_may_hold_different_numbers_and_have_others_beside_them(tmp_path):
    path = touch(
        tmp_path,
        "trainA/x.png",
        "trainA/deep/y.png",
        "trainB/x.png",
        "testA/z.png",
        "valB/w.png",
        "notes/v.png",
        "u.png",
    )
    items = find_items(UnpairedData(path=path))
    assert domains(items) == {
        "A/testA/z.png": ("A", "test"),
        "A/trainA/deep/y.png": ("A", "train"),
        "A/trainA/x.png": ("A", "train"),
        "B/trainB/x.png": ("B", "train"),
        "B/valB/w.png": ("B", "validation"),
    }
    assert [item.name for item in items] == sorted(domains(items))
    assert all(item.source is None and item.half is None for item in items)
    assert items[0].target == tmp_path / "testA/z.png"


def test_two_folders_of_domains_may_name_splits_of_their_own(tmp_path):
    path = touch(tmp_path, "A/x.png", "B/train/x.png", "B/test/y.png", "C/z.png")
    assert domains(find_items(UnpairedData(path=path))) == {
        "A/x.png": ("A", None),
        "B/train/x.png": ("B", "train"),
        "B/test/y.png": ("B", "test"),
    }


def test_the_domains_may_lie_in_two_folders_of_any_name(tmp_path):
    touch(tmp_path, "horses/x.png", "zebras/x.png", "zebras/y.png")
    items = find_items(UnpairedData(path=str(tmp_path / "horses"), path_b=str(tmp_path / "zebras")))
    assert domains(items) == {"A/x.png": ("A", None), "B/x.png": ("B", None), "B/y.png": ("B", None)}
    assert [item.target for item in items] == [
        tmp_path / name for name in ("horses/x.png", "zebras/x.png", "zebras/y.png")
    ]


@pytest.mark.parametrize(
    ("files", "path_b", "message"),
    [
        (["trainA/x.png"], "", "neither trainA/? and trainB/? nor A/? and B"),
        (["A/x.png"], "", "neither trainA/? and trainB/? nor A/? and B"),
        (["x.png"], "", "neither trainA/? and trainB/? nor A/? and B"),
        (["A/x.png", "B/notes.txt"], "", "B: none of its 1 files is a picture"),
        (["trainA/x.png", "trainB/notes.txt"], "", "trainB: none of its 1 files is a picture"),
        (["x.png"], "gone", r"gone: no such folder; data\.path_b must name"),
    ],
)
def test_a_domain_that_is_missing_or_empty_is_named_in_one_line(tmp_path, files, path_b, message):
    spec = UnpairedData(path=touch(tmp_path, *files), path_b=path_b and str(tmp_path / path_b))
    with pytest.raises(DataError, match=message) as error:
        find_items(spec)
    assert "\n" not in str(error.value)


def test_folders_of_a_domain_beside_those_with_a_split_are_not_taken(tmp_path):
    path = touch(tmp_path, "trainA/x.png", "trainB/x.png", "A/y.png", "B/y.png", "testB/z.png")
    assert set(domains(find_items(UnpairedData(path=path)))) == {"A/trainA/x.png", "B/trainB/x.png", "B/testB/z.png"}


@pytest.mark.parametrize("files", [["trainA/x.png", "trainB/x.png"], ["A/x.png", "B/x.png"]])
@pytest.mark.parametrize("turned", [False, True])
def test_a_second_path_beside_one_that_has_two_domains_is_an_error(tmp_path, files, turned):
    paths = [touch(tmp_path / "both", *files), touch(tmp_path / "one", "x.png")]
    path, path_b = paths[::-1] if turned else paths
    with pytest.raises(DataError, match=r"both: has two domains of its own, .* leave out data\.path_b") as error:
        find_items(UnpairedData(path=path, path_b=path_b))
    assert "\n" not in str(error.value)


def labels(items):
    return {item.name: (item.label, item.split) for item in items}


def test_the_folder_of_a_picture_is_its_class(tmp_path):
    path = touch(tmp_path, "cat/a.png", "more/dog/b.jpg")
    assert labels(find_items(LabelledData(path=path))) == {"cat/a.png": ("cat", None), "more/dog/b.jpg": ("dog", None)}


def test_classes_may_lie_in_split_folders(tmp_path):
    path = touch(tmp_path, "train/cat/a.png", "test/cat/b.png")
    assert labels(find_items(LabelledData(path=path))) == {
        "train/cat/a.png": ("cat", "train"),
        "test/cat/b.png": ("cat", "test"),
    }


def test_a_name_up_to_its_last_underscore_is_the_class(tmp_path):
    path = touch(tmp_path, "sea_horse_001.jpg", "train_7_2.jpg", "x/cup_a.b.png")
    assert labels(find_items(LabelledData(path=path, label="name"))) == {
        "sea_horse_001.jpg": ("sea_horse", None),
        "train_7_2.jpg": ("train_7", None),
        "x/cup_a.b.png": ("cup", None),
    }


@pytest.mark.parametrize(
    ("label", "names", "message"),
    [
        (
            "folder",
            ("cat_1.png", "dog/2.png"),
            r"1 of 2 pictures lie in no folder of a class: cat_1\.png; .*label=name",
        ),
        ("folder", ("train/a.png", "train/cat/b.png"), r"1 of 2 pictures lie in no folder of a class: train/a\.png"),
        ("name", ("cat/1.png", "_2.png"), r"2 of 2 pictures are not called CLASS_something: _2\.png, .*label=folder"),
    ],
)
def test_a_picture_without_a_class_is_named(tmp_path, label, names, message):
    with pytest.raises(DataError, match=message):
        find_items(LabelledData(path=touch(tmp_path, *names), label=label))
