"""Generators that begin with the weights of an earlier model, or an encoder's published ones, not with random ones."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from tintype.errors import ModelFileError, RecipeError
from tintype.inference.bundled import model_path
from tintype.inference.modelfile import ModelCard, read_card, read_safetensors, require_direction
from tintype.methods import Method
from tintype.networks import EncoderUNet
from tintype.recipe import Recipe
from tintype.training.backbones import load_backbone

_NAMED = 4


def start_from(method: Method, recipe: Recipe) -> list[str]:
    """Load what `method.init_from` names into the generators; without it, the weights that an encoder comes with.

    A run folder gives each direction its own weights, or the one direction that it has to "ab". A file gives its
    weights to the direction that it was trained for. Where the model has another task, so that not all of its weights
    fit, those of its encoder must, and of its decoder those are taken that do.

    Returns:
        Sentences that a user should see: which generator starts from what.

    Raises:
        InputError: An encoder's weights are not at hand and cannot be fetched, or are damaged.
        ModelFileError: There is no such model, or it is damaged.
        RecipeError: Its weights do not fit the recipe's generator.
        UsageError: No bundled model is called so.
    """
    if not recipe.method.init_from:
        return _start_encoders(method, recipe)
    notes = []
    found = _find(model_path(recipe.method.init_from, ".safetensors").expanduser(), recipe)
    for suffix, network in method.exports.items():
        if (path := found.get(suffix)) is None:
            notes.append(f"{network} starts from random weights: method.init_from has none for that direction")
            continue
        arrays, card = read_safetensors(path)
        state = {name: torch.from_numpy(value) for name, value in arrays.items()}
        taken = _fill(method.networks[network], state)
        if taken is None:
            raise RecipeError(
                f"method.init_from={path}: its weights do not fit the {network}: {_difference(card, recipe)}; "
                "leave these as they are there, or start from nothing with method.init_from="
            )
        notes.append(f"{network} starts from {path}, step {card.step} of {card.recipe.name}{taken}")
    return notes


def _start_encoders(method: Method, recipe: Recipe) -> list[str]:
    spec = recipe.generator
    if spec.kind != "encoder_unet":
        return []
    return [
        f"encoder of the {name} starts from {load_backbone(network, spec)}"
        for name, network in method.networks.items()
        if isinstance(network, EncoderUNet)
    ]


def _fill(network: nn.Module, state: dict[str, Tensor]) -> str | None:
    """Load all weights, or else those of the encoder and what else fits.

    Returns:
        What was taken and what not, nothing if all was; None if not even an encoder fits, and nothing was loaded.
    """
    ours: dict[str, Tensor] = network.state_dict()
    fitting = {name: value for name, value in state.items() if name in ours and ours[name].shape == value.shape}
    untold = {name for name in ours if name.startswith("hints.")} - state.keys()  # begin at 0, which changes nothing
    if fitting.keys() == state.keys() == ours.keys() - untold:
        network.load_state_dict({**ours, **fitting})
        return ": it had no hints, and learns from the start what they mean" if untold else ""
    inside = tuple(f"{part}." for part in getattr(network, "encoder_parts", ()))
    encoder = {name for name in (*ours, *state) if name.startswith(inside)}
    if not encoder or not encoder <= fitting.keys():
        return None
    network.load_state_dict({**ours, **fitting})
    rest, new = fitting.keys() - encoder, sorted(ours.keys() - fitting.keys())
    unused = len(state.keys() - fitting.keys())
    return (
        f": all of its encoder ({len(encoder)} tensors) and {len(rest)} of the decoder's {len(ours) - len(encoder)}; "
        f"random still: {_listed(new)}; {unused} of its tensors have no place here"
    )


def _listed(names: list[str]) -> str:
    """Names of tensors by the layers that they belong to, the first few."""
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    more = f" and {len(layers) - _NAMED} more layers" if len(layers) > _NAMED else ""
    return (", ".join(layers[:_NAMED]) or "nothing") + more


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
