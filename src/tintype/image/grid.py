"""Panels: pictures in rows and columns with labels, on white, for samples and reports.

Takes and returns display pictures; where they come from, and which of them are worth showing, is decided elsewhere.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

import numpy as np
import pyvips

from tintype.errors import MissingExtraError
from tintype.image.resize import resize

_INK = np.float32(0.2)  # dark grey; black text would outshine dark pictures
_LINE = 1.164  # height of a line of DejaVu Sans in units of its size
_MARGIN = 16
_GAP = 6


def panel(
    rows: Sequence[Sequence[np.ndarray]],
    column_labels: Sequence[str],
    row_labels: Sequence[str] | None = None,
    cell: int = 192,
) -> np.ndarray:
    """Lay pictures out in a labelled table.

    Args:
        rows: Display pictures `h w c` in [0, 1], c = 1 or 3, of any sizes; all rows have as many as there are columns.
        column_labels: A label above each column; may be empty strings.
        row_labels: A label to the left of each row; default: none.
        cell: Pixels of the longer side of each picture in the panel; the aspect is kept.

    Returns:
        uint8 `h w 3`, ready to be written.

    Raises:
        MissingExtraError: matplotlib, whose font is used, is not installed.
    """
    size = max(10, round(cell / 14))
    pictures = [[_fit(picture, cell) for picture in row] for row in rows]
    heights = [max(picture.shape[0] for picture in row) for row in pictures]
    widths = [max(picture.shape[1] for picture in column) for column in zip(*pictures, strict=True)]
    above = [text(label, size, width, "centre") for label, width in zip(column_labels, widths, strict=True)]
    left = [text(label, size, cell, "high") for label in row_labels or [""] * len(rows)]

    left_width = max(label.shape[1] for label in left)
    above_height = max(label.shape[0] for label in above)
    x_start = _MARGIN + (left_width + size if left_width else 0)
    y_start = _MARGIN + (above_height + size // 2 if above_height else 0)
    xs = [x_start + sum(widths[:i]) + i * _GAP for i in range(len(widths))]
    ys = [y_start + sum(heights[:i]) + i * _GAP for i in range(len(heights))]
    canvas = np.ones((ys[-1] + heights[-1] + _MARGIN, xs[-1] + widths[-1] + _MARGIN, 3), dtype=np.float32)

    for label, x, width in zip(above, xs, widths, strict=True):
        _paste(canvas, label, _MARGIN + above_height - label.shape[0], x + (width - label.shape[1]) // 2)
    for label, row, y, height in zip(left, pictures, ys, heights, strict=True):
        _paste(canvas, label, y + (height - label.shape[0]) // 2, _MARGIN + left_width - label.shape[1])
        for picture, x, width in zip(row, xs, widths, strict=True):
            _paste(canvas, picture, y + (height - picture.shape[0]) // 2, x + (width - picture.shape[1]) // 2)
    return np.rint(canvas * 255).astype(np.uint8)


def _fit(picture: np.ndarray, cell: int) -> np.ndarray:
    height, width = picture.shape[:2]
    scale = cell / max(height, width)
    return np.clip(resize(picture, max(1, round(height * scale)), max(1, round(width * scale))), 0, 1)


def text(label: str, size: int, width: int, align: Literal["centre", "high"]) -> np.ndarray:
    """Draw a label `h w 1` in whole lines wrapped at `width`, so that labels side by side share their baseline.

    Raises:
        MissingExtraError: matplotlib, whose font is used, is not installed.
    """
    if not label.strip():
        return np.ones((0, 0, 1), dtype=np.float32)
    ink = pyvips.Image.text(
        f'<span insert_hyphens="false">{escape(label)}</span>',
        font=f"DejaVu Sans {size}",
        fontfile=str(font()),
        dpi=72,  # a point is a pixel
        width=width,
        wrap="word-char",
        align=align,
    )
    coverage = ink.numpy().reshape(ink.height, ink.width, 1) / np.float32(255)
    bottom = ink.yoffset + ink.height
    slack = size // 4  # rounding and descenders reach a little below the last line
    lines = math.ceil((bottom - slack) / (_LINE * size))
    height = math.ceil(lines * _LINE * size) + slack
    padded = np.pad(coverage, ((ink.yoffset, height - bottom), (0, 0), (0, 0)))
    return 1 - padded * (1 - _INK)


def font() -> Path:
    """Return the font that matplotlib brings along: a bare machine may have none.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        raise MissingExtraError("labels are drawn with a font of matplotlib; pip install 'tintype[train]'")
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"


def _paste(canvas: np.ndarray, picture: np.ndarray, y: int, x: int) -> None:
    canvas[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
