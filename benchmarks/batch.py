"""A batch of pictures through the command, against what its stages cost alone.

    python benchmarks/batch.py [--count 500] [--format jpg] [--recipe hubble-lab] [--sample 20] [--folder DIR]

Grey pictures of 1920 x 1200 px (bundled Hubble pictures, enlarged and cut) are coloured by a colouriser with freshly
drawn weights. The CPU seconds of every stage are measured alone on a sample; their sum divided by the cores is the time
of a batch whose stages overlap without a gap and cost nothing to bring together. The bar is 1.2 times that.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyvips
from fresh_model import fresh_model

from tintype.data.paths import bundled_folder
from tintype.image.array_picture import ArrayPicture
from tintype.image.file import open_picture, read_image, write_picture
from tintype.image.picture import strip_rows
from tintype.inference.batch import core_count
from tintype.inference.colourise import network_size
from tintype.inference.translator import Translator

WIDTH, HEIGHT = 1920, 1200
BAR = 1.2


def make_pictures(folder: Path, count: int, suffix: str) -> list[Path]:
    """Write grey pictures, no two alike."""
    folder.mkdir()
    sources = sorted(bundled_folder("hubble").glob("*.jpg"))
    made = []
    for number in range(count):
        image = pyvips.Image.new_from_file(str(sources[number % len(sources)])).colourspace("b-w")
        turn = number // len(sources)
        image = image.flip("horizontal") if turn % 2 else image
        image = image.flip("vertical") if turn // 2 % 2 else image
        scale = max(WIDTH / image.width, HEIGHT / image.height) * (1 + turn // 4 / 10)
        large = image.resize(scale + 0.01).crop(0, 0, WIDTH, HEIGHT)
        made.append(folder / f"{number:04}{suffix}")
        large.write_to_file(str(made[-1]))
    return made


def cpu_seconds(work: Callable[[Path], object], pictures: list[Path]) -> float:
    """CPU seconds of all threads for a picture, the first one left out: it is a warm-up."""
    work(pictures[0])
    before = time.process_time()
    for picture in pictures[1:]:
        work(picture)
    return (time.process_time() - before) / (len(pictures) - 1)


def stages(pictures: list[Path], model: Path, out: Path) -> dict[str, float]:
    """CPU seconds of each stage for a picture, alone, with one thread of the network."""
    translator = Translator(model, threads=1)
    small = network_size(HEIGHT, WIDTH, translator.card)
    rows = strip_rows(WIDTH)
    results = {path: read_image(path) for path in pictures}
    decoded = {path: ArrayPicture(image) for path, image in results.items()}
    reduced = {path: np.ascontiguousarray(picture.reduced(*small)) for path, picture in decoded.items()}
    coloured = {path: list(translator.translate(picture).strips()) for path, picture in decoded.items()}
    out.mkdir()
    decode = cpu_seconds(lambda path: list(open_picture(path).strips(rows)), pictures)
    reduce = cpu_seconds(lambda path: open_picture(path).reduced(*small), pictures)
    network = cpu_seconds(lambda path: translator.network(reduced[path]), pictures)
    whole = cpu_seconds(lambda path: list(translator.translate(decoded[path]).strips()), pictures)
    again = cpu_seconds(lambda path: decoded[path].reduced(*small), pictures)
    encode = cpu_seconds(
        lambda path: write_picture(out / path.name, iter(coloured[path]), decoded[path], channels=3), pictures
    )
    return {
        "decode": decode,
        "decode and reduce for the network": reduce,
        "network": network,
        "join": max(0.0, whole - network - again),
        "encode": encode,
    }


def batch(folder: Path, model: Path, out: Path, extra: list[str], limit_vips: bool) -> tuple[float, float]:
    """Wall and CPU seconds of the command."""
    environment = {**os.environ, **({"VIPS_CONCURRENCY": "1"} if limit_vips else {})}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "tintype", "translate", str(folder), "-m", str(model), "--out", str(out), *extra]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--format", default="jpg", choices=["jpg", "png", "tif", "webp"])
    parser.add_argument("--recipe", default="hubble-lab")
    parser.add_argument("--sample", type=int, default=20, help="pictures that the stages are measured on")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--vips-one-thread", action="store_true", help="run the command with VIPS_CONCURRENCY=1")
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    arguments = parser.parse_args()
    cores = core_count()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        model = fresh_model(folder / "model", arguments.recipe)
        pictures = make_pictures(folder / "in", arguments.count, f".{arguments.format}")
        costs = stages(pictures[: arguments.sample], model, folder / "alone")
        for stage, seconds in costs.items():
            print(f"{stage}: {1000 * seconds:.0f} ms of CPU a picture, alone")
        bound = sum(costs.values()) * arguments.count / cores
        extra = [] if arguments.workers is None else ["--workers", str(arguments.workers)]
        wall, cpu = batch(folder / "in", model, folder / "out", extra, arguments.vips_one_thread)
        done = len(list((folder / "out").iterdir()))
        shutil.rmtree(folder / "out")
    print(f"limiting stage: {max(costs, key=lambda stage: costs[stage])}")
    print(f"{done} pictures in {wall:.1f} s ({done / wall:.1f} a second), {cpu:.1f} CPU seconds on {cores} cores")
    print(f"stages alone: {sum(costs.values()) * arguments.count:.1f} CPU seconds; divided by cores {bound:.1f} s")
    print(f"{'reached' if wall <= BAR * bound else 'missed'}: {wall / bound:.2f} times that, at most {BAR} are the bar")


if __name__ == "__main__":
    main()
