"""The decoded-once cache: contract, and end to end on files of several kinds."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest
from PIL import Image

from tintype.data.cache import default_cache_folder, open_cache
from tintype.data.fingerprint import fingerprint
from tintype.data.source import find_items
from tintype.errors import DataError, OutputError
from tintype.recipe.data import ColourData, FoldersData, SideBySideData


def noise(height, width, channels=3, seed=0):
    """Noise that is smooth enough to survive a JPEG file."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 4, channels), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse.squeeze()).resize((width, height), Image.Resampling.BICUBIC))


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def truncate(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


@pytest.fixture
def folder(tmp_path):
    """Three pictures: wide, high and grey."""
    save(tmp_path / "set/wide.png", noise(40, 90, seed=1))
    save(tmp_path / "set/high.jpg", noise(70, 50, seed=2))
    save(tmp_path / "set/grey.png", noise(64, 64, 1, seed=3))
    return tmp_path / "set"


def opened(spec, tmp_path, **options):
    return open_cache(find_items(spec), spec, cache_dir=tmp_path / "cache", **options)


def test_pictures_keep_their_aspect_and_get_the_shorter_side_of_the_recipe(folder, tmp_path):
    cache = opened(ColourData(path=str(folder), size=32), tmp_path)
    assert cache.names == ("grey.png", "high.jpg", "wide.png")
    assert [cache.target(i).shape for i in range(3)] == [(32, 32, 3), (45, 32, 3), (32, 72, 3)]
    assert all(cache.source(i) is None for i in range(3))


def test_small_pictures_are_enlarged_so_that_a_crop_fits(folder, tmp_path):
    cache = opened(ColourData(path=str(folder), size=16, load_size=100), tmp_path)
    assert min(*cache.heights, *cache.widths) == 100


def test_long_pictures_are_used_up_to_a_limit(tmp_path):
    save(tmp_path / "set/strip.png", noise(20, 300))
    cache = opened(ColourData(path=str(tmp_path / "set"), size=32), tmp_path)
    assert cache.target(0).shape == (32, 480, 3)


def test_pixels_are_those_of_the_file_at_its_own_size(tmp_path):
    pixels = noise(32, 48)
    save(tmp_path / "set/a.png", pixels)
    cache = opened(ColourData(path=str(tmp_path / "set"), size=32), tmp_path)
    assert np.array_equal(cache.target(0), pixels)


def test_the_flat_file_holds_the_pictures_one_after_the_other(folder, tmp_path):
    cache = opened(ColourData(path=str(folder), size=32), tmp_path)
    assert cache.flat.dtype == np.uint8 and not cache.flat.flags.writeable
    assert np.array_equal(np.concatenate([cache.target(i).ravel() for i in range(3)]), cache.flat)
    for i, (offset, height, width) in enumerate(zip(cache.offsets, cache.heights, cache.widths, strict=True)):
        assert np.array_equal(cache.flat[offset : offset + 3 * height * width], cache.target(i).ravel())


def test_grey_pictures_have_three_equal_channels(folder, tmp_path):
    cache = opened(ColourData(path=str(folder), size=32), tmp_path)
    grey = cache.target(0)
    assert np.array_equal(grey[..., 0], grey[..., 1]) and np.array_equal(grey[..., 0], grey[..., 2])


def test_fingerprints_do_not_depend_on_the_size_of_the_cache(folder, tmp_path):
    for size in (16, 64):
        cache = opened(ColourData(path=str(folder), size=size), tmp_path)
        assert cache.fingerprints == tuple(fingerprint(item.target) for item in cache.items)


# --- pairs -----------------------------------------------------------------------------------------------------------


def test_pairs_are_stored_at_equal_size_and_a_difference_is_said(tmp_path):
    first, second = noise(40, 60, seed=1), noise(40, 60, seed=2)
    save(tmp_path / "set/A/x.png", first)
    save(tmp_path / "set/B/x.png", second)
    save(tmp_path / "set/A/y.png", noise(20, 30, seed=3))
    save(tmp_path / "set/B/y.png", noise(40, 50, seed=4))
    cache = opened(FoldersData(path=str(tmp_path / "set"), size=40, direction="ba"), tmp_path)
    assert np.array_equal(cache.source(0), second) and np.array_equal(cache.target(0), first)
    assert cache.source(1).shape == cache.target(1).shape == (40, 60, 3)
    assert cache.notes == (
        "1 of 2 pairs differ in size, the source is scaled to its target: y.png (source 50 x 40, target 30 x 20)",
    )


@pytest.mark.parametrize("direction", ["ab", "ba"])
def test_side_by_side_halves_do_not_bleed_into_each_other(tmp_path, direction):
    left, right = np.full((64, 64, 3), 255, np.uint8), np.zeros((64, 64, 3), np.uint8)
    save(tmp_path / "set/x.png", np.concatenate((left, np.full((64, 1, 3), 128, np.uint8), right), axis=1))
    cache = opened(SideBySideData(path=str(tmp_path / "set"), size=32, direction=direction), tmp_path)
    white, black = (cache.source(0), cache.target(0)) if direction == "ab" else (cache.target(0), cache.source(0))
    assert white.shape == black.shape == (32, 32, 3)
    assert (white == 255).all() and (black == 0).all()


# --- broken pictures -------------------------------------------------------------------------------------------------


def test_a_broken_picture_among_good_ones_is_named_and_left_out(folder, tmp_path):
    truncate(folder / "high.jpg")
    (folder / "text.png").write_text("no picture")
    for _ in range(2):  # built, then read back
        cache = opened(ColourData(path=str(folder), size=32), tmp_path)
        assert cache.names == ("grey.png", "wide.png")
        assert [name for name, _ in cache.unreadable] == ["high.jpg", "text.png"]
        assert all(name in reason and "\n" not in reason for name, reason in cache.unreadable)
        assert cache.target(1).shape == (32, 72, 3)


def test_a_pair_with_one_broken_half_is_left_out(tmp_path):
    for name in ("A/x.jpg", "B/x.jpg", "A/y.jpg", "B/y.jpg"):
        save(tmp_path / "set" / name, noise(64, 64))
    truncate(tmp_path / "set/A/y.jpg")
    cache = opened(FoldersData(path=str(tmp_path / "set"), size=32), tmp_path)
    assert cache.names == ("x.jpg",) and cache.unreadable[0][0] == "y.jpg"
    assert cache.source(0).shape == (32, 32, 3)


def test_a_set_of_broken_pictures_is_an_error_and_leaves_nothing_behind(tmp_path):
    save(tmp_path / "set/a.jpg", noise(64, 64))
    truncate(tmp_path / "set/a.jpg")
    with pytest.raises(DataError, match=r"none of the 1 pictures can be read; .*a\.jpg"):
        opened(ColourData(path=str(tmp_path / "set"), size=32), tmp_path)
    assert list((tmp_path / "cache").iterdir()) == []


# --- the files of the cache ------------------------------------------------------------------------------------------


def test_a_cache_is_built_once(folder, tmp_path):
    calls = []
    spec = ColourData(path=str(folder), size=32)
    first = opened(spec, tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    second = opened(spec, tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert len(calls) == 3
    assert np.array_equal(first.flat, second.flat)
    assert (first.names, first.fingerprints) == (second.names, second.fingerprints)


def test_what_does_not_change_the_pictures_does_not_change_the_cache(folder, tmp_path):
    first = opened(ColourData(path=str(folder), size=32), tmp_path)
    second = opened(ColourData(path=str(folder), size=16, load_size=32, augment={"flip": False}), tmp_path)
    assert first.path == second.path


def test_a_changed_set_replaces_its_cache_and_leaves_those_of_others(folder, tmp_path):
    spec = ColourData(path=str(folder), size=32)
    before = opened(spec, tmp_path).path
    other = opened(ColourData(path=str(folder), size=16), tmp_path).path
    save(folder / "wide.png", noise(40, 100))
    cache = opened(spec, tmp_path)
    assert cache.target(2).shape == (32, 80, 3)
    assert {path.stem for path in (tmp_path / "cache").iterdir()} == {cache.path.stem, other.stem}
    assert before != cache.path


@pytest.mark.parametrize("whole", [True, False])
def test_rubbish_of_a_killed_build_goes_and_work_of_another_process_stays(folder, tmp_path, whole):
    spec = ColourData(path=str(folder), size=32)
    path = opened(spec, tmp_path).path
    if not whole:
        path.unlink()
    old, new = path.with_name(f"{path.stem}.old.part"), path.with_name(f"{path.stem}.new.part")
    old.touch()
    new.touch()
    os.utime(old, (time.time() - 7200,) * 2)
    opened(spec, tmp_path)
    assert not old.exists() and new.exists()


def cut_pixels(path):
    path.write_bytes(path.read_bytes()[:-1])


def cut_index(path):
    path.with_suffix(".json").write_text(path.with_suffix(".json").read_text()[:-20])


def older_version(path):
    index = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(index | {"version": 0}))


def no_index(path):
    path.with_suffix(".json").unlink()


@pytest.mark.parametrize("damage", [cut_pixels, cut_index, older_version, no_index])
def test_a_damaged_cache_is_built_again(folder, tmp_path, damage):
    spec = ColourData(path=str(folder), size=32)
    first = opened(spec, tmp_path)
    pixels = np.array(first.flat)
    damage(first.path)
    calls = []
    again = opened(spec, tmp_path, progress=lambda *_: calls.append(_))
    assert len(calls) == 3
    assert np.array_equal(again.flat, pixels)


def test_an_unwritable_place_is_an_error_that_names_the_variable(folder, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match=r"cache: .*TINTYPE_CACHE"):
        opened(ColourData(path=str(folder), size=32), tmp_path)


def test_a_full_disk_is_an_error_and_leaves_nothing_behind(folder, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"No space left on device.*TINTYPE_CACHE"):
        opened(ColourData(path=str(folder), size=32), tmp_path)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_default_place_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("TINTYPE_CACHE", str(tmp_path / "mine"))
    assert default_cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("TINTYPE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_folder() == tmp_path / "xdg/tintype"


def test_the_bundled_set_is_cached_whole(tmp_path):
    cache = opened(ColourData(path="bundled:hubble", size=64), tmp_path)
    assert len(cache) == 109 and cache.unreadable == () and cache.notes == ()
    assert min(*cache.heights, *cache.widths) == 64


def test_a_picture_beyond_that_limit_is_left_out_and_named(tmp_path):
    save(tmp_path / "set/strip.png", noise(2, 60))
    save(tmp_path / "set/whole.png", noise(40, 40))
    cache = opened(ColourData(path=str(tmp_path / "set"), size=32), tmp_path)
    assert cache.names == ("whole.png",)
    assert "60 x 2 is too long to train on" in cache.unreadable[0][1]
