"""Tiles of a whole-picture model against the untiled result: how visible their borders are, and how far tones drift.

    python benchmarks/seams.py MODEL.safetensors PICTURE --tile 256

`step`: the largest step between neighbouring columns or rows (means over 16 px along them) where tiles give way to each
other, in units of the largest such step elsewhere: at most 1 is within the network's own local variation. `untiled` is
the same ratio of the untiled result, which has no borders there. `jump`: the largest step in the difference between
tiled and untiled, in levels of 255: what tiling alone adds. `drift`: mean difference to the untiled result, in levels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from tintype.image.array_picture import ArrayPicture
from tintype.image.file import read_image
from tintype.inference.sizing import Sizing
from tintype.inference.tiling import spans_of
from tintype.inference.translator import Translator

ALONG = 16


def main() -> None:
    """Print a line for each way of normalising."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--tile", type=int, default=256)
    options = parser.parse_args()
    translator = Translator(options.model)
    picture = ArrayPicture(read_image(options.picture))
    whole = translator.translate(picture, settings=Sizing(tile=max(picture.info.height, picture.info.width))).pixels()
    zones = [border_zones(length, options.tile, translator) for length in whole.shape[:2]]
    for statistics in ("tile", "whole"):
        settings = Sizing(tile=options.tile, statistics=statistics)
        result = translator.translate(picture, settings=settings).pixels()
        step = max(ratio(result, zones, axis) for axis in (0, 1))
        untiled = max(ratio(whole, zones, axis) for axis in (0, 1))
        jump = 255 * max(steps(result - whole, axis)[zones[axis]].max() for axis in (0, 1))
        drift = 255 * np.abs(result - whole).mean()
        print(f"statistics of the {statistics:5} step {step:.2f} (untiled {untiled:.2f})", end="  ")
        print(f"jump {jump:.1f}  drift {drift:.1f}")


def border_zones(length: int, side: int, translator: Translator) -> np.ndarray:
    """Which steps along a line of `length` lie where tiles give way to each other: bool `length-1`."""
    zones = np.zeros(length - 1, bool)
    for span in spans_of(length, side, translator.card)[:-1]:
        zones[span.fade_out[0] - 1 : span.fade_out[1] + 1] = True
    return zones


def steps(picture: np.ndarray, axis: int) -> np.ndarray:
    """The largest step from each row or column to the next, means over `ALONG` pixels along it."""
    lines = np.moveaxis(picture, axis, 0)
    lines = lines[:, : lines.shape[1] // ALONG * ALONG]
    means = lines.reshape(lines.shape[0], -1, ALONG, lines.shape[2]).mean(2)
    return np.abs(np.diff(means, axis=0)).max(axis=(1, 2))


def ratio(picture: np.ndarray, zones: list[np.ndarray], axis: int) -> float:
    """Largest step where tiles meet by the largest elsewhere."""
    found = steps(picture, axis)
    return float(found[zones[axis]].max() / found[~zones[axis]].max())


if __name__ == "__main__":
    main()
