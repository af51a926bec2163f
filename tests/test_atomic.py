"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import os

import pytest

from tintype.atomic import atomic_path, final_name
from tintype.errors import OutputError


def test_the_file_appears_at_the_end_with_its_content_and_ordinary_rights(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("old")
    plain = tmp_path / "plain"
    plain.touch()
    with atomic_path(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".onnx"
        assert temporary.name.startswith(".")
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert path.stat().st_mode == plain.stat().st_mode
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.onnx", "plain"]


@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(error)), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_an_output_error_of_one_line(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(OutputError, match="No space left") as caught, atomic_path(path) as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_missing_is_an_output_error(tmp_path):
    with (
        pytest.raises(OutputError, match="check that its folder exists"),
        atomic_path(tmp_path / "no" / "a") as temporary,
    ):
        temporary.write_text("x")


def test_long_names_in_any_script_can_be_written(tmp_path):
    path = tmp_path / ("写" * 80 + ".png")
    with atomic_path(path) as temporary:
        temporary.touch()
    assert path.exists()


@pytest.mark.parametrize("name", ["last.pt", "a.b.json", "no-suffix", "写.png", "ab-0123abcd.png"])
def test_a_temporary_file_tells_its_final_name(tmp_path, name):
    with atomic_path(tmp_path / name) as temporary:
        temporary.touch()
        assert final_name(temporary.name) == name


@pytest.mark.parametrize("name", ["last.pt", ".lock", ".cache-notes.txt", ".a-0123ABCD.pt", "a-0123abcd.pt", "."])
def test_other_files_are_not_taken_for_temporary_ones(name):
    assert final_name(name) is None
