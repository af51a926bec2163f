"""The steps of `Containerfile` carried out in a fresh virtual environment, without an engine.

    python benchmarks/container_steps.py

What RUN does with pip, what ENTRYPOINT and CMD start, and what HEALTHCHECK asks, on a free port. What is left out:
the base image, the user, and the network that an engine makes. Prints how large the environment is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOKEN = "a-token-for-this-test"


def steps() -> list[tuple[str, str]]:
    """Instructions and arguments."""
    lines = (ROOT / "Containerfile").read_text().splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line and not line.startswith("#")]  # type: ignore[misc]


def words(instruction: str) -> list[str]:
    """The last step of a name, as a list of words."""
    argument = [argument for name, argument in steps() if name == instruction][-1]
    return json.loads(argument.partition(" CMD ")[2] or argument)


def main() -> None:
    """Carry out all steps; exits with 1 where one fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, wheels, environment = folder / "source", folder / "wheels", folder / "venv"
        source.mkdir()
        for _, argument in [step for step in steps() if step[0] == "COPY" and "--from" not in step[1]]:
            for copied in argument.split()[:-1]:
                path = ROOT / copied
                copy = shutil.copytree if path.is_dir() else shutil.copy2
                copy(path, source / copied)
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        start = time.monotonic()
        for name, argument in steps():
            if name == "RUN" and "pip" in argument:
                line = argument.replace("/wheels", str(wheels)).replace("python -m", f"{environment}/bin/python -m")
                subprocess.run(re.sub(r"&& rm -r .*", "", line), shell=True, cwd=source, check=True)
        size = sum(path.stat().st_size for path in environment.rglob("*") if path.is_file() and not path.is_symlink())
        print(f"installed in {time.monotonic() - start:.0f} s, {size / 1e6:.0f} MB")
        port = words("ENTRYPOINT")[-1]
        command = ["0" if word == port else word for word in words("ENTRYPOINT") + words("CMD")]
        server = subprocess.Popen(
            [environment / "bin" / command[0], *command[1:]],
            stdout=subprocess.PIPE,
            text=True,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"TINTYPE_TOKEN": TOKEN},
        )
        try:
            assert server.stdout is not None
            said = server.stdout.readline()
            own = said.partition("://")[2].partition(";")[0].rpartition(":")[2]
            health = [word.replace(f":{port}/", f":{own}/") for word in words("HEALTHCHECK")]
            subprocess.run([environment / "bin" / health[0], *health[1:]], check=True)
        finally:
            server.terminate()
            code = server.wait(60)
        print(f"{said.strip()}; healthy; ended with code {code}")
    raise SystemExit(code)


if __name__ == "__main__":
    main()
