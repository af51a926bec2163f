"""Panels: size, place of the pictures, labels."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from tintype.errors import MissingExtraError
from tintype.image.grid import panel, text

RED, GREEN = (np.broadcast_to(np.float32(colour), (32, 48, 3)) for colour in ([1, 0, 0], [0, 1, 0]))
GREY = np.full((32, 48, 1), 0.5, dtype=np.float32)


def count(picture, colour):
    return int((picture == np.array(colour, dtype=np.uint8)).all(axis=2).sum())


def first(picture, colour):
    return np.argwhere((picture == np.array(colour, dtype=np.uint8)).all(axis=2))[0]


def test_every_picture_is_there_at_full_size_with_its_aspect():
    result = panel([[RED, GREEN], [GREY, RED]], ["", ""], cell=96)
    assert result.dtype == np.uint8
    assert count(result, [255, 0, 0]) == 2 * 96 * 64
    assert count(result, [0, 255, 0]) == 96 * 64
    assert count(result, [128, 128, 128]) == 96 * 64


def test_rows_and_columns_keep_their_order():
    result = panel([[RED, GREEN], [GREY, GREY]], ["", ""], cell=48)
    red, green, grey = (first(result, colour) for colour in ([255, 0, 0], [0, 255, 0], [128, 128, 128]))
    assert red[0] == green[0] < grey[0]
    assert red[1] == grey[1] < green[1]


def test_pictures_of_different_sizes_fill_the_same_cell():
    small = np.broadcast_to(np.float32([0, 0, 1]), (8, 12, 3))
    result = panel([[RED, small]], ["", ""], cell=48)
    assert count(result, [255, 0, 0]) == count(result, [0, 0, 255]) == 48 * 32


def test_values_outside_display_space_are_clipped():
    assert count(panel([[RED * 3 - 1]], [""], cell=48), [255, 0, 0]) == 48 * 32


def test_labels_take_room_and_leave_ink_beside_the_pictures():
    bare = panel([[RED, GREEN]], ["", ""], cell=96)
    labelled = panel([[RED, GREEN]], ["source", "truth"], ["heic0108a.jpg"], cell=96)
    assert labelled.shape[0] > bare.shape[0]
    assert labelled.shape[1] > bare.shape[1]
    top, left = first(labelled, [255, 0, 0])
    assert labelled[:top].min() < 100
    assert labelled[top:, :left].min() < 100
    assert labelled[:8].min() == 255  # the margin


def test_labels_are_text_and_not_markup():
    assert panel([[RED]], ["a < b & <c>"], cell=96).shape[2] == 3


def test_a_long_label_does_not_widen_its_column():
    bare = panel([[RED]], [""], cell=96)
    assert panel([[RED]], ["a label that is far longer than the picture below it"], cell=96).shape[1] == bare.shape[1]
    assert panel([[RED]], ["an_unbreakable_label_that_is_longer_than_the_picture"], cell=96).shape[1] == bare.shape[1]


def test_labels_side_by_side_share_their_baseline():
    result = panel([[RED, RED]], ["source", "generated"], cell=192)
    ink = (result[: first(result, [255, 0, 0])[0]].min(axis=2) < 128).any(axis=1)
    alone = panel([[RED, RED]], ["source", "source"], cell=192)
    ink_alone = (alone[: first(alone, [255, 0, 0])[0]].min(axis=2) < 128).any(axis=1)
    assert result.shape == alone.shape
    descenders = np.flatnonzero(ink)[-1] - np.flatnonzero(ink_alone)[-1]
    assert 2 <= descenders <= 5  # only the g reaches below the line that both stand on


def test_a_missing_font_names_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"tintype\[train\]"):
        panel([[RED]], ["source"])


@pytest.mark.parametrize("cell", [96, 128, 160, 192, 256])
def test_labels_with_and_without_descenders_stand_on_one_line(cell):
    plain, descending = (text(label, max(10, round(cell / 14)), cell, "centre") for label in ("source", "generated"))
    assert plain.shape[0] == descending.shape[0]
