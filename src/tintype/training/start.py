"""Fine-tuning: generators that begin with the weights of an earlier model instead of random ones."""

from __future__ import annotations

from pathlib import Path

import torch

from tintype.errors import ModelFileError, RecipeError
from tintype.inference.modelfile import ModelCard, read_card, read_safetensors, require_direction
from tintype.methods import Method
from tintype.recipe import Recipe


def start_from(method: Method, recipe: Recipe) -> list[str]:
    """Load what `method.init_from` names into the generators; nothing where it is empty.

    A run folder gives each direction its own weights, or the one direction that it has to "ab". A file gives its
    weights to the direction that it was trained for.

    Returns:
        Sentences that a user should see: which generator starts from what.

    Raises:
        ModelFileError: There is no such model, or it is damaged.
        RecipeError: Its weights do not fit the recipe's generator.
    """
    if not recipe.method.init_from:
        return []
    notes = []
    found = _find(Path(recipe.method.init_from).expanduser(), recipe)
    for suffix, network in method.exports.items():
        if (path := found.get(suffix)) is None:
            notes.append(f"{network} starts from random weights: method.init_from has none for that direction")
            continue
        state, card = read_safetensors(path)
        try:
            method.networks[network].load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
        except RuntimeError:
            raise RecipeError(
                f"method.init_from={path}: its weights do not fit the {network}: {_difference(card, recipe)}; "
                "leave these as they are there, or start from nothing with method.init_from="
            ) from None
        notes.append(f"{network} starts from {path}, step {card.step} of {card.recipe.name}")
    return notes


def _find(path: Path, recipe: Recipe) -> dict[str, Path]:
    """Weights by suffix of the network's file."""
    if path.is_dir():
        both = {direction: path / f"model_{direction}.safetensors" for direction in ("ab", "ba")}
        found = {direction: file for direction, file in both.items() if file.is_file()}
        if not found and (path / "model.safetensors").is_file():
            found = {"ab": path / "model.safetensors"}
        if not found:
            raise ModelFileError(f"{path}: holds no model*.safetensors to start from; give a finished run or a file")
        for file in found.values():
            require_direction(read_card(file), file)
    elif not path.exists():
        raise ModelFileError(f"{path}: there is no such file or folder; method.init_from takes a run or a .safetensors")
    elif path.suffix == ".safetensors":
        found = {read_card(path).direction: path}
    else:
        what = "holds a graph, not weights" if path.suffix == ".onnx" else "is neither a run nor a .safetensors file"
        raise ModelFileError(f"{path}: {what}; method.init_from takes a run folder or a .safetensors file")
    if len(recipe.directions) > 1:
        return {f"_{direction}": file for direction, file in found.items()}
    wanted = getattr(recipe.data, "direction", "ab")  # the only generator goes from the source to the target
    return {"": found.get(wanted) or next(iter(found.values()))}


def _difference(card: ModelCard, recipe: Recipe) -> str:
    """What differs between the network of a model and that of a recipe, in a few words."""
    differing = []
    for section in ("generator", "codec", "inference"):
        theirs, ours = (
            getattr(one, section).model_dump(exclude={"init", "grey", "orientations"}) for one in (card.recipe, recipe)
        )
        differing += [
            f"{section}.{name} is {theirs.get(name, 'absent')} there and {ours.get(name, 'absent')} here"
            for name in {**ours, **theirs}
            if theirs.get(name) != ours.get(name)
        ]
    return "; ".join(differing) or "it goes in the other direction, and the numbers of channels differ"
