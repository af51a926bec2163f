"""Clips made of pictures: straight on, thrown back by the borders, and the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tintype.data.dataset import PictureSet, open_data
from tintype.data.motion import clip_generator, moving, path
from tintype.recipe import load_recipe
from tintype.recipe.data import LabelledData, MotionSpec

SPEC = MotionSpec(frames=12, side=10, speed=1.5)
CPU = torch.device("cpu")


def opened(folder: Path, *overrides: str) -> PictureSet:
    small = ["data.size=16", "data.class_names=[]", "data.motion={frames: 4, side: 10, speed: 1}"]
    more = ["generator.classes=3", "generator.filters=1", "discriminator.filters=1", "training.batch_size=8"]
    return open_data(load_recipe("fashion-video", [f"data.path={folder}", *small, *more, *overrides]))


def test_a_picture_stays_inside_and_keeps_its_speed_until_it_is_thrown_back() -> None:
    for seed in range(20):
        where = path(SPEC, 32, clip_generator(seed, 0, 0))
        assert where.shape == (12, 2)
        assert where.min() >= 0
        assert where.max() <= 22
        speeds = np.linalg.norm(np.diff(where, axis=0), axis=1)
        inside = ((where[:-1] > 1.5) & (where[:-1] < 20.5)).all(axis=1)
        np.testing.assert_allclose(speeds[inside], 1.5)
        assert (speeds <= 1.5 + 1e-9).all()


def test_no_two_samples_move_alike() -> None:
    places = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    starts = {path(SPEC, 32, clip_generator(*place)).tobytes() for place in places}
    assert len(starts) == 4


def test_a_clip_holds_its_picture_in_every_frame() -> None:
    pictures = torch.rand(3, 1, 10, 10)
    clips = moving(pictures, SPEC, 32, [clip_generator(0, 0, index) for index in range(3)])
    assert clips.shape == (3, 12, 32, 32)
    torch.testing.assert_close(clips.sum(dim=(2, 3)), pictures.sum(dim=(2, 3)).expand(3, 12))


def test_samples_follow_from_seed_epoch_and_picture_whatever_the_batch(idx_set: Path) -> None:
    data, other = opened(idx_set), opened(idx_set, "training.batch_size=16")
    labels, clips = data.batch(1, CPU)
    assert clips.shape == (8, 4, 16, 16)
    assert clips.min() >= -1
    assert clips.max() <= 1
    same_labels, same_clips = other.batch(0, CPU)
    assert torch.equal(same_labels[8:], labels)
    torch.testing.assert_close(same_clips[8:], clips)
    shares = [data.batch(1, CPU, (part, 2))[1] for part in range(2)]
    torch.testing.assert_close(torch.cat(shares), clips)
    assert not torch.allclose(opened(idx_set, "training.seed=1").batch(1, CPU)[1], clips)


def test_judged_clips_are_the_same_in_every_run(idx_set: Path) -> None:
    clips, labels = opened(idx_set).stack("test")
    assert clips.shape == (24, 16, 16, 4)
    assert 0 <= clips.min() < clips.max() <= 1
    again, _ = opened(idx_set, "training.seed=7").stack("test")
    np.testing.assert_array_equal(again, clips)
    assert np.bincount(labels).tolist() == [8, 8, 8]


def test_pictures_that_fill_the_frame_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"motion\.side \(28\) must be below size \(28\)"):
        LabelledData(size=28, motion=MotionSpec(side=28))
    with pytest.raises(ValidationError, match=r"load_size \(12\) must be at least motion\.side \(20\)"):
        LabelledData(size=32, load_size=12, motion=MotionSpec(side=20))
