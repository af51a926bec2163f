"""What hints are worth: PSNR with the true colour at random points of unseen pictures, minus PSNR without any.

    python benchmarks/hints.py MODEL FOLDER --points 10

Points follow from the content of each picture, so that every model is asked the same. What is told is the colour of the
one pixel there. Pictures are those with colour, whole, in their own size. With `--part test` they are those of a run
folder's own set that it never saw.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

from tintype.image.file import find_pictures, read_image
from tintype.inference.hints import Hint
from tintype.inference.translator import Translator
from tintype.metrics.colour import mean_chroma
from tintype.metrics.fidelity import psnr
from tintype.metrics.interval import bootstrap_interval
from tintype.metrics.summary import COLOURED_THRESHOLD


def main() -> None:
    """Print the mean gain for each number of points."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", type=int, nargs="+", default=[10])
    parser.add_argument("--part", choices=("validation", "test"), help="of the split of the run folder MODEL")
    parser.add_argument("--pictures", type=int, help="at most so many, evenly spaced")
    parser.add_argument("--strength", type=float, default=1.0)
    options = parser.parse_args()
    files = find_pictures(options.folder)
    if options.part:
        files = [options.folder / name for name in json.loads((options.model / "split.json").read_text())[options.part]]
    if options.pictures and options.pictures < len(files):
        files = [files[number * len(files) // options.pictures] for number in range(options.pictures)]
    translator = Translator(options.model)
    rows = [row for file in files if (row := figures(translator, file, options.points, options.strength))]
    table = np.array(rows)
    print(
        f"{len(table)} pictures in colour; grey copy {table[:, 0].mean():.2f} dB, no hints {table[:, 1].mean():.2f} dB"
    )
    for points, column in zip(options.points, table.T[2:], strict=True):
        gain = bootstrap_interval(column - table[:, 1])
        print(f"{points} points: {column.mean():.2f} dB, gain {gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}] dB")


def figures(translator: Translator, file: Path, points: list[int], strength: float) -> list[float]:
    """PSNR of a picture in grey, without hints, and with each number of points; nothing for one without colour."""
    truth = read_image(file).pixels
    if truth.shape[2] == 1 or mean_chroma(truth) < COLOURED_THRESHOLD:
        return []
    source = translator.codec.source_from(truth.transpose(2, 0, 1)[None])[0].transpose(1, 2, 0)
    hints = true_hints(truth, max(points), int(hashlib.sha256(file.read_bytes()).hexdigest()[:16], 16))
    told = [translator.predict(source, hints=hints[:count]).render(strength) for count in (0, *points)]
    return [psnr(one, truth) for one in (translator.predict(source).render(0), *told)]


def true_hints(truth: np.ndarray, count: int, seed: int) -> list[Hint]:
    """The colours of a picture `h w 3` at points that are drawn evenly over it."""
    random = np.random.default_rng(seed)
    rows, columns = (random.integers(length, size=count) for length in truth.shape[:2])
    return [
        Hint(x + 0.5, y + 0.5, tuple(truth[y, x].tolist()))
        for y, x in zip(rows.tolist(), columns.tolist(), strict=True)
    ]


if __name__ == "__main__":
    main()
