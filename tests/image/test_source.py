"""What a picture is read from: files that are none, and names of every kind."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from tintype.errors import ImageError
from tintype.image.file import open_picture, read_image, write_image


@pytest.fixture
def picture(tmp_path):
    write_image(tmp_path / "a.png", np.zeros((3, 5), np.uint8))
    return tmp_path / "a.png"


def check(path, reason):
    with pytest.raises(ImageError) as error:
        open_picture(path)
    assert reason in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    check(tmp_path / "pipe.png", "not a regular file")


@pytest.mark.skipif(sys.platform != "linux", reason="devices of Linux")
def test_a_device_is_refused():
    check("/dev/zero", "not a regular file")


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_a_name_that_is_no_text_can_be_read_and_printed(picture):
    odd = picture.with_name(os.fsdecode(b"caf\xe9.png"))
    picture.rename(odd)
    assert read_image(odd).width == 5
    odd.write_bytes(b"nonsense")
    check(odd, r"caf\udce9.png: not a readable picture")


def test_a_line_break_in_a_name_does_not_break_the_message(tmp_path):
    check(tmp_path / "a\nb\x1b.png", r"a\nb\x1b.png: cannot be read (No such file or directory)")


def test_a_null_character_in_a_name_is_refused():
    check("a\0b.png", r"a\x00b.png: cannot be read (no file name holds a null character)")


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no symbolic links here")
def test_links_are_followed_and_loops_of_them_refused(picture):
    picture.with_name("link.png").symlink_to(picture)
    assert read_image(picture.with_name("link.png")).width == 5
    loop = picture.with_name("loop.png")
    loop.symlink_to(loop)
    check(loop, "cannot be read (")


def test_nothing_is_kept_open(picture):
    if not os.path.isdir("/proc/self/fd"):  # noqa: PTH112
        pytest.skip("no list of open files here")
    read_image(picture)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(20):
        read_image(picture)
        with pytest.raises(ImageError):
            open_picture(picture.parent)
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208
