"""Uploaded files and zips become a folder of pictures within bounds, and results a zip; no name leads elsewhere."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import pytest
from tests.conftest import make_picture

from tintype.errors import DataError, LimitError
from tintype.image.file import write_image
from tintype.inference.one import Result
from tintype.server.studio_words import problem

pytest.importorskip("gradio")
from tintype.server.studio_batch import pack, unpack
from tintype.server.studio_hints import colour_of


def make_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def png():
    return b"\x89PNG" + b"0" * 100


def names_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_files_and_zips_are_gathered_with_their_folders(tmp_path):
    write_image(tmp_path / "a.png", make_picture(0))
    packed = make_zip(tmp_path / "more.ZIP", {"b/a.png": png(), "a.png": png(), "readme.txt": "x", "b/": ""})
    assert unpack([tmp_path / "a.png", packed], tmp_path / "in", 10, 10**6) == 3
    assert names_in(tmp_path / "in") == ["2/a.png", "a.png", "b/a.png"]


@pytest.mark.parametrize(
    "name",
    [
        "../a.png",
        "/a.png",
        "a/../../b.png",
        "..\\a.png",
        "C:\\a.png",
        ".hidden/a.png",
        "__MACOSX/a.png",
        "a/" * 9 + "b.png",
    ],
)
def test_names_that_lead_elsewhere_or_are_hidden_are_left_out(tmp_path, name):
    packed = make_zip(tmp_path / "a.zip", {name: png(), "good.png": png()})
    assert unpack([packed], tmp_path / "in" / "deep", 10, 10**6) == 1
    assert names_in(tmp_path / "in") == ["deep/good.png"]


def test_too_many_and_too_large_are_refused_whatever_the_zip_says(tmp_path):
    many = make_zip(tmp_path / "many.zip", {f"{i}.png": b"" for i in range(4)})
    with pytest.raises(LimitError, match="more than the 3 pictures"):
        unpack([many], tmp_path / "1", 3, 10**6)
    bomb = make_zip(tmp_path / "bomb.zip", {"a.png": b"\0" * 10**7})
    assert bomb.stat().st_size < 20_000
    with pytest.raises(LimitError, match="more than the 1 MiB"):
        unpack([bomb], tmp_path / "2", 3, 2**20)
    assert sum(path.stat().st_size for path in (tmp_path / "2").rglob("*.png")) <= 2**20


def test_a_damaged_zip_and_one_without_pictures_are_refused_in_a_line(tmp_path):
    good = make_zip(tmp_path / "good.zip", {"a.png": png() * 50})
    (tmp_path / "cut.zip").write_bytes(good.read_bytes()[:60])
    damaged = bytearray(good.read_bytes())
    damaged[45] ^= 255
    (tmp_path / "flipped.zip").write_bytes(damaged)
    for name in ("cut.zip", "flipped.zip"):
        with pytest.raises(DataError, match=f"{name}: is damaged"):
            unpack([tmp_path / name], tmp_path / f"in-{name}", 10, 10**6)
    for number, given in enumerate(([], [make_zip(tmp_path / "text.zip", {"a.txt": "x"})])):
        with pytest.raises(DataError, match="no pictures"):
            unpack(given, tmp_path / f"none-{number}", 10, 10**6)


def test_results_are_packed_below_their_folders_and_removed(tmp_path):
    (tmp_path / "out" / "b").mkdir(parents=True)
    results = []
    for name in ("a.png", "b/a.png"):
        (tmp_path / "out" / name).write_bytes(name.encode())
        results.append(Result(tmp_path / "in" / name, tmp_path / "out" / name, "done"))
    packed = pack(results, tmp_path)
    with zipfile.ZipFile(io.BytesIO(packed.read_bytes())) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"a.png": b"a.png", "b/a.png": b"b/a.png"}
    assert names_in(tmp_path / "out") == []
    assert pack([], tmp_path) is None


@pytest.mark.parametrize(
    ("text", "colour"),
    [("#ff0080", (1, 0, 128 / 255)), ("rgba(255, 0, 51.0, 1)", (1, 0, 0.2)), ("rgb(0,0,0)", (0, 0, 0))],
)
def test_colours_are_read_as_a_picker_gives_them(text, colour):
    assert colour_of(text) == pytest.approx(colour)


@pytest.mark.parametrize("text", ["", "red", "#ff", "#gg0000", "rgba(256,0,0,1)", "rgba(1.1.1,0,0,1)", "url(x)"])
def test_what_is_no_colour_is_refused(text):
    from tintype.errors import UsageError

    with pytest.raises(UsageError, match="like #3366cc"):
        colour_of(text)


def test_errors_are_one_escaped_line_without_folders_of_the_server(caplog):
    file = Path(tempfile.gettempdir(), "tintype-a1", "uploads", "<b> c.png")
    line = problem(DataError(f"{file}: is\nbroken; not /usr/a.png"))
    assert line == '<p class="problem" role="alert">&lt;b&gt; c.png: is broken; not /usr/a.png</p>'
    unforeseen = problem(KeyError(str(file)))
    assert "defect" in unforeseen and "c.png" not in unforeseen
    assert caplog.records
