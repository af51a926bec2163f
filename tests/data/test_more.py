"""Further pictures beside a set (`data.more`): part of each batch, never held out, and no copies of what is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import make_picture
from tests.data.test_sampler import uniform_store

from tintype.console import Reporter
from tintype.data.dataset import open_data
from tintype.data.sampler import PairedSampler
from tintype.errors import DataError, RecipeError
from tintype.image.file import write_image
from tintype.recipe import load_recipe
from tintype.training import train
from tintype.training.held_out import trained_on
from tintype.training.rundir import RunDir

CPU = torch.device("cpu")
QUIET = Reporter(quiet=True)


@pytest.fixture
def further(tmp_path: Path) -> Path:
    """Eight made pictures, unlike those of the other sets."""
    folder = tmp_path / "further"
    folder.mkdir()
    for number in range(8):
        write_image(folder / f"{number}.png", make_picture(500 + number))
    return folder


def recipe_with(pictures: Path, further: Path, *more: str):
    return load_recipe("tiny", [f"data.path={pictures}", f"data.more={further}", "training.steps=2", *more])


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([0.25, 0.5, 0.75]), st.integers(0, 3))
def test_every_batch_holds_its_share_of_both_sets_and_an_epoch_each_picture_once(own, other, share, seed):
    codec, sizes = "codec={kind: rgb, source: grey}", ["data.size=16", "training.batch_size=4"]
    recipe = load_recipe("tiny", [codec, *sizes, f"training.seed={seed}", "data.more=m", f"data.more_share={share}"])
    store = uniform_store(own + other)
    numbers = torch.arange(own + other).numpy()
    sampler = PairedSampler(recipe, store, numbers[:own], (store, numbers[own:]))
    of_more, steps = round(4 * share), 20
    drawn = []
    for step in range(steps):
        targets = ((sampler.batch(step, CPU)[1][:, 0, 0, 0] + 1) * 127.5).round().int().tolist()
        assert all(number < own for number in targets[: 4 - of_more])
        assert all(number >= own for number in targets[4 - of_more :])
        drawn += targets[: 4 - of_more]
    for start in range(0, len(drawn) - own + 1, own):
        assert sorted(drawn[start : start + own]) == list(range(own))
    assert sampler.count == round(own * 4 / (4 - of_more))


def test_own_pictures_are_divided_and_cut_as_without_more(picture_set, further):
    alone = open_data(load_recipe("tiny", [f"data.path={picture_set}", "training.batch_size=2"]))
    mixed = open_data(recipe_with(picture_set, further, "training.batch_size=4"))
    assert mixed.split.digest == alone.split.digest and mixed.split.test == alone.split.test
    assert len(mixed.split.more) == 8
    for a, b in zip(alone.batch(3, CPU), mixed.batch(3, CPU), strict=True):
        assert torch.equal(a, b[:2])


def test_shares_of_several_processes_hold_the_pictures_of_the_batch(picture_set, further):
    data = open_data(recipe_with(picture_set, further))
    whole, parts = data.batch(3, CPU)[0], [data.batch(3, CPU, (part, 2))[0] for part in range(2)]
    assert torch.equal(whole[[0, 2, 1, 3]], torch.cat(parts))


def test_copies_of_held_out_pictures_are_passed_over(picture_set, further):
    held_out = open_data(load_recipe("tiny", [f"data.path={picture_set}"])).split.test[0]
    shutil.copy(picture_set / held_out, further / "copy.png")
    split = open_data(recipe_with(picture_set, further)).split
    assert len(split.more) == 8 and "more/copy.png" not in split.more
    assert "1 pictures of data.more are copies of held-out ones and left out" in split.notes


def test_more_that_is_missing_or_leaves_no_room_is_named(picture_set, further, tmp_path):
    with pytest.raises(DataError, match=r"no such folder; data\.more must name a folder"):
        open_data(recipe_with(picture_set, tmp_path / "nowhere"))
    with pytest.raises(RecipeError, match=r"is 0 pictures: both sets need a part"):
        open_data(recipe_with(picture_set, further, "data.more_share=0.1"))
    with pytest.raises(RecipeError, match=r"data\.more has no effect with method\.kind=cyclegan"):
        load_recipe("tiny", ["method={kind: cyclegan}", "codec={kind: rgb, source: grey3}", f"data.more={further}"])


@pytest.mark.usefixtures("nothing_shipped")
def test_a_run_remembers_what_more_it_trained_on(picture_set, further, tmp_path):
    overrides = [f"data.path={picture_set}", f"data.more={further}"]
    assert train("tiny", tmp_path / "run", [*overrides, "training.steps=1"], reporter=QUIET)
    seen = trained_on(RunDir(tmp_path / "run"))
    assert seen is not None and set(open_data(recipe_with(picture_set, further)).hashes("more")) <= seen
    next(further.iterdir()).unlink()
    with pytest.raises(DataError, match=r"data\.more: the pictures changed since .* \(8 then, 7 now\)"):
        train("tiny", tmp_path / "run", [*overrides, "training.steps=2"], reporter=QUIET)
