"""From nothing to a coloured picture: build the wheel, install it into a new environment, run `tintype colorize`.

    python benchmarks/fresh_install.py [--wheel FILE] [--constraint FILE] [--picture FILE] [--cores 2]

Prints the size of the wheel, the seconds that the installation took, its size on disk with the largest packages, and
the time of the first `tintype colorize` of a 1920 x 1200 picture and the median of the next ones: on the clock, and of
processors, which other work on the machine does not change. pip fetches the packages from wherever it is set up to.
Exits with 1 where a bar is missed: 400 MB, 60 s, 5 s on the clock.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tintype.image.file import write_image

ROOT = Path(__file__).parents[1]
MOST_MB, MOST_INSTALL_S, MOST_FIRST_S = 400, 60, 5
SHOWN = 8
AGAIN = 5
HEAVY = "torch"


@dataclass(frozen=True, order=True, slots=True)
class Time:
    """Of a command: on the clock, and of all processors together."""

    wall_s: float
    cpu_s: float

    def __str__(self) -> str:
        return f"{self.wall_s:.2f} s ({self.cpu_s:.2f} s of processors)"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, help="default: built from this checkout")
    parser.add_argument("--constraint", type=Path, help="versions to install; default: the newest")
    parser.add_argument("--picture", type=Path, help="default: a made one")
    parser.add_argument("--cores", type=int, default=2)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cores])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        wheel = arguments.wheel or built(place)
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
        python, install = installed(wheel, place / "fresh", arguments.constraint)
        sizes = sizes_of(place / "fresh")
        total = sum(sizes.values()) / 1e6
        print(f"installed in {install}, {total:.0f} MB on disk:")
        print(", ".join(f"{name} {size / 1e6:.0f}" for name, size in sizes.most_common(SHOWN)))
        if HEAVY in sizes:
            sys.exit(f"the base install brought {HEAVY}")
        picture = arguments.picture or made_picture(place)
        command = [str(python), "-m", "tintype", "colorize", str(picture), "--overwrite", "--out", str(place / "out")]
        first, *others = [timed(command) for _ in range(1 + AGAIN)]
        print(f"tintype colorize {picture.name}: first {first}, then {statistics.median_low(others)}")
    if total > MOST_MB or install.wall_s > MOST_INSTALL_S or first.wall_s > MOST_FIRST_S:
        sys.exit(f"bars: at most {MOST_MB} MB, {MOST_INSTALL_S} s, {MOST_FIRST_S} s")


def built(place: Path) -> Path:
    """The wheel of this checkout, from a copy, so that nothing of an earlier build is in it."""
    copy = place / "source"
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, copy)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(place), str(copy)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return next(place.glob("*.whl"))


def installed(wheel: Path, environment: Path, constraint: Path | None) -> tuple[Path, Time]:
    """Python of a new environment with nothing but the base install, and the time that pip took."""
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    command += [str(wheel)] if constraint is None else ["--constraint", str(constraint), str(wheel)]
    return python, timed(command)


def timed(command: list[str]) -> Time:
    """How long a command takes, which must succeed; it sees no packages but its own."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    start, before = time.perf_counter(), os.times()
    done = subprocess.run(
        command, check=False, env=clean, cwd=Path(command[0]).parent, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    if done.returncode:
        sys.exit(done.stderr.decode(errors="replace"))
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Time(time.perf_counter() - start, used)


def sizes_of(environment: Path) -> Counter[str]:
    """Bytes of an environment by package; what belongs to none is Python's own."""
    sizes: Counter[str] = Counter()
    for path in environment.rglob("*"):
        if path.is_file() and not path.is_symlink():
            parts = path.relative_to(environment).parts
            packages = parts.index("site-packages") if "site-packages" in parts else None
            sizes["python" if packages is None else parts[packages + 1]] += path.stat().st_size
    return sizes


def made_picture(place: Path) -> Path:
    """A grey JPEG of 1920 x 1200 pixels."""
    y, x = np.mgrid[0:1200, 0:1920] / 300
    picture = place / "made.jpg"
    write_image(picture, (0.5 + 0.4 * np.sin(7 * y + np.cos(5 * x)))[..., None].astype(np.float32))
    return picture


if __name__ == "__main__":
    main()
