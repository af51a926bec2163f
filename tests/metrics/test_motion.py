"""Figures of motion are those of clips whose motion is known."""

from __future__ import annotations

import numpy as np
import pytest

from tintype.image.place import placed
from tintype.metrics.motion import centres, followed, motion_row, stills, stopped
from tintype.metrics.sample_tables import motion_table, motion_verdict

PICTURES = np.zeros((3, 9, 9), np.float32)
PICTURES[:, 1:8, 2:7] = np.random.default_rng(0).uniform(0.3, 1, (3, 7, 5))


def clips(speed: float, frames: int = 5) -> np.ndarray:
    """Of the pictures, which go down, `n h w t`."""
    corners = np.stack([[4 + speed * np.arange(frames), np.full(frames, 6.0)]] * 3).transpose(0, 2, 1)
    shown = np.repeat(PICTURES[:, None], frames, axis=1)
    return placed(shown, corners.astype(np.float32), 24).transpose(0, 2, 3, 1)


def test_speed_is_that_of_the_clips_and_a_straight_line_does_not_turn() -> None:
    row = motion_row("real", clips(1.5), 9)
    assert row.clips == 3
    assert row.speed == pytest.approx(1.5, abs=1e-3)
    assert row.speed_spread == pytest.approx(0, abs=1e-3)
    assert row.turning == pytest.approx(0, abs=1e-2)
    assert row.change > 0
    assert motion_row("real", clips(2.0), 9).deforming == pytest.approx(0, abs=1e-4)  # on whole pixels


def test_what_stands_still_has_no_motion_at_all() -> None:
    row = motion_row("still", stopped(clips(1.5)), 9)
    assert (row.change, row.speed, row.turning, row.deforming) == (0, 0, 0, 0)


def test_what_changes_on_its_way_is_told_from_what_moves() -> None:
    flickering = clips(2.0) * np.array([1, 0.5, 1, 0.5, 1], np.float32)
    assert motion_row("model", flickering, 9).deforming > 0.05


def test_what_moves_is_cut_out_in_its_place() -> None:
    found = followed(clips(2.0), 9)
    np.testing.assert_allclose(found, np.repeat(PICTURES[..., None], 5, axis=3), atol=0.12)
    single = stills(clips(2.0), 9)
    assert single.shape == (3, 9, 9, 1)
    for clip, frame in enumerate((0, 1, 3)):
        np.testing.assert_array_equal(single[clip, ..., 0], found[clip, ..., frame])


def test_a_black_frame_has_its_centre_in_the_middle() -> None:
    black = np.zeros((1, 8, 8, 2), np.float32)
    np.testing.assert_allclose(centres(black), 3.5)
    assert np.isfinite(followed(black, 4)).all()


def test_the_table_names_what_stands_beside_the_model() -> None:
    rows = [motion_row(name, clips(speed), 9) for name, speed in (("model", 1.0), ("real", 2.0), ("still", 0.0))]
    table = motion_table(rows)
    assert table["head"] == ["", "model", "real clips", "a still picture"]
    assert ["speed, pixels a frame", "1.00 ± 0.00", "2.00 ± 0.00", "0.00 ± 0.00"] in table["rows"]
    assert all(len(row) == 4 for row in table["rows"])
    assert "move by 1.00 px a frame, real ones by 2.00" in motion_verdict(rows)
