"""Wall time of whole commands: `tintype --help`, and `tintype translate` of one 1920 x 1200 picture.

    python benchmarks/command_times.py --model RUN [--picture FILE] [--repeats 5]

Each is run as a new process; the median is printed. Without --picture a made one of that size is used.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tintype.image.file import write_image


def seconds(command: list[str], repeats: int) -> float:
    """Median wall time of a command."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    tintype = [sys.executable, "-m", "tintype"]
    print(f"tintype --help: {seconds([*tintype, '--help'], arguments.repeats):.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        picture = arguments.picture
        if picture is None:
            y, x = np.mgrid[0:1200, 0:1920] / 300
            picture = Path(folder) / "made.jpg"
            write_image(picture, (0.5 + 0.4 * np.sin(7 * y + np.cos(5 * x)))[..., None].astype(np.float32))
        out = [str(Path(folder) / "out"), "--overwrite"]
        command = [*tintype, "translate", str(picture), "--model", arguments.model, "--out", *out]
        print(f"tintype translate {picture.name}: {seconds(command, arguments.repeats):.2f} s")


if __name__ == "__main__":
    main()
