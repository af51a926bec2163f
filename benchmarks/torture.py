"""A folder of odd, huge, broken and hostile picture files in one `tintype translate` call, judged from outside.

    python benchmarks/torture.py FOLDER [--model MODEL]

Every file below FOLDER is named to the command. For each suite (folder of the first level): how many were translated,
how many were refused with a reason, and every disagreement with libvips: a file that it reads whole and that was
refused, or a result of another size or depth. libvips and the command run in processes of their own, with limits.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from fresh_model import fresh_model
from measured import run

READ = """
import sys, pyvips
image = pyvips.Image.new_from_file(sys.argv[1], access="sequential", fail_on="error")
assert image.width * image.height <= 10**9
upright = image.autorot()
image.copy_memory()
bits = {"uchar": 8, "char": 8, "ushort": 16, "short": 16}.get(image.format, 32)
print(upright.width, upright.height, bits)
"""


def limited() -> None:
    """At most 3 GB for libvips alone."""
    resource.setrlimit(resource.RLIMIT_AS, (3 * 10**9, 3 * 10**9))


def read_by_libvips(path: Path) -> tuple[int, ...] | None:
    """Width, height and bits by libvips; None where it cannot decode the file."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", READ, str(path)], capture_output=True, timeout=60, preexec_fn=limited, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return tuple(map(int, done.stdout.split())) if done.returncode == 0 else None


def main() -> None:
    """Run, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path)
    arguments = parser.parse_args()
    files = sorted(path for path in arguments.folder.glob("*/**/*") if path.is_file())
    with tempfile.TemporaryDirectory() as name:
        model = arguments.model or fresh_model(Path(name) / "model", "tiny")
        out = Path(name) / "out"
        suites = sorted(path.name for path in arguments.folder.iterdir() if path.is_dir())
        # as patterns: their structure is kept below OUT, since names of different folders may be alike
        patterns = [str(arguments.folder / suite / "**" / "*") for suite in suites]
        command = ["translate", *patterns, "--model", str(model), "--out", str(out), "--json"]
        done = run(*command, timeout_s=1800)
        print(f"exit code {done.code}, {done.wall_s:.1f} s, at most {done.peak_gb:.2f} GB resident")
        print(f"tracebacks: {done.stderr.count('Traceback')}")
        results = {}
        for line in done.stdout.splitlines():
            result = json.loads(line)
            results[Path(result["input"])] = result
        count: dict[str, Counter[str]] = {suite: Counter() for suite in suites}
        for path in files:
            suite = path.relative_to(arguments.folder).parts[0]
            result, expected = results.get(path), read_by_libvips(path)
            if result is None:
                count[suite]["not named"] += 1
                print(f"not named: {path}")
                continue
            count[suite][result["status"]] += 1
            if result["status"] != "done":
                if not result["reason"]:
                    print(f"no reason: {path}")
                if expected:
                    count[suite]["read by libvips, not translated"] += 1
                    print(f"libvips reads {expected}: {path}: {result['status']}, {result['reason']}")
            elif expected:
                found = read_by_libvips(Path(result["output"]))
                if found != expected:
                    count[suite]["other size or depth"] += 1
                    print(f"{path}: libvips reads {expected}, the result is {found}; {result['warnings']}")
        for suite, counted in count.items():
            print(f"{suite}: " + ", ".join(f"{number} {what}" for what, number in sorted(counted.items())))


if __name__ == "__main__":
    main()
