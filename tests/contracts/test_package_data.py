"""What the code reads beside itself comes with an installation: weights, recipes, templates, pictures."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "tintype"
PATTERNS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["tintype"]


def test_every_file_that_is_no_module_is_installed():
    beside = {file for file in PACKAGE.rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc")}
    installed = {file for pattern in PATTERNS for file in PACKAGE.glob(pattern)}
    assert beside - installed == set()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pattern_is_left_over(pattern):
    assert any(file.is_file() for file in PACKAGE.glob(pattern))
