from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.conftest import make_picture

from tintype.data.dataset import PictureSet, open_data
from tintype.errors import DataError
from tintype.image.file import write_image
from tintype.recipe import load_recipe

CPU = torch.device("cpu")


def open_set(path: Path, *overrides: str) -> PictureSet:
    return open_data(load_recipe("tiny", [f"data.path={path}", *overrides]))


def test_a_batch_is_in_model_space_and_chroma_is_smaller_by_the_stride(picture_set: Path) -> None:
    source, target = open_set(picture_set).batch(0, CPU)
    assert source.shape == (4, 1, 32, 32)
    assert target.shape == (4, 2, 16, 16)
    assert source.abs().max() <= 1
    assert target.abs().max() <= 1


def test_the_batch_size_does_not_change_what_the_samples_are(picture_set: Path) -> None:
    large = open_set(picture_set, "training.batch_size=6").batch(0, CPU)
    small = [open_set(picture_set, "training.batch_size=2").batch(step, CPU) for step in range(3)]
    for part in range(2):
        torch.testing.assert_close(large[part], torch.cat([batch[part] for batch in small]), rtol=0, atol=1e-6)


def test_an_epoch_may_end_inside_a_batch_and_every_batch_is_full(picture_set: Path) -> None:
    data = open_set(picture_set, "training.batch_size=5")
    assert data.count % 5
    assert all(data.batch(step, CPU)[0].shape[0] == 5 for step in range(4))


def test_the_same_step_gives_the_same_batch_again_and_another_seed_another_one(picture_set: Path) -> None:
    first, again = (open_set(picture_set).batch(3, CPU)[0] for _ in range(2))
    other = open_set(picture_set, "training.seed=1").batch(3, CPU)[0]
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_evaluation_pictures_are_centre_crops_with_a_grey_source(picture_set: Path) -> None:
    pairs = list(open_set(picture_set).pictures("test", 24))
    assert pairs
    for pair in pairs:
        assert pair.target.shape == (24, 24, 3)
        assert pair.source.shape == (24, 24, 1)
        assert pair.target.dtype == np.float32


def test_a_limit_takes_pictures_from_all_over_the_part(picture_set: Path) -> None:
    data = open_set(picture_set)
    names = [pair.name for pair in data.pictures("train", 32, limit=3)]
    assert len(names) == 3
    assert names[0] == data.split.train[0]
    assert names[-1] in data.split.train[data.count // 2 :]


@pytest.mark.parametrize("direction", ["ab", "ba"])
def test_pairs_keep_source_and_target_cut_alike(tmp_path: Path, direction: str) -> None:
    for domain in "AB":
        (tmp_path / domain).mkdir()
    for number in range(6):
        picture = make_picture(number)
        write_image(tmp_path / "A" / f"{number}.png", picture)
        write_image(tmp_path / "B" / f"{number}.png", 255 - picture)
    data = open_data(
        load_recipe(
            "tiny", [f"data={{kind: folders, path: {tmp_path}, size: 32, direction: {direction}}}", "codec={kind: rgb}"]
        )
    )
    source, target = data.batch(0, CPU)
    torch.testing.assert_close(source, -target, atol=2e-2, rtol=0)  # resampling rounds each of the two to bytes
    assert (source.mean() - target.mean()).abs() > 1e-3


def test_pictures_of_an_array_train_like_those_of_files(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "set.npz", np.stack([make_picture(seed) for seed in range(12)]) / 127.5 - 1)
    data = open_set(tmp_path / "set.npz")
    assert [len(data.split.train), len(data.split.validation), len(data.split.test)] == [8, 2, 2]
    source, target = data.batch(0, CPU)
    assert source.shape[2:] == (32, 32) and target.abs().max() <= 1
    assert "taken as [-1, 1]" in data.cache.notes[0]


@pytest.mark.parametrize("method", ["pix2pix", "cyclegan"])
def test_the_shares_of_several_processes_make_up_the_batch_of_one(picture_set: Path, method: str) -> None:
    rgb = ["codec={kind: rgb, source: grey3}", "generator={kind: resnet, filters: 4, blocks: 1}"]
    data = open_set(picture_set, f"method={{kind: {method}}}", *rgb)
    whole = data.batch(3, CPU)
    shares = [data.batch(3, CPU, (part, 2)) for part in range(2)]
    for all_of_it, parts in zip(whole, zip(*shares, strict=True), strict=True):
        assert torch.equal(torch.cat(parts), all_of_it)


@pytest.mark.parametrize("domain", ["A", "B"])
def test_a_domain_without_a_picture_to_train_on_is_named(tmp_path: Path, domain: str) -> None:
    for name in "AB":
        (tmp_path / name).mkdir()
        for number in range(4):
            if name == domain:
                (tmp_path / name / f"{number}.png").write_text("no picture")
            else:
                write_image(tmp_path / name / f"{number}.png", make_picture(number))
    overrides = ["method={kind: cyclegan}", "codec={kind: rgb}", "generator={kind: resnet, filters: 4, blocks: 1}"]
    for data in (f"path: {tmp_path}", f"path: {tmp_path / 'A'}, path_b: {tmp_path / 'B'}"):
        recipe = load_recipe("tiny", [f"data={{kind: unpaired, {data}, size: 32}}", *overrides])
        with pytest.raises(DataError, match=f"no readable picture of domain {domain} is left to train on") as error:
            open_data(recipe)
        assert str(error.value).startswith(f"{tmp_path / domain if 'path_b' in data else tmp_path}: ")
