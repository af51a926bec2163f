"""Run folders as training leaves them, but with random weights, which takes a moment only."""

from __future__ import annotations

from pathlib import Path

import torch

from tintype.data.dataset import open_data
from tintype.inference.modelfile import write_safetensors
from tintype.networks import build_generator
from tintype.recipe import load_recipe
from tintype.training.cards import make_card
from tintype.training.rundir import RunDir


def untrained_run(folder: Path, name: str, overrides: list[str]) -> Path:
    """Make the run folder of a recipe: recipe, split and a model for each direction."""
    recipe = load_recipe(name, overrides)
    run, data = RunDir(folder), open_data(recipe)
    run.make()
    run.write_recipe(recipe)
    files = {name: one.sha256 for name, one in zip(data.cache.names, data.cache.fingerprints, strict=True)}
    run.write_split(data.split, files)
    torch.manual_seed(0)
    for direction in recipe.directions:
        network = build_generator(recipe).eval()
        state = {name: value.numpy() for name, value in network.state_dict().items()}
        suffix = f"_{direction}" if len(recipe.directions) > 1 else ""
        write_safetensors(run.model(suffix, "safetensors"), state, make_card(recipe, network, 0, direction))
    return folder
