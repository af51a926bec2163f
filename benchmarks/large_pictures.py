"""Large pictures through the command: wall time, and the most memory that was resident.

    python benchmarks/large_pictures.py [--side 20000] [--tiled-side 8000] [--folder DIR]

A grey TIFF of side x side pixels (a bundled Hubble picture, enlarged) is coloured by a 256-px colouriser; a colour TIFF
of tiled-side goes through a residual RGB generator with instance norm, in tiles within 2 GB. Weights are freshly drawn.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pyvips
from fresh_model import fresh_model
from measured import run

from tintype.data.paths import bundled_folder


def enlarged(path: Path, side: int, *, grey: bool, compression: str) -> Path:
    """Write a bundled picture, enlarged to side x side, as a TIFF."""
    source = sorted(bundled_folder("hubble").glob("*.jpg"))[0]
    image = pyvips.Image.new_from_file(str(source))
    square = image.crop(0, 0, min(image.width, image.height), min(image.width, image.height))
    large = square.resize(side / square.width, kernel="linear").crop(0, 0, side, side)
    (large.colourspace("b-w") if grey else large).tiffsave(str(path), compression=compression)
    return path


def report(what: str, *words: str) -> None:
    """Run the command and print its time and its peak of resident memory."""
    done = run("translate", *words)
    print(done.stderr, end="")
    if done.code:
        raise SystemExit(done.code)
    print(f"{what}: {done.wall_s:.1f} s, {done.cpu_s:.1f} CPU s, {done.peak_gb:.2f} GB resident", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--tiled-side", type=int, default=8_000)
    parser.add_argument("--compression", default="none", help="of the TIFF that is coloured")
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        colouriser = fresh_model(folder / "colouriser", "photos-lab")
        tiled = fresh_model(folder / "tiled", "faces-cartoons-small")
        if arguments.side:
            large = enlarged(folder / "large.tif", arguments.side, grey=True, compression=arguments.compression)
            words = (str(large), "--model", str(colouriser), "--out", str(folder / "out"))
            report(f"{arguments.side:,} px square, coloured", *words)
        if arguments.tiled_side:
            wide = enlarged(folder / "wide.tif", arguments.tiled_side, grey=False, compression="none")
            words = (str(wide), "--model", str(tiled), "--out", str(folder / "out"), "--memory", "2GB")
            report(f"{arguments.tiled_side:,} px square, in tiles", *words)


if __name__ == "__main__":
    main()
