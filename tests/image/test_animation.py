"""Files that play: all pictures in their order, at their pace, over and over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pyvips

from tintype.errors import OutputError
from tintype.image.animation import plays, write_animation

FRAMES = [np.full((9, 12, 3), level, np.uint8) for level in (0, 128, 255)]


@pytest.mark.parametrize("name", ["clip.gif", "clip.WEBP"])
def test_a_file_plays_all_pictures_again_and_again(name: str, tmp_path: Path) -> None:
    assert plays(tmp_path / name)
    write_animation(tmp_path / name, FRAMES, milliseconds=80)
    found = pyvips.Image.new_from_file(str(tmp_path / name), n=-1)
    assert found.get("n-pages") == 3
    assert (found.get("page-height"), found.width) == (9, 12)
    assert found.get("delay") == [80, 80, 80]
    assert found.get("loop") == 0
    levels = found.numpy().reshape(3, 9, 12, -1)[:, 4, 6, 0]
    np.testing.assert_allclose(levels, [0, 128, 255], atol=4)


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    assert not plays(tmp_path / "clip.png")
    with pytest.raises(OutputError, match=r"clip\.gif: cannot be written"):
        write_animation(tmp_path / "absent" / "clip.gif", FRAMES)
    assert list(tmp_path.iterdir()) == []
