"""Finding and pairing pictures: contract."""

from __future__ import annotations

import pytest

from tintype.data.source import bundled_folder, find_items
from tintype.errors import DataError, UsageError
from tintype.recipe.schema import ColourData, FoldersData, SideBySideData


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
