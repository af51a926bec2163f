"""Making a set ready: contract, and end to end."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tests.conftest import make_picture
from typer.testing import CliRunner

from tintype.cli import app
from tintype.data import prepare as module
from tintype.data.cache import open_cache
from tintype.data.fingerprint import item_fingerprint
from tintype.data.paths import bundled_folder
from tintype.data.prepare import prepare
from tintype.data.source import arrays_by_role, domain_pictures, find_items
from tintype.data.split import make_split
from tintype.errors import DataError, OutputError, UsageError
from tintype.image.file import find_pictures, read_image, write_image
from tintype.recipe.data import ColourData, SplitSpec

ALL_TRAIN = SplitSpec(validation=0, test=0)


def below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in find_pictures(folder))


def fill(folder, names, seed=0, height=40, width=48):
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(folder / name, make_picture(seed + number, height, width))
    return folder


def alone(tmp_path):
    """Whether no hidden file is left."""
    return not any(path.name.startswith(".") for path in tmp_path.iterdir())


# --- folders ---------------------------------------------------------------------------------------------------------


def test_every_picture_is_reduced_and_lands_on_one_side(pictures, tmp_path):
    made = prepare(str(pictures), tmp_path / "out", size=20)
    assert made.counts == {"train": 8, "val": 2, "test": 2}
    names = below(tmp_path / "out")
    assert sorted(name.partition("/")[2] for name in names) == below(pictures)
    assert all(read_image(tmp_path / "out" / name).pixels.shape == (20, 24, 3) for name in names)
    assert (made.unreadable, made.enlarged, made.notes) == ((), 0, ())
    assert alone(tmp_path)


def test_the_split_is_the_one_that_training_on_the_source_would_make(tmp_path):
    prepare("bundled:hubble", tmp_path / "out", size=32)
    items = find_items(ColourData(path="bundled:hubble"))
    split = make_split(items, [item_fingerprint(item) for item in items], SplitSpec())
    for side, names in (("train", split.train), ("val", split.validation), ("test", split.test)):
        assert below(tmp_path / "out" / side) == sorted(name.replace(".jpg", ".png") for name in names)
    spec = ColourData(path=str(tmp_path / "out"), size=32)
    again = find_items(spec)
    assert {item.name for item in again if item.split == "test"} == {
        f"test/{name.replace('.jpg', '.png')}" for name in split.test
    }


def test_a_prepared_picture_is_what_training_would_have_cached(pictures, tmp_path):
    prepare(str(pictures), tmp_path / "out", size=20, split=ALL_TRAIN)
    caches = []
    for path in (pictures, tmp_path / "out"):
        spec = ColourData(path=str(path), size=20)
        caches.append(open_cache(find_items(spec), spec, cache_dir=tmp_path / "cache"))
    assert caches[1].names == tuple(f"train/{name}" for name in caches[0].names)
    assert np.array_equal(caches[0].flat, caches[1].flat)


def test_copies_stay_on_one_side_over_two_domains_too(tmp_path):
    colour = fill(tmp_path / "colour", [f"{i:02}.png" for i in range(20)])
    for path in find_pictures(colour):
        (tmp_path / "grey").mkdir(exist_ok=True)
        Image.open(path).convert("L").save(tmp_path / "grey" / f"old-{path.name}")
    made = prepare(str(tmp_path / "grey"), tmp_path / "out", source_b=str(colour), size=20)
    assert made.counts == {"trainA": 13, "trainB": 13, "valA": 3, "valB": 3, "testA": 4, "testB": 4}
    assert [note.partition(",")[0] for note in made.notes] == ["the domains share pictures"]
    for side in ("train", "val", "test"):
        names_a, names_b = (below(tmp_path / "out" / f"{side}{domain}") for domain in "AB")
        assert [name.removeprefix("old-") for name in names_a] == names_b


def test_domains_without_copies_between_them_are_divided_each_on_its_own(tmp_path):
    few = fill(tmp_path / "few", [f"{i}.png" for i in range(4)])
    many = fill(tmp_path / "many", [f"{i:02}.png" for i in range(20)], seed=100)
    made = prepare(str(few), tmp_path / "out", source_b=str(many), size=16)
    assert made.counts == {"trainA": 2, "trainB": 13, "valA": 1, "valB": 3, "testA": 1, "testB": 4}


def test_what_the_folders_of_a_source_say_is_kept(tmp_path):
    source = fill(tmp_path / "set", ["train/a.png", "train/deep/b.png", "train/c.png", "test/a.png"])
    made = prepare(str(source), tmp_path / "out", size=16, split=SplitSpec(validation=0.3, test=0.3))
    assert below(tmp_path / "out" / "test") == ["a.png"]
    assert made.counts == {"train": 2, "val": 1, "test": 1}
    assert any("the folders name no validation pictures" in note for note in made.notes)
    assert sorted(below(tmp_path / "out" / "train") + below(tmp_path / "out" / "val")) == [
        "a.png",
        "c.png",
        "deep/b.png",
    ]


def test_a_folder_of_two_domains_needs_no_second_source(tmp_path):
    source = fill(tmp_path / "set", ["trainA/a.png", "trainA/b.png", "trainB/a.png", "testA/a.png", "testB/x.png"])
    made = prepare(str(source), tmp_path / "out", size=16, split=ALL_TRAIN)
    assert made.counts == {"trainA": 2, "trainB": 1, "testA": 1, "testB": 1}
    assert below(tmp_path / "out") == below(source)


def test_no_picture_is_lost_to_another_of_its_name(tmp_path):
    names = ["a.png", "a.tif", "a.webp", "A.jpg", "a.tif.png", "deep/a.png"]
    source = fill(tmp_path / "set", names)
    prepare(str(source), tmp_path / "out", size=16, split=ALL_TRAIN)
    found = below(tmp_path / "out" / "train")
    assert len({name.lower() for name in found}) == len(names)
    assert {"A.png", "a.tif.png", "deep/a.png"} <= set(found)
    distinct = {read_image(tmp_path / "out" / "train" / name).pixels.tobytes() for name in found}
    assert len(distinct) == len(names)


def test_jpeg_is_written_where_that_is_asked_for(pictures, tmp_path):
    prepare(str(pictures), tmp_path / "out", size=20, crop=True, picture_format="jpg")
    images = [read_image(path) for path in find_pictures(tmp_path / "out")]
    assert {(image.format, image.pixels.shape) for image in images} == {("jpeg", (20, 20, 3))}
    assert len(images) == 12


def test_small_pictures_are_enlarged_and_counted(tmp_path):
    source = fill(tmp_path / "set", ["a.png", "b.png"])
    write_image(source / "large.png", make_picture(9, 100, 120))
    made = prepare(str(source), tmp_path / "out", size=64)
    assert made.enlarged == 2
    assert all(min(read_image(path).pixels.shape[:2]) == 64 for path in find_pictures(tmp_path / "out"))


def test_broken_pictures_are_named_and_left_out(pictures, tmp_path):
    (pictures / "03.png").write_bytes(b"no picture")
    data = (pictures / "05.png").read_bytes()
    (pictures / "05.png").write_bytes(data[: len(data) // 2])
    made = prepare(str(pictures), tmp_path / "out", size=20)
    assert [name for name, _ in made.unreadable] == ["03.png", "05.png"]
    assert sum(made.counts.values()) == len(below(tmp_path / "out")) == 10


def test_a_large_picture_of_16_bits_is_read_like_any_other(tmp_path):
    (tmp_path / "set").mkdir()
    large = np.tile(make_picture(0, 60, 50).astype(np.uint16) * 257, (20, 20, 1))
    write_image(tmp_path / "set" / "large.tif", large, bits=16)
    prepare(str(tmp_path / "set"), tmp_path / "out", size=64, split=ALL_TRAIN)
    image = read_image(tmp_path / "out" / "train" / "large.png")
    assert (image.pixels.shape, image.bits) == ((77, 64, 3), 8)


# --- arrays ----------------------------------------------------------------------------------------------------------


def test_arrays_hold_the_centre_squares_in_the_order_of_the_source(pictures, tmp_path):
    made = prepare(str(pictures), tmp_path / "set.npz", size=20)
    prepare(str(pictures), tmp_path / "out", size=20)
    with np.load(tmp_path / "set.npz", allow_pickle=False) as arrays:
        assert {name: len(arrays[name]) for name in arrays} == made.counts
        for name in arrays:
            files = find_pictures(tmp_path / "out" / name)
            wanted = [np.rint(read_image(file).pixels * 255).astype(np.uint8)[:, 2:22] for file in files]
            assert np.array_equal(arrays[name], wanted)
    assert alone(tmp_path)


def test_arrays_of_two_domains_go_through_folders_and_come_back(tmp_path):
    source_a, source_b = (
        fill(tmp_path / name, [f"{i}.png" for i in range(6)], seed, 24, 24) for name, seed in (("a", 0), ("b", 50))
    )
    prepare(str(source_a), tmp_path / "one.npz", source_b=str(source_b), size=24)
    assert set(arrays_by_role(tmp_path / "one.npz").values()) == {
        f"{s}{d}" for s in ("train", "val", "test") for d in "AB"
    }
    prepare(str(tmp_path / "one.npz"), tmp_path / "folders", size=24)
    prepare(str(tmp_path / "folders"), tmp_path / "two.npz", size=24)
    assert len(domain_pictures(tmp_path / "two.npz", "A")) == 6
    with np.load(tmp_path / "one.npz") as one, np.load(tmp_path / "two.npz") as two:
        assert {name: one[name].tobytes() for name in one} == {name: two[name].tobytes() for name in two}


def test_the_scale_of_float_arrays_is_said(tmp_path):
    pictures = np.stack([make_picture(seed) for seed in range(5)]) / 127.5 - 1
    np.savez_compressed(tmp_path / "tanh.npz", pictures.astype(np.float32))
    made = prepare(str(tmp_path / "tanh.npz"), tmp_path / "out", size=40)
    assert len(made.notes) == 1 and "taken as [-1, 1]" in made.notes[0]
    assert below(tmp_path / "out")[0].endswith(".png")


# --- what is refused, and what is left behind ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["full", "file.npz", "folder.npz"])
def test_what_is_there_is_kept(pictures, tmp_path, name):
    out = tmp_path / name
    if name == "file.npz":
        out.write_bytes(b"mine")
    else:
        out.mkdir()
        (out / "mine.txt").write_text("")
    with pytest.raises(OutputError, match="is there already; remove it first, or give another name"):
        prepare(str(pictures), out)
    assert out.exists()


def test_an_empty_folder_is_filled_and_missing_ones_above_are_made(pictures, tmp_path):
    (tmp_path / "out").mkdir()
    assert sum(prepare(str(pictures), tmp_path / "out", size=16).counts.values()) == 12
    assert sum(prepare(str(pictures), tmp_path / "deep/er/set.npz", size=16).counts.values()) == 12


def test_results_inside_of_a_source_are_refused(pictures):
    with pytest.raises(OutputError, match="lies inside of"):
        prepare(str(pictures), pictures / "small")
    assert not (pictures / "small").exists()


@pytest.mark.parametrize("name", ["out", "set.npz"])
@pytest.mark.parametrize("stage", ["_reduce", "_divide", "_write_arrays", "_move_into_folders"])
def test_a_run_that_breaks_off_leaves_nothing(pictures, tmp_path, monkeypatch, name, stage):
    original, calls = getattr(module, stage), []

    def broken(*arguments):
        calls.append(1)
        if stage == "_reduce" and len(calls) < 5:
            return original(*arguments)
        if stage in ("_write_arrays", "_move_into_folders"):
            original(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, stage, broken)
    if (stage, name) in (("_write_arrays", "out"), ("_move_into_folders", "set.npz")):
        prepare(str(pictures), tmp_path / name, size=16)
        assert not calls
        return
    with pytest.raises(KeyboardInterrupt):
        prepare(str(pictures), tmp_path / name, size=16)
    assert list(tmp_path.iterdir()) == [pictures]


def test_a_folder_that_may_not_be_written_to_is_one_line(pictures, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file" / "out", tmp_path / "file" / "set.npz"):
        with pytest.raises(OutputError, match="cannot be written") as error:
            prepare(str(pictures), out, size=16)
        assert "\n" not in str(error.value)


def test_a_domain_without_readable_pictures_is_an_error(pictures, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"none of the 1 pictures can be read; the first one: .*x\.png"):
        prepare(str(tmp_path / "bad"), tmp_path / "out")
    with pytest.raises(DataError, match=r"none of the 1 pictures of domain B can be read; the first one: .*x\.png"):
        prepare(str(pictures), tmp_path / "out", source_b=str(tmp_path / "bad"))
    assert not (tmp_path / "out").exists() and alone(tmp_path)


def test_sources_that_are_no_domains_are_refused(pictures, tmp_path):
    pairs = fill(tmp_path / "pairs", ["A/x.png", "B/x.png"])
    with pytest.raises(UsageError, match=r"has A/ and B/, whose pairs would be parted"):
        prepare(str(pairs), tmp_path / "out")
    np.savez(tmp_path / "two.npz", make_picture(0)[None], make_picture(1)[None])
    for source, source_b in ((pictures, tmp_path / "two.npz"), (tmp_path / "two.npz", pictures)):
        with pytest.raises(UsageError, match=r"two\.npz: has two domains of its own; leave out --b"):
            prepare(str(source), tmp_path / "out", source_b=str(source_b))
    with pytest.raises(DataError, match=r"lost: no such folder; --b must name"):
        prepare(str(pictures), tmp_path / "out", source_b=str(tmp_path / "lost"))
    assert not (tmp_path / "out").exists()


def test_the_bundled_set_is_a_source_and_stays_as_it_is(tmp_path):
    before = below(bundled_folder("hubble"))
    assert sum(prepare("bundled:hubble", tmp_path / "set.npz", size=16).counts.values()) == len(before)
    assert below(bundled_folder("hubble")) == before


# --- the command -----------------------------------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(app, ["data", "prepare", *map(str, arguments)])


def test_the_command_says_what_it_made_and_ends_with_1_where_a_picture_was_left_out(pictures, tmp_path):
    result = run(pictures, "--out", tmp_path / "out", "--size", 20)
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'out'}: train 8, val 2, test 2\n")
    (pictures / "03.png").write_bytes(b"no picture")
    result = run(pictures, "--out", tmp_path / "set.npz", "--size", 64, "--validation", 0, "--test", 0)
    assert (result.exit_code, result.stdout) == (1, f"{tmp_path / 'set.npz'}: train 11\n")
    assert f"left out: {pictures / '03.png'}: not a readable picture" in result.stderr
    assert "11 pictures with a shorter side below 64 pixels enlarged" in result.stderr
    assert "cropped to the centre square: the pictures of an array have one size" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "out", "--format", "tif"], "--format tif: choose png or jpg"),
        (["--out", "out.npz", "--format", "png"], "--format png: leave it out"),
        (["--out", "out", "--validation", 0.5, "--test", 0.5], "leave nothing to train on"),
    ],
)
def test_options_that_cannot_be_meant_are_usage_errors(pictures, tmp_path, options, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = run(pictures, *options).exception
    assert isinstance(error, UsageError) and message in str(error)
    assert list(tmp_path.iterdir()) == [pictures]
