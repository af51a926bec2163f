"""Running a command as a new process: its wall time, its processor time, and the most memory that was resident."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass

# A process begins with the peak of the one that started it, so it is started by one that holds nothing.
LAUNCHER = """
import json, resource, subprocess, sys, time
before = time.perf_counter()
code = subprocess.call(sys.argv[2:])
wall, used = time.perf_counter() - before, resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as file:
    json.dump([code, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6], file)
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of a command."""

    code: int
    wall_s: float
    cpu_s: float
    peak_gb: float
    """Of the largest of its processes; Linux."""
    stdout: str
    stderr: str


def run(*command: str, timeout_s: float = 3600) -> Measured:
    """Run `python -m tintype` with these words."""
    with tempfile.NamedTemporaryFile() as report:
        words = [sys.executable, "-c", LAUNCHER, report.name, sys.executable, "-m", "tintype", *command]
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=True)
        return Measured(*json.load(report), done.stdout, done.stderr)
