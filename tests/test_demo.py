"""The demo from end to end, with its training cut short."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from skimage.color import rgb2lab

from tintype import demo
from tintype.image.file import read_image
from tintype.image.provenance import read_provenance
from tintype.recipe import load_recipe

SHORT = ["training.steps=2", "data.size=64", "data.load_size=64", "evaluation.size=64", "generator.filters=2"]


def test_the_demo_trains_scores_colours_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "load_recipe", lambda name: load_recipe(name, SHORT))
    assert demo.run_demo(tmp_path / "demo")
    grey, coloured = (sorted((tmp_path / "demo" / part).iterdir()) for part in ("grey", "coloured"))
    assert [path.name for path in grey] == [path.name for path in coloured]
    scores = json.loads((tmp_path / "demo" / "run" / "scores.json").read_text())
    assert len(grey) == scores["pictures"] > 15
    assert {row["name"] for row in scores["rows"]} >= {"model", "grey copy", "mean chroma", "luminance to chroma"}
    assert "grey copy" in (tmp_path / "demo" / "run" / "report.html").read_text()
    assert all(read_provenance(path).recipe == "demo" for path in coloured)
    before, after = read_image(grey[0]).pixels, read_image(coloured[0]).pixels
    difference = rgb2lab(after)[..., 0] - rgb2lab(np.repeat(before, 3, axis=2))[..., 0]
    assert np.abs(difference).max() < 0.5
