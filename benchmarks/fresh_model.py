"""Models for timing: the generators of built-in recipes with freshly drawn weights, which colour nothing well."""

from __future__ import annotations

from pathlib import Path

import torch

from tintype.inference.modelfile import write_safetensors
from tintype.inference.onnx import export_onnx
from tintype.networks import build_generator
from tintype.recipe import load_recipe
from tintype.training.cards import make_card


def fresh_model(folder: Path, recipe: str, *changes: str) -> Path:
    """Write `model.onnx` and `model.safetensors` of a recipe's generator into a folder, and return the folder."""
    torch.manual_seed(0)
    resolved = load_recipe(recipe, changes)
    network = build_generator(resolved).eval()
    card = make_card(resolved, network, 0)
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(
        folder / "model.safetensors", {name: value.numpy() for name, value in network.state_dict().items()}, card
    )
    export_onnx(network, card, folder / "model.onnx")
    return folder
