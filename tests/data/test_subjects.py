"""What is in the pictures of a colour set, as their folders say (`data.subject`)."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.conftest import make_picture
from tests.training.test_trainer import same

from tintype.console import Reporter
from tintype.data.dataset import PictureSet, open_data
from tintype.errors import DataError
from tintype.image.file import read_image, write_image
from tintype.recipe import load_recipe
from tintype.training import train
from tintype.training.checkpoint import load_checkpoint

CPU = torch.device("cpu")
FOLDER = "data.subject=folder"
LEVELS = {"cat": 0, "thi": 225}


@pytest.fixture
def in_folders(tmp_path: Path) -> Path:
    """Cats as dark as night, bright cups, and two pictures between of which nobody said what they are."""
    names = [f"cat/{i}.png" for i in range(6)] + [f"things/cup/{i}.png" for i in range(6, 12)] + ["12.png", "13.png"]
    for number, name in enumerate(names):
        file = tmp_path / "set" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_image(file, (make_picture(number) * 0.1 + LEVELS.get(name[:3], 115)).astype(np.uint8))
    return tmp_path / "set"


def open_set(path: Path, *overrides: str) -> PictureSet:
    return open_data(load_recipe("tiny", [f"data.path={path}", *overrides]))


def test_a_batch_says_what_is_in_each_of_its_pictures(in_folders: Path) -> None:
    data = open_set(in_folders, FOLDER, "training.batch_size=14", "data.split.validation=0", "data.split.test=0")
    assert data.subjects == ("cat", "cup")
    for step in range(3):
        told = data.subjects_of(step, CPU)
        lightness = (data.batch(step, CPU)[0].mean(dim=(1, 2, 3)) + 1) / 2
        expected = [0 if level < 0.3 else 1 if level > 0.8 else -1 for level in lightness.tolist()]
        assert told.tolist() == expected
        assert set(expected) == {-1, 0, 1}
        shares = [data.subjects_of(step, CPU, (part, 2)) for part in range(2)]
        assert torch.cat(shares).equal(told)


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


def test_names_of_arrays_say_nothing(in_folders: Path, tmp_path: Path) -> None:
    pictures = np.stack([read_image(file).pixels for file in sorted(in_folders.rglob("*.png"))])
    np.savez(tmp_path / "set.npz", (pictures * 255).astype(np.uint8))
    assert open_set(tmp_path / "set.npz", FOLDER).subjects == ()


TOLD = [FOLDER, "method.classes=2", "method.colourfulness=0.5", "training.checkpoint_every=3"]
SHORT = ["training.steps=6", "training.validate_every=100", "training.sample_every=100"]


def run_of(data: Path, out: Path, *overrides: str) -> None:
    train(load_recipe("tiny", [f"data.path={data}", *TOLD, *SHORT, *overrides]), out, reporter=Reporter(quiet=True))


@pytest.mark.usefixtures("nothing_shipped")
def test_a_run_that_learns_them_goes_on_as_if_undisturbed(in_folders: Path, tmp_path: Path) -> None:
    run_of(in_folders, tmp_path / "whole")
    run_of(in_folders, tmp_path / "parts", "training.steps=3")
    torch.rand(5)
    run_of(in_folders, tmp_path / "parts")
    a, b = (load_checkpoint(tmp_path / run / "checkpoints" / "last.pt") for run in ("whole", "parts"))
    assert "class_head" in a["networks"]
    for key in ("networks", "optimisers", "ema", "random", "step"):
        assert same(a[key], b[key]), key
    events = (tmp_path / "parts" / "events.jsonl").read_text()
    assert '"g/class"' in events
    assert '"g/colourfulness"' in events


@pytest.mark.usefixtures("nothing_shipped")
def test_a_run_does_not_go_on_where_folders_have_other_names(in_folders: Path, tmp_path: Path) -> None:
    run_of(in_folders, tmp_path / "run", "training.steps=3")
    (in_folders / "cat").rename(in_folders / "zebra")
    with pytest.raises(DataError, match="moved or renamed since"):
        run_of(in_folders, tmp_path / "run")
