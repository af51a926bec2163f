"""The API asked at length what its OpenAPI description allows and forbids, over loopback; any finding is a failure.

    python benchmarks/serve_fuzz.py [--model MODEL] [--examples 300] [--seed 0]

Without a model, the recipe `tiny` with fresh weights is served. Bodies are pictures of several formats, whole and
damaged; what schemathesis checks besides: undocumented statuses, types, headers and schemas, errors of the server,
methods that are not there, access without the token.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import pyvips
from fresh_model import fresh_model

from tintype.data.paths import bundled_folder

TOKEN = "a-token-for-fuzzing-alone"
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["200", "413", "415", "422", "429"]
[phases.stateful]
enabled = false
"""
HOOKS = """
from pathlib import Path
import hypothesis.strategies as st
import schemathesis
from tintype.server.bodies import PICTURE_TYPES

files = [path.read_bytes() for path in sorted(Path({folder!r}).iterdir())]
pictures = st.sampled_from(files + [data[: len(data) // 2] for data in files] + [b"none"])
for media_type in PICTURE_TYPES:
    schemathesis.openapi.media_type(media_type, pictures)
"""


def main() -> None:
    """Serve, fuzz, and exit as schemathesis does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--examples", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = asked.model or fresh_model(folder / "model", "tiny")
        pictures = folder / "pictures"
        make_pictures(pictures)
        (folder / "hooks.py").write_text(HOOKS.format(folder=str(pictures)))
        (folder / "schemathesis.toml").write_text(CONFIG)
        words = ["-m", "tintype", "serve", "--model", f"model={model}", "--port", "0", "--token", TOKEN]
        log = (folder / "log").open("w")
        server = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split(" at ")[1].partition(";")[0]
            code = fuzz(address, folder, asked.examples, asked.seed)
        finally:
            server.terminate()
            ended = server.wait(60)
            log.close()
        print(f"the server ended with code {ended}")
    raise SystemExit(code or ended)


def make_pictures(folder: Path) -> None:
    """One small picture of each format that is written."""
    folder.mkdir()
    source = next(iter(sorted(bundled_folder("hubble").glob("*.jpg"))))
    small = pyvips.Image.thumbnail(str(source), 48).copy_memory()
    for suffix in (".jpg", ".png", ".webp", ".tif", ".avif"):
        small.write_to_file(str(folder / f"a{suffix}"))


def fuzz(address: str, folder: Path, examples: int, seed: int) -> int:
    """Run schemathesis; its exit code."""
    program = "import hooks; from schemathesis.cli import schemathesis; schemathesis()"
    options = ["--config-file", "schemathesis.toml", "run", f"{address}/openapi.json"]
    options += ["--header", f"Authorization: Bearer {TOKEN}", "--max-examples", str(examples), "--seed", str(seed)]
    return subprocess.run([sys.executable, "-c", program, *options], cwd=folder, check=False).returncode


if __name__ == "__main__":
    main()
