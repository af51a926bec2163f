"""Picture files: against Pillow, there and back, and what damaged or odd files lead to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tintype.image.file import (
    PICTURE_SUFFIXES,
    find_pictures,
    picture_suffix,
)


def test_find_pictures_goes_by_suffix_sorts_and_passes_hidden_files_over(tmp_path):
    for name in ("b.PNG", "a/z.jpeg", "a/notes.txt", ".hidden.png", ".cache/x.png", "a/c.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path)] == [
        "a/c.tif",
        "a/z.jpeg",
        "b.PNG",
    ]


def test_a_hidden_parent_does_not_hide_the_folder_that_was_named(tmp_path):
    folder = tmp_path / ".cache"
    folder.mkdir()
    (folder / "a.png").touch()
    assert find_pictures(folder) == [folder / "a.png"]


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("m31.fits", ".fits"),
        ("M31.FITS.GZ", ".fits.gz"),
        ("v1.2.fit.bz2", ".fit.bz2"),
        ("archive.gz", ""),
        ("photo.old.jpeg", ".jpeg"),
        ("photo.jpeg.old", ""),
        ("jpeg", ""),
        (".fits.gz", ""),
    ],
)
def test_the_suffix_of_a_picture_counts_its_compression(name, suffix):
    assert picture_suffix(Path("a.png") / name) == suffix
    assert suffix in PICTURE_SUFFIXES | {""}


def test_compressed_fits_files_are_found(tmp_path):
    for name in ("a.fits.gz", "b.tar.gz", "c.fts.bz2"):
        (tmp_path / name).touch()
    assert [path.name for path in find_pictures(tmp_path)] == ["a.fits.gz", "c.fts.bz2"]
