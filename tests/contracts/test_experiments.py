"""Every experiment of the repository is whole: all its trials are valid recipes, and the small ones train."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tintype.image.file import write_image
from tintype.recipe import load_recipe
from tintype.sweep.definition import read_definition
from tintype.sweep.points import grid_points

FILES = sorted((Path(__file__).parents[2] / "experiments").glob("*.yaml"))
COUNTS = {
    "table1": 12,
    "table1-small": 24,
    "table2": 12,
    "table2-small": 24,
    "chroma-small": 12,
    "hubble-folds": 5,
    "fashion": 7,
}
ALONE = {"chroma-small", "hubble-folds", "fashion"}
"""Those that belong to no document, or whose recipes are small themselves: there is one form of them."""


def test_each_experiment_of_a_document_has_a_small_form_beside_it():
    names = {file.stem for file in FILES} - ALONE
    assert names == {
        f"{name}{suffix}"
        for name in ("table1", "table2", "graphs", "pretrained", "panels")
        for suffix in ("", "-small")
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_all_trials_of_an_experiment_are_valid_and_have_names_of_their_own(file):
    definition = read_definition(str(file))
    points = grid_points(definition)
    assert len({point.name for point in points}) == len(points) == COUNTS.get(file.stem, len(points))
    assert definition.report and definition.notes


@pytest.mark.usefixtures("nothing_shipped")  # models and scores of their recipes: tests/contracts/test_presets.py
@pytest.mark.parametrize("file", [file for file in FILES if "-small" in file.stem], ids=lambda file: file.stem)
def test_the_first_trial_of_a_small_experiment_trains(file, tmp_path):
    from tintype.training import train

    recipe = grid_points(read_definition(str(file)))[0].recipe
    settings = ["training.steps=2", "generator.filters=4", "training.checkpoint_every=2", "training.sample_epochs=[]"]
    if recipe.data.path == "":
        random = np.random.default_rng(0)
        for domain in ("a", "b"):
            (tmp_path / domain).mkdir()
            for number in range(6):
                write_image(tmp_path / domain / f"{number}.png", random.integers(0, 256, (72, 72, 3), dtype=np.uint8))
        settings += [f"data.path={tmp_path / 'a'}", f"data.path_b={tmp_path / 'b'}"]
    assert train(load_recipe(recipe, settings), tmp_path / "run")
    assert (tmp_path / "run" / "events.jsonl").read_text().count('"validation"') == 1
