"""What work costs in memory, measured before it begins, and how much there is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import final

_MIB = 2**20
_SHARE = 0.5
"""Of the free memory that a picture may take unless told otherwise: the page cache and others live there too."""
_MARGIN = 1.25  # of what was measured
_RESERVE = 0.2  # of a limit, for reading, writing, and what allocators keep
_UNKNOWN_FREE = 4 * 2**30  # where the system does not say
_WORDS = ("not enough memory", "failed to allocate", "bad_alloc", "bad allocation", "can't allocate memory")


@final
@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes that a run of a network takes at its peak: `fixed + per_pixel` times the pixels."""

    fixed: float
    per_pixel: float

    def of(self, pixels: int) -> float:
        """Bytes for so many pixels."""
        return self.fixed + self.per_pixel * pixels


def measure_cost(run: Callable[[int], object], small: int, assumed: float) -> Cost:
    """Run something on squares of two sizes and see how the memory of the process grows.

    Args:
        run: The work, on a square of so many pixels a side.
        small: The smaller side; the larger is twice that.
        assumed: Bytes for each pixel, on systems that do not tell the peak of a process, and as the least where what
            was held already hides what is used: a quarter of it.
    """
    run(small)  # what is kept once and for all is no cost of a picture
    growths = [_peak_growth(partial(run, side)) for side in (small, 2 * small)]
    if None in growths:
        return Cost(0, assumed)
    first, second = (growth or 0 for growth in growths)
    pixels = small * small
    slope = max(second / (4 * pixels), (second - first) / (3 * pixels), assumed / 4)
    return Cost(max(0.0, first - slope * pixels) * _MARGIN, slope * _MARGIN)


def budget(limit: int | None) -> float:
    """Bytes that a network may take: of `limit` what the process does not hold yet, or a share of what is free."""
    return free_memory() * _SHARE if limit is None else limit * (1 - _RESERVE) - resident()


def resident() -> int:
    """Bytes of physical memory that the process holds; 0 where the system does not say."""
    return _status("VmRSS") or 0


def free_memory() -> int:
    """Bytes that the system, and the control group that the process runs in, can still give."""
    meminfo = _fields(Path("/proc/meminfo"))
    if "MemAvailable" in meminfo:
        free = meminfo["MemAvailable"] * 1024
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    else:
        free = _UNKNOWN_FREE
    return min([free, *_group_free()])


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, says that memory ran out: in numpy, torch or ONNX Runtime."""
    while error is not None:
        name, text = type(error).__name__, str(error).lower()
        if isinstance(error, MemoryError) or name == "OutOfMemoryError" or any(words in text for words in _WORDS):
            return True
        error = error.__cause__
    return False


def in_words(size: float) -> str:
    """A number of bytes for people: "1.5 GB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(size, 0) / 1e6:.0f} MB"


def _peak_growth(work: Callable[[], object]) -> int | None:
    """Bytes that the process held at most during some work beyond what it held before; None: unknown."""
    before = _status("VmRSS")
    try:
        Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is held now
    except OSError:
        return None
    work()
    peak = _status("VmHWM")
    return None if before is None or peak is None else max(0, peak - before)


def _status(field: str) -> int | None:
    kilobytes = _fields(Path("/proc/self/status")).get(field)
    return None if kilobytes is None else kilobytes * 1024


def _fields(path: Path) -> dict[str, int]:
    """Lines such as "VmRSS:  1234 kB" or "file 1234" of a file of the kernel; empty where there is none."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    words = [line.replace(":", " ").split() for line in lines]
    return {line[0]: int(line[1]) for line in words if len(line) > 1 and line[1].isdigit()}


def _group_free() -> list[int]:
    """What the limits of the control groups leave, version 2 and 1 of the interface; caches can be given back."""
    root = Path("/sys/fs/cgroup")
    try:
        own = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    folders = {root, *(root / line.split("::/", 1)[1] for line in own if line.startswith("0::/"))}
    names = [(folder, "memory.max", "memory.current") for folder in folders]
    names.append((root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"))
    free = []
    for folder, limit, usage in names:
        try:
            most, used = (folder / limit).read_text().strip(), int((folder / usage).read_text())
        except (OSError, ValueError):
            continue
        if most.isdigit():
            free.append(max(0, int(most) - used + _fields(folder / "memory.stat").get("inactive_file", 0)))
    return free
