"""What comes with the package as a model is whole, small, described, and does what it says."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from tests.contracts.test_torch_free import run_without_torch

from tintype.image.color import rgb_to_lab
from tintype.image.file import read_image, write_image
from tintype.image.provenance import read_provenance
from tintype.inference.bundled import BUNDLED, FOLDER, bundled_card, bundled_model
from tintype.inference.modelfile import read_card
from tintype.inference.translator import Translator
from tintype.recipe import load_recipe, preset_names

FILES = {f"{name}{suffix}" for name in BUNDLED for suffix in (".onnx", ".safetensors", ".md")}
MOST_TO_USE = 18e6
"""Bytes of all graphs and cards."""
MOST = 35e6
"""Bytes of all files, the weights for further training among them."""
SECTIONS = (
    "How it was made",
    "What it is for",
    "What it was trained on",
    "What it scores",
    "Where it fails",
    "What it must not be used for",
    "Licence",
)
NAMES = pytest.mark.parametrize("name", BUNDLED)

there = {path.name for path in FOLDER.iterdir()} - {"README.md"}


def test_every_model_has_its_three_files_and_nothing_else_is_there():
    assert there == FILES


def test_they_are_small():
    sizes = {name: (FOLDER / name).stat().st_size for name in FILES}
    assert sum(size for name, size in sizes.items() if not name.endswith(".safetensors")) <= MOST_TO_USE
    assert sum(sizes.values()) <= MOST


@NAMES
def test_graph_and_weights_are_of_one_model_and_a_built_in_recipe(name):
    graph, weights = (read_card(bundled_model(name, suffix)) for suffix in (".onnx", ".safetensors"))
    assert (graph.recipe, graph.step, graph.direction) == (weights.recipe, weights.step, "ab")
    assert graph.recipe.name in preset_names()
    assert graph.scores["rows"] and graph.baselines is not None


@NAMES
def test_its_recipe_names_no_folder_of_whoever_trained_it(name):
    recipe = read_card(bundled_model(name)).recipe
    assert recipe.data.path in ("", "bundled:hubble")
    assert not Path(recipe.method.init_from).is_absolute()


@NAMES
def test_its_card_is_complete_and_of_these_very_files(name):
    text = bundled_card(name)
    assert tuple(re.findall(r"^## (.*)$", text, re.MULTILINE)) == SECTIONS
    assert "<!--" not in text
    assert all(len(section.strip()) > 80 for section in re.split(r"^## .*$", text, flags=re.MULTILINE))
    for suffix in (".onnx", ".safetensors"):
        assert hashlib.sha256(bundled_model(name, suffix).read_bytes()).hexdigest()[:16] in text
    for word in ("CC BY 4.0", "ESA/Hubble", "Apache-2.0", "grey copy", "Evidence", "seed"):
        assert word in text


@NAMES
def test_it_colours_a_picture_where_torch_is_not_installed(name, tmp_path):
    y, x = np.mgrid[0:1:90j, 0:1:120j]
    write_image(tmp_path / "old.png", (0.5 + 0.3 * np.sin(9 * y + 5 * x * y))[..., None].astype(np.float32))
    result = run_without_torch("colorize", tmp_path / "old.png", "--model", name, "--out", tmp_path / "new")
    assert result.returncode == 0, result.stderr
    made = read_image(tmp_path / "new" / "old.png").pixels
    assert made.shape == (90, 120, 3) and np.ptp(made, axis=2).max() > 0.02
    assert read_provenance(tmp_path / "new" / "old.png").model == f"bundled:{name}"


@NAMES
def test_it_leaves_luminance_as_it_is(name):
    ramp = np.linspace(0, 1, 150 * 200, dtype=np.float32).reshape(150, 200, 1)
    made = Translator(f"bundled:{name}")(ramp)
    lightness = [rgb_to_lab(one.transpose(2, 0, 1))[0] for one in (ramp.repeat(3, axis=2), made)]
    np.testing.assert_allclose(*lightness, atol=0.05)


def test_its_weights_are_what_photos_finetune_begins_with():
    from tintype.methods import build_method
    from tintype.training.start import start_from

    recipe = load_recipe("photos-finetune")
    (note,) = start_from(build_method(recipe), recipe)
    assert re.fullmatch(r"generator starts from .*photos\.safetensors, step \d+ of [\w-]+", note)
