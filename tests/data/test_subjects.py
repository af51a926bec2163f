"""What is in the pictures of a colour set, as their folders say (`data.subject`)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from tests.conftest import make_picture

from tintype.console import Reporter
from tintype.data.dataset import PictureSet, open_data
from tintype.errors import DataError
from tintype.image.file import write_image
from tintype.recipe import load_recipe
from tintype.training import train

CPU = torch.device("cpu")
FOLDER = "data.subject=folder"


@pytest.fixture
def in_folders(tmp_path: Path) -> Path:
    """Cups, cats, and two pictures of which nobody said what they are; grey level 10 x its number."""
    names = [f"cat/{i}.png" for i in range(6)] + [f"things/cup/{i}.png" for i in range(6, 12)] + ["12.png", "13.png"]
    for number, name in enumerate(names):
        file = tmp_path / "set" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_image(file, make_picture(number))
    return tmp_path / "set"


def open_set(path: Path, *overrides: str) -> PictureSet:
    return open_data(load_recipe("tiny", [f"data.path={path}", *overrides]))


def test_a_batch_says_what_is_in_each_of_its_pictures(in_folders: Path) -> None:
    data = open_set(in_folders, FOLDER, "training.batch_size=14", "data.augment.flip=false")
    assert data.subjects == ("cat", "cup")
    numbers = data._sampler.numbers(2, (0, 1))
    expected = [{"cat": 0, "thi": 1}.get(data.cache.names[number][:3], -1) for number in numbers]
    assert data.subjects_of(2, CPU).tolist() == expected
    shares = [data.subjects_of(2, CPU, (part, 2)).tolist() for part in range(2)]
    assert shares[0] + shares[1] == expected
    for source, number in zip(data.batch(2, CPU)[0], numbers, strict=True):
        whole = data.cache.target(int(number)).mean() / 255
        assert (source.mean() + 1) / 2 == pytest.approx(whole, abs=0.15)


def test_it_changes_nothing_about_the_split(in_folders: Path) -> None:
    assert open_set(in_folders, FOLDER).split == open_set(in_folders).split


def test_nobody_says_it_unless_asked(in_folders: Path) -> None:
    data = open_set(in_folders)
    assert data.subjects == ()
    assert data.subjects_of(0, CPU) is None


def test_a_folder_of_a_split_says_nothing_by_itself(in_folders: Path, tmp_path: Path) -> None:
    for side in ("train", "val", "test"):
        shutil.copytree(in_folders, tmp_path / "divided" / side)
    assert open_set(tmp_path / "divided", FOLDER).subjects == ("cat", "cup")


def test_of_further_pictures_it_is_not_known(in_folders: Path, tmp_path: Path) -> None:
    for number in range(4):
        file = tmp_path / "further" / "dog" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_image(file, make_picture(500 + number))
    data = open_set(in_folders, FOLDER, f"data.more={tmp_path / 'further'}")
    assert data.subjects == ("cat", "cup")
    assert data.subjects_of(0, CPU)[2:].tolist() == [-1, -1]


def test_another_number_of_classes_than_the_recipes_is_refused(in_folders: Path) -> None:
    with pytest.raises(DataError, match=r"of 2 classes, the recipe is for 5: set method\.classes=2"):
        open_set(in_folders, FOLDER, "method.classes=5")


def test_a_run_learns_them(in_folders: Path, tmp_path: Path) -> None:
    told = [f"data.path={in_folders}", FOLDER, "method.classes=2", "method.colourfulness=0.5"]
    whole = load_recipe("tiny", [*told, "training.steps=8", "training.checkpoint_every=4", "training.sample_every=8"])
    train(whole, tmp_path / "run", reporter=Reporter(quiet=True))
    events = (tmp_path / "run" / "events.jsonl").read_text()
    assert '"g/class"' in events
    assert '"g/colourfulness"' in events
