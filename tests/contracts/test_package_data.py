"""What the code reads beside itself comes with an installation: weights, recipes, templates, pictures."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "tintype"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PATTERNS = PROJECT["tool"]["setuptools"]["package-data"]["tintype"]


def test_every_file_that_is_no_module_is_installed():
    beside = {file for file in PACKAGE.rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc")}
    installed = {file for pattern in PATTERNS for file in PACKAGE.glob(pattern)}
    assert beside - installed == set()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pattern_is_left_over(pattern):
    assert any(file.is_file() for file in PACKAGE.glob(pattern))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """What a build of this checkout would be installed from."""
    place = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "src", place / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, place)
    build = "from setuptools.build_meta import build_wheel; build_wheel('out')"
    subprocess.run([sys.executable, "-c", build], cwd=place, check=True, capture_output=True)
    with zipfile.ZipFile(*(place / "out").glob("*.whl")) as file:
        yield file


def test_a_wheel_holds_the_whole_package_and_nothing_else(wheel):
    files = {name for name in wheel.namelist() if ".dist-info/" not in name}
    ours = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert files == {path.relative_to(PACKAGE.parent).as_posix() for path in ours}


def test_a_wheel_asks_for_torch_only_where_training_is_asked_for(wheel):
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    asked = re.findall(r"^Requires-Dist: (.*)$", wheel.read(metadata).decode(), re.MULTILINE)
    base = [one for one in asked if "extra ==" not in one]
    assert len(base) == len(PROJECT["project"]["dependencies"])
    assert not [one for one in base if re.match("torch|lightning|gradio|fastapi|pillow", one, re.IGNORECASE)]
    assert any(re.match(r"torch\b.*extra == .train.", one) for one in asked)


def test_a_wheel_brings_the_command_and_the_licences(wheel):
    names = wheel.namelist()
    (entries,) = (name for name in names if name.endswith("entry_points.txt"))
    assert "tintype = tintype.cli:main" in wheel.read(entries).decode()
    assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in names}


def test_every_extra_is_explained():
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    assert [name for name in PROJECT["project"]["optional-dependencies"] if f"| `{name}` |" not in text] == []
