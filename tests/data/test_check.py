"""What `tintype data check` finds: contract, and end to end on made folders."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from tintype.data.check import check_folder, draw_sheet, mean_chroma
from tintype.data.paths import bundled_folder
from tintype.errors import DataError, UsageError

HUBBLE = bundled_folder("hubble")


def save(path, value, size=(40, 30), mode="RGB"):
    """A picture of two flat halves, told apart from others by its value."""
    picture = Image.new("L", size, 255 - value)
    picture.paste(value, (0, 0, value % size[0], size[1]))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.convert(mode).save(path)


@pytest.fixture
def folder(tmp_path):
    """Real pictures with one of each thing that can be wrong."""
    root = tmp_path / "set"
    root.mkdir()
    for name in ("heic0715a.jpg", "heic0506a.jpg", "heic0411a.jpg"):
        shutil.copy(HUBBLE / name, root)
    shutil.copy(HUBBLE / "heic0715a.jpg", root / "same.jpg")
    Image.open(HUBBLE / "heic0506a.jpg").resize((300, 187)).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
        root / "mirrored.png"
    )
    Image.open(HUBBLE / "opo0036a.jpg").convert("L").save(root / "grey.tif")
    data = (HUBBLE / "heic0702a.jpg").read_bytes()
    (root / "cut.jpg").write_bytes(data[: len(data) // 2])
    (root / "notes.txt").write_text("")
    (root / "more.csv").write_text("")
    return root


def test_each_thing_that_can_be_wrong_is_found(folder):
    report = check_folder(folder)
    assert (report.kind, report.pictures, report.other_files, report.usable) == ("colour", 6, 2, False)
    ((name, reason),) = report.unreadable
    assert name == "cut.jpg" and "cut.jpg" in reason
    assert report.exact_duplicates == (("heic0715a.jpg", "same.jpg"),)
    assert report.near_duplicates == (("heic0506a.jpg", "mirrored.png"),)
    assert report.grey == ("grey.tif",)
    assert report.modes == {
        "jpeg, 3 channels, 8 bits": 4,
        "png, 3 channels, 8 bits": 1,
        "tiff, 1 channel, 8 bits": 1,
    }
    assert report.shorter_side == (187, 256, 256) and report.longer_side == (300, 410, 410)


def test_the_text_names_what_was_found_and_the_dict_is_json(folder):
    report = check_folder(str(folder))
    text = report.to_text()
    for expected in (
        "6 readable pictures",
        "cut.jpg",
        "heic0715a.jpg, same.jpg",
        "mirrored.png",
        "grey.tif",
        "other files, passed over: 2",
    ):
        assert expected in text
    data = json.loads(json.dumps(report.to_dict()))
    assert data["pictures"] == 6 and data["usable"] is False and data["folder"] == str(folder)
    assert "items" not in data


def test_a_clean_folder_is_usable_and_said_to_be(tmp_path):
    for name in ("heic0715a.jpg", "heic0506a.jpg"):
        (tmp_path / "train").mkdir(exist_ok=True)
        shutil.copy(HUBBLE / name, tmp_path / "train")
    report = check_folder(tmp_path)
    assert report.usable and report.splits == {"train": 2}
    assert report.to_text().splitlines()[-1] == "no unreadable pictures and no copies found"


def test_folders_a_and_b_are_recognised_and_lonely_pictures_are_all_listed(tmp_path):
    for name in ("A/x.png", "B/x.jpg", "A/lost.png", "B/deep/lost.png", "B/other.png"):
        save(tmp_path / name, 10 + len(name))
    save(tmp_path / "A/y.png", 30)
    save(tmp_path / "B/y.png", 33, size=(20, 15))
    report = check_folder(tmp_path)
    assert (report.kind, report.pictures, report.usable) == ("folders", 2, False)
    assert report.unpaired == ("A/lost.png", "B/deep/lost.png", "B/other.png")
    assert report.size_mismatches == ("y.png (source 40 x 30, target 20 x 15)",)
    assert "without a partner: 3" in report.to_text()


def test_side_by_side_is_looked_at_as_such_when_asked(tmp_path):
    picture = Image.new("RGB", (80, 40), "red")
    picture.paste("grey", (0, 0, 40, 40))
    picture.save(tmp_path / "x.png")
    assert check_folder(tmp_path, "side_by_side", direction="ab").grey == ()
    assert check_folder(tmp_path, "side_by_side", direction="ba").grey == ("x.png",)


def test_nothing_readable_is_a_report_and_no_sheet(tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    report = check_folder(tmp_path)
    assert report.pictures == 0 and not report.usable and "a.png" in report.to_text()
    with pytest.raises(DataError, match="no readable picture"):
        draw_sheet(report, tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()


def test_a_folder_without_pictures_is_an_error(tmp_path):
    with pytest.raises(DataError, match="holds no files"):
        check_folder(tmp_path)


def test_a_second_folder_for_a_layout_with_one_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match=r"data\.kind=colour has one"):
        check_folder(tmp_path, "colour", path_b=tmp_path)


def test_the_sheet_shows_sources_beside_targets(tmp_path):
    Image.new("RGB", (64, 64), (255, 0, 0)).save(tmp_path / "red.png")
    assert draw_sheet(check_folder(tmp_path), tmp_path / "sheet.png", grey="rec601") == 1
    sheet = np.asarray(Image.open(tmp_path / "sheet.png")).reshape(-1, 3)
    for colour in ((255, 0, 0), (76, 76, 76)):  # 0.299 * 255 = 76
        assert (sheet == colour).all(axis=1).sum() > 10_000


def test_a_large_set_is_shown_in_part(tmp_path):
    for i in range(50):
        save(tmp_path / f"set/{i:02}.png", 3 * i, size=(16, 16))
    report = check_folder(tmp_path / "set")
    assert report.pictures == 50
    assert draw_sheet(report, tmp_path / "sheet.png") == 48


def test_mean_chroma_agrees_with_scikit_image():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    lab = rgb2lab(pixels)
    assert mean_chroma(pixels) == pytest.approx(np.hypot(lab[..., 1], lab[..., 2]).mean(), rel=1e-3)


# --- two domains without partners ------------------------------------------------------------------------------------


def save_two_colours(root, folder_a, folder_b, count_a, count_b):
    for folder, count, colour in ((folder_a, count_a, (255, 0, 0)), (folder_b, count_b, (0, 0, 255))):
        (root / folder).mkdir(parents=True)
        for i in range(count):
            picture = Image.new("RGB", (64, 64), colour)
            picture.paste("white", (0, 0, 5 + 7 * i, 9 if colour[0] else 50))
            picture.save(root / folder / f"{folder[-1]}{i}.png")


@pytest.mark.parametrize(
    ("folders", "kind"), [(("trainA", "trainB"), None), (("A", "B"), None), (("A", "B"), "unpaired")]
)
def test_two_domains_are_recognised_counted_and_drawn_side_by_side(tmp_path, folders, kind):
    save_two_colours(tmp_path / "set", *folders, 3, 2)
    report = check_folder(tmp_path / "set", kind)
    assert (report.kind, report.domains, report.pictures, report.usable) == ("unpaired", {"A": 3, "B": 2}, 5, True)
    assert report.unpaired == () and "domains: A 3, B 2" in report.to_text()
    assert report.splits == ({"train": 5} if folders[0] == "trainA" else {})
    assert report.to_dict()["domains"] == {"A": 3, "B": 2}
    assert draw_sheet(report, tmp_path / "sheet.png") == 2
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    columns = [np.flatnonzero((sheet == colour).all(axis=2).any(axis=0)) for colour in ((255, 0, 0), (0, 0, 255))]
    assert columns[0].min() < columns[1].min() < columns[0].max() < columns[1].max()


def test_arrays_of_two_domains_are_recognised(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", trainA=pictures[:3], trainB=pictures[3:4], testB=pictures[4:])
    report = check_folder(tmp_path / "set.npz")
    assert (report.kind, report.domains, report.splits) == ("unpaired", {"A": 3, "B": 2}, {"train": 4, "test": 1})


def test_a_domain_without_a_readable_picture_is_not_usable_and_gives_no_sheet(tmp_path):
    save_two_colours(tmp_path, "trainA", "trainB", 2, 0)
    (tmp_path / "trainB" / "x.png").write_text("no picture")
    report = check_folder(tmp_path)
    assert report.domains == {"A": 2, "B": 0} and not report.usable
    with pytest.raises(DataError, match="no readable picture"):
        draw_sheet(report, tmp_path / "sheet.png")


def test_a_second_folder_is_a_second_domain_where_that_is_asked_for(tmp_path):
    save_two_colours(tmp_path, "reds-A", "blues-B", 2, 3)
    report = check_folder(tmp_path / "reds-A", "unpaired", path_b=tmp_path / "blues-B")
    assert report.domains == {"A": 2, "B": 3}


def test_folders_of_classes_are_counted_and_the_smallest_is_named(tmp_path):
    for label, count in (("lion", 3), ("ant", 1), ("bear", 2)):
        for number in range(count):
            save(tmp_path / label / f"{number}.png", 40 * number + 10 * len(label))
    report = check_folder(tmp_path, "labelled")
    assert (report.pictures, report.classes) == (6, {"ant": 1, "bear": 2, "lion": 3})
    assert "data.kind=labelled" in report.to_text()
    assert "classes: 3, of 1 pictures (ant) to 3, on average 2" in report.to_text()
    assert report.to_dict()["classes"]["lion"] == 3
    assert check_folder(tmp_path, "colour").classes == {}


def test_pictures_without_a_class_are_refused(tmp_path):
    save(tmp_path / "lost.png", 9)
    with pytest.raises(DataError, match=r"1 of 1 pictures lie in no folder of a class: lost\.png"):
        check_folder(tmp_path, "labelled")
