"""Pictures in .npz files: contract, and what hostile files do."""

from __future__ import annotations

import io
import threading
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tests.conftest import make_picture

from tintype.data import arrays
from tintype.data.arrays import array_names, array_note, close_arrays, count_pictures, read_entry
from tintype.data.cache import open_cache
from tintype.data.check import check_folder
from tintype.data.fingerprint import fingerprint, item_fingerprint
from tintype.data.source import arrays_by_role, domain_pictures, find_items, has_two_domains
from tintype.errors import DataError, ImageError, OutputError
from tintype.recipe.data import ColourData, SideBySideData

PICTURES = np.stack([make_picture(seed) for seed in range(6)])


@pytest.fixture(autouse=True)
def nothing_stays_unpacked():
    yield
    close_arrays()


def saved(path, *unnamed, **named):
    np.savez_compressed(path, *unnamed, **named)
    return path


def with_header(path, shape, dtype="|u1", body=b"\0" * 100, version=1):
    """A file whose array says of itself what is given."""
    stream = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    {1: np.lib.format.write_array_header_1_0, 2: np.lib.format.write_array_header_2_0}[version](stream, header)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", stream.getvalue() + body)
    return path


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


# --- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_pictures_are_those_that_were_saved(tmp_path, save):
    save(tmp_path / "set.npz", colour=PICTURES, grey=PICTURES[..., :1], flat=PICTURES[..., 0])
    path = tmp_path / "set.npz"
    assert array_names(path) == ("colour", "grey", "flat")
    assert [count_pictures(path, name) for name in array_names(path)] == [6, 6, 6]
    for i, picture in enumerate(PICTURES):
        assert np.array_equal(read_entry(path, "colour", i), picture)
        assert np.array_equal(read_entry(path, "grey", i), picture[..., :1])
        assert np.array_equal(read_entry(path, "flat", i), picture[..., :1])
    assert array_note(path, "colour") is None


@pytest.mark.parametrize(
    ("stored", "scale"),
    [
        (lambda x: (x / 255).astype(np.float32), "[0, 1]"),
        (lambda x: (x / 255).astype(np.float16), "[0, 1]"),
        (lambda x: x / 127.5 - 1, "[-1, 1]"),
        (lambda x: (x / 127.5 - 1).astype(">f4"), "[-1, 1]"),
        (lambda x: x.astype(np.float32), "[0, 255]"),
        (lambda x: x.astype(np.int64), "[0, 255]"),
        (lambda x: x.astype(np.uint16) * 257, "[0, 65535]"),
        (lambda x: np.asfortranarray(x / 255), "[0, 1]"),
    ],
)
def test_the_scale_is_found_from_the_range_and_said(tmp_path, stored, scale):
    path = saved(tmp_path / "set.npz", x=stored(PICTURES))
    for i, picture in enumerate(PICTURES):
        assert np.abs(read_entry(path, "x", i).astype(int) - picture).max() == 0
    assert array_note(path, "x").endswith(f"taken as {scale}")


def test_values_just_outside_of_a_range_are_clipped_and_masks_are_black_and_white(tmp_path):
    resampled = np.tile(np.array([-0.001, 0.5, 1.001], np.float32), (1, 4, 4, 1))
    path = saved(tmp_path / "set.npz", x=resampled, mask=PICTURES[..., 0] > 127)
    assert read_entry(path, "x", 0)[0, 0].tolist() == [0, 128, 255]
    assert set(np.unique(read_entry(path, "mask", 0))) == {0, 255}


@pytest.mark.parametrize(
    "values", [PICTURES * 3.0, PICTURES - 300.0, PICTURES / 100.0 - 1.5, PICTURES.astype(int) - 200]
)
def test_a_range_of_no_pictures_is_an_error_that_names_it(tmp_path, values):
    path = saved(tmp_path / "set.npz", x=values)
    with pytest.raises(
        DataError, match=r"set\.npz, array x: .* from .* to .*; needed: pictures in \[0, 255\]"
    ) as error:
        read_entry(path, "x", 0)
    one_line(error)


def test_a_picture_with_values_that_are_no_numbers_is_left_out_and_named(tmp_path):
    values = PICTURES / 255
    values[2, 3, 4] = np.nan
    values[4, 0, 0, 0] = np.inf
    path = saved(tmp_path / "set.npz", x=values)
    with pytest.raises(ImageError, match="array x, picture 2: holds values that are no numbers"):
        read_entry(path, "x", 2)
    spec = ColourData(path=str(path), size=16)
    cache = open_cache(find_items(spec), spec, cache_dir=tmp_path / "cache")
    assert [name for name, _ in cache.unreadable] == ["x/00002", "x/00004"]
    assert len(cache) == 4
    with pytest.raises(DataError, match="none of its values is a number"):
        read_entry(saved(tmp_path / "none.npz", x=np.full((2, 4, 4), np.nan)), "x", 0)


# --- hostile files ---------------------------------------------------------------------------------------------------


def test_objects_are_refused_before_anything_of_them_is_built(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (exec, ("raise SystemExit('unpickled')",))

    np.savez(tmp_path / "set.npz", x=np.array([Bomb()], dtype=object))
    with pytest.raises(DataError, match="array x: holds object; needed are pictures as uint8 or float") as error:
        count_pictures(tmp_path / "set.npz", "x")
    one_line(error)


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros((4, 5), np.uint8), r"\(4, 5\)"),
        (np.zeros((9, 9, 3), np.uint8), r"\(9, 9, 3\)"),  # one picture, not nine that are 3 pixels wide
        (np.zeros((2, 9, 9, 4), np.uint8), r"\(2, 9, 9, 4\)"),
        (np.zeros((2, 3, 9, 9), np.uint8), r"\(2, 3, 9, 9\).*channels last"),
        (np.zeros((0, 9, 9, 3), np.uint8), r"\(0, 9, 9, 3\)"),
        (np.uint8(3), r"\(\)"),
        (np.zeros((2, 9, 9), complex), "complex128"),
        (np.array(["a", "b"]), "<U1"),
        (np.zeros(3, dtype=[("a", "u1")]), "'a'"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(tmp_path, array, found):
    with pytest.raises(DataError, match=f"array x: .*{found}") as error:
        count_pictures(saved(tmp_path / "set.npz", x=array), "x")
    one_line(error)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((10**6, 10**4, 10**4, 3), "do not fit its"),
        ((2**62, 4, 4, 3), "do not fit its"),
        ((1, 10**6, 10**6, 3), "has shape"),
        ((-1, -4, 4, 3), "has shape"),
    ],
)
def test_a_shape_that_the_bytes_do_not_hold_is_refused_unread(tmp_path, shape, message):
    with pytest.raises(DataError, match=message):
        count_pictures(with_header(tmp_path / "set.npz", shape), "x")


def test_headers_of_version_2_are_read_and_those_of_others_refused(tmp_path):
    path = with_header(tmp_path / "set.npz", (1, 4, 4, 3), body=bytes(48), version=2)
    assert read_entry(path, "x", 0).shape == (4, 4, 3)
    with zipfile.ZipFile(tmp_path / "new.npz", "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x09\x00" + bytes(100))
    with pytest.raises(DataError, match=r"format 9\.0 of NumPy"):
        count_pictures(tmp_path / "new.npz", "x")


def test_what_would_take_too_much_room_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = saved(tmp_path / "set.npz", x=np.zeros((1000, 64, 64, 3), np.uint8))
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(arrays, "MAX_BYTES", 10**7)
    with pytest.raises(DataError, match=r"takes 12,288,128 bytes unpacked, more than the 10,000,000") as error:
        array_names(path)
    one_line(error)
    monkeypatch.undo()
    monkeypatch.setattr(arrays.shutil, "disk_usage", lambda folder: SimpleNamespace(free=10**6))
    with pytest.raises(OutputError, match=r"more than are free in .*TMPDIR") as error:
        read_entry(path, "x", 0)
    one_line(error)


@pytest.mark.parametrize("keep", [0, 10, 100, 0.3, 0.9, 0.999])
def test_a_file_that_was_cut_short_is_one_line(tmp_path, keep):
    data = saved(tmp_path / "set.npz", x=PICTURES).read_bytes()
    (tmp_path / "set.npz").write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(DataError, match=r"set\.npz: is no whole \.npz file") as error:
        array_names(tmp_path / "set.npz")
    one_line(error)


def test_bytes_that_were_changed_are_an_error_or_change_nothing(tmp_path):
    path = saved(tmp_path / "set.npz", x=PICTURES)
    data = path.read_bytes()
    for position in np.linspace(0, len(data) - 1, 60).astype(int):
        changed = bytearray(data)
        changed[position] ^= 0xFF
        path.write_bytes(changed)
        close_arrays()
        try:
            (name,) = array_names(path)
            same = np.array_equal(read_entry(path, name, 0), PICTURES[0])
        except DataError as error:
            assert "\n" not in str(error)
        else:
            assert same


def test_other_files_are_named_as_what_they_are(tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.npz", "w") as archive:
        archive.writestr("a.png", b"")
    with pytest.raises(DataError, match="holds no arrays"):
        array_names(tmp_path / "photos.npz")
    with pytest.raises(DataError, match="cannot be read"):
        array_names(tmp_path / "lost.npz")


# --- reading once ----------------------------------------------------------------------------------------------------


def test_an_array_is_unpacked_once_whatever_number_of_threads_reads_it(tmp_path, monkeypatch):
    path = saved(tmp_path / "set.npz", train=PICTURES, val=PICTURES[:2], test=PICTURES[2:4])
    unpacked = []
    original = arrays._extremes
    monkeypatch.setattr(arrays, "_extremes", lambda *a: unpacked.append(threading.get_ident()) or original(*a))
    saved(path, train=PICTURES / 255, val=PICTURES[:2] / 255, test=PICTURES[2:4] / 255)
    spec = ColourData(path=str(path), size=16)
    cache = open_cache(find_items(spec), spec, cache_dir=tmp_path / "cache")
    assert len(unpacked) == 3
    assert [note.partition(": ")[0].rpartition(" ")[2] for note in cache.notes] == ["test", "train", "val"]


def test_a_file_that_was_replaced_is_read_anew(tmp_path):
    path = saved(tmp_path / "set.npz", x=PICTURES[:2])
    assert np.array_equal(read_entry(path, "x", 0), PICTURES[0])
    saved(path, x=PICTURES[3:])
    assert np.array_equal(read_entry(path, "x", 0), PICTURES[3])


# --- as a set --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["arr_0", "arr_1"], {("A", None): "arr_0", ("B", None): "arr_1"}),
        (["A", "B"], {("A", None): "A", ("B", None): "B"}),
        (["a", "b"], {("A", None): "a", ("B", None): "b"}),
        (["trainA", "trainB"], {("A", "train"): "trainA", ("B", "train"): "trainB"}),
        (
            ["train_A", "train_b", "TEST_A", "valB"],
            {
                ("A", "train"): "train_A",
                ("B", "train"): "train_b",
                ("A", "test"): "TEST_A",
                ("B", "validation"): "valB",
            },
        ),
        (["train", "val"], {(None, "train"): "train", (None, "validation"): "val"}),
        (["trainA", "testA"], {(None, "train"): "trainA", (None, "test"): "testA"}),
        (["photos"], {(None, None): "photos"}),
        (["trainA"], {(None, None): "trainA"}),
    ],
)
def test_arrays_are_known_by_their_names(tmp_path, names, roles):
    path = saved(tmp_path / "set.npz", **dict.fromkeys(names, PICTURES))
    assert arrays_by_role(path) == roles
    assert has_two_domains(path) == (("A", None) in roles or ("A", "train") in roles)


@pytest.mark.parametrize(
    "names",
    [
        ["photos", "labels"],
        ["A", "B", "labels"],
        ["arr_0", "arr_1", "arr_2"],
        ["train", "trainA"],
        ["A", "trainB"],
        ["trainA", "testB"],
        ["val", "test"],
        ["trainA", "train_A"],
    ],
)
def test_names_that_say_nothing_or_contradict_each_other_are_listed(tmp_path, names):
    path = saved(tmp_path / "set.npz", **dict.fromkeys(names, PICTURES))
    with pytest.raises(DataError, match=f"cannot tell what its arrays are for: {', '.join(names)}; name them") as error:
        arrays_by_role(path)
    one_line(error)


def test_the_pictures_of_a_domain_are_listed_with_their_split(tmp_path):
    path = saved(tmp_path / "set.npz", trainA=PICTURES[:2], trainB=PICTURES[:1], testA=PICTURES[:1])
    assert domain_pictures(path, "A") == [
        ("testA/00000", path, ("testA", 0), "test"),
        ("trainA/00000", path, ("trainA", 0), "train"),
        ("trainA/00001", path, ("trainA", 1), "train"),
    ]
    with pytest.raises(DataError, match=r"has two domains \(trainA, trainB, testA\) where one is needed"):
        domain_pictures(path)


def test_folders_of_two_domains_are_read_like_arrays(tmp_path, pictures):
    for name in ("trainA", "trainB", "testB"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "x.png").touch()
    folder = tmp_path / "set"
    assert has_two_domains(folder) and not has_two_domains(pictures)
    assert [(name, split) for name, _, _, split in domain_pictures(folder, "B")] == [
        ("testB/x.png", "test"),
        ("trainB/x.png", "train"),
    ]
    (folder / "y.png").touch()  # as public sets have: what has no letter is of neither domain
    assert [name for name, *_ in domain_pictures(folder, "A")] == ["trainA/x.png"]


def test_a_colour_set_is_cached_from_arrays_as_from_files(tmp_path):
    path = saved(tmp_path / "set.npz", PICTURES)
    (tmp_path / "files").mkdir()
    for i, picture in enumerate(PICTURES):
        Image.fromarray(picture).save(tmp_path / "files" / f"{i}.png")
    caches = []
    for where in (path, tmp_path / "files"):
        spec = ColourData(path=str(where), size=20)
        caches.append(open_cache(find_items(spec), spec, cache_dir=tmp_path / "cache"))
    assert caches[0].names[:2] == ("arr_0/00000", "arr_0/00001")
    assert caches[0].target(0).shape == (20, 24, 3)
    difference = np.abs(caches[0].flat.astype(int) - caches[1].flat)
    assert difference.max() <= 2  # files are reduced by another routine of libvips
    assert caches[0].items[3].entry == ("arr_0", 3)
    again = open_cache(caches[0].items, ColourData(path=str(path), size=20), cache_dir=tmp_path / "cache")
    assert again.path == caches[0].path
    saved(path, PICTURES[::-1])
    changed = open_cache(caches[0].items, ColourData(path=str(path), size=20), cache_dir=tmp_path / "cache")
    assert changed.path != caches[0].path


def test_prints_know_copies_by_their_samples_and_shape(tmp_path):
    flat = np.zeros((2, 8, 16), np.uint8)
    flat[:, :4] = 255
    path = saved(tmp_path / "set.npz", train=np.stack([*PICTURES, PICTURES[0]]), val=flat, test=flat.reshape(2, 16, 8))
    items = {item.name: item for item in find_items(ColourData(path=str(path)))}
    first, second, copy, wide, high = (
        item_fingerprint(items[name])
        for name in ("train/00000", "train/00001", "train/00006", "val/00000", "test/00000")
    )
    assert first == copy and first.sha256 != second.sha256 and wide.sha256 != high.sha256
    Image.fromarray(PICTURES[0]).save(tmp_path / "a.png")
    assert fingerprint(tmp_path / "a.png").phash == first.phash


def test_grey_arrays_train_as_pictures_without_colour_and_check_says_so(tmp_path):
    path = saved(tmp_path / "set.npz", train=PICTURES[..., 0] / np.float32(255), test=PICTURES[:1])
    report = check_folder(path)
    assert (report.pictures, report.other_files, report.usable) == (7, 0, True)
    assert report.splits == {"train": 6, "test": 1}
    assert report.modes == {"npz, 1 channel, 32 bits": 6, "npz, 3 channels, 8 bits": 1}
    assert len(report.grey) == 6
    assert report.shorter_side == (40, 40, 40)


def test_layouts_that_take_no_arrays_say_so(tmp_path):
    path = saved(tmp_path / "set.npz", A=PICTURES, B=PICTURES)
    with pytest.raises(DataError, match=r"has two domains \(A, B\)"):
        find_items(ColourData(path=str(path)))
    with pytest.raises(DataError, match=r"is a file; data\.path must name a folder"):
        find_items(SideBySideData(path=str(path)))
    with pytest.raises(DataError, match=r"lost\.npz: no such file; data\.path must name a folder .* or an \.npz file"):
        find_items(ColourData(path=str(tmp_path / "lost.npz")))
