"""Architectures and weights of published backbones: from a folder, the cache, or the model hub; and from local files.

A run asks for them once, when it begins. Its recipe then holds the architecture and its checkpoints and models the
weights, so that going on, exporting and translating need none of this again.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from tintype.errors import InputError, ModelFileError, RecipeError
from tintype.inference.modelfile import check_header
from tintype.metrics.fetch import CACHE_VARIABLE, cache_folder
from tintype.networks import EncoderUNet
from tintype.networks.backbone import config_class_of
from tintype.recipe import Recipe, load_recipe
from tintype.recipe.encoders import Architecture, EncoderUNetSpec
from tintype.recipe.load import parse_recipe
from tintype.training.rundir import RunDir

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_MAX_CONFIG = 1 << 20


def with_architecture(recipe: Recipe, run: RunDir) -> Recipe:
    """The recipe with its backbone's architecture filled in: that of the run, if it began, or else that of its makers.

    Raises:
        InputError: It is not at hand and cannot be fetched, or is damaged.
        RecipeError: transformers has no such backbone, or the recipe does not fit it.
    """
    spec = recipe.generator
    if spec.kind != "encoder_unet" or spec.resolved is not None:
        return recipe
    architecture = _of_run(run, spec.backbone) or _read_config(_find(spec, CONFIG))
    tree = recipe.model_dump(mode="json")
    tree["generator"]["architecture"] = architecture
    return parse_recipe(tree, f"recipe {recipe.name}")


def load_backbone(network: EncoderUNet, spec: EncoderUNetSpec) -> str:
    """Give an encoder the weights that a recipe asks for.

    Returns:
        What it starts from, for people.

    Raises:
        InputError: They are not at hand and cannot be fetched, or are damaged.
        RecipeError: They are of another architecture.
    """
    if spec.weights == "none":
        return "random weights, as generator.weights=none asks"
    if spec.weights == "published":
        path = _find(spec, WEIGHTS)
        where = spec.backbone + _commit_of(path)
    else:
        path = Path(spec.weights).expanduser()
        where = spec.weights
    state = _read_weights(path)
    model = network.encoder.model
    try:
        if "conv1.weight" in state and network.encoder.kind == "resnet":
            model.load_state_dict(from_torchvision(state))
        else:
            model.load_state_dict(_from_transformers(network, state))
    except (RuntimeError, ValueError) as error:
        raise RecipeError(
            f"generator.weights={where}: do not fit generator.backbone={spec.backbone} ({_line(error)}); give the "
            "weights of that backbone, or name the backbone that they are of"
        ) from error
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{where}, sha256 {digest[:16]}"


def from_torchvision(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of torchvision's ResNet under the names that transformers gives them, without its classifier."""
    return {_renamed(name): value for name, value in state.items() if not name.startswith("fc.")}


def _renamed(name: str) -> str:
    stem = {"conv1": "embedder.embedder.convolution", "bn1": "embedder.embedder.normalization"}
    layer, _, rest = name.partition(".")
    if layer in stem:
        return f"{stem[layer]}.{rest}"
    found = re.fullmatch(r"layer(\d+)\.(\d+)\.(?:(conv|bn)(\d)|downsample\.([01]))\.(\w+)", name)
    if found is None:
        raise ValueError(f"{name} is no weight of a ResNet")
    stage, block, kind, number, shortcut, leaf = found.groups()
    place = f"encoder.stages.{int(stage) - 1}.layers.{block}"
    if shortcut is not None:
        return f"{place}.shortcut.{('convolution', 'normalization')[int(shortcut)]}.{leaf}"
    part = "convolution" if kind == "conv" else "normalization"
    return f"{place}.layer.{int(number) - 1}.{part}.{leaf}"


def _from_transformers(network: EncoderUNet, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a whole model as its makers name them, for the encoder; norms of maps that it lacks stay new."""
    model = network.encoder.model
    with _quiet():
        loaded, info = type(model).from_pretrained(
            None, config=model.config, state_dict=state, output_loading_info=True
        )
    missing = sorted(name for name in info["missing_keys"] if not name.startswith("hidden_states_norms."))
    if missing or info["mismatched_keys"] or info["error_msgs"]:
        wrong = missing or sorted(map(str, info["mismatched_keys"])) or info["error_msgs"]
        raise ValueError(f"{len(wrong)} weights are missing or of another shape, {wrong[0]} for one")
    ours: dict[str, Tensor] = model.state_dict()
    return {**ours, **loaded.state_dict()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' bars and tables from people; what they say is in our own errors."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _of_run(run: RunDir, backbone: str) -> Architecture | None:
    if not run.recipe_file.is_file():
        return None
    before = load_recipe(run.recipe_file).generator
    return before.architecture if before.kind == "encoder_unet" and before.backbone == backbone else None


def _find(spec: EncoderUNetSpec, name: str) -> Path:
    """A file of a backbone: in the folder of that name, in the cache, or from the model hub."""
    backbone, revision = spec.backbone, spec.revision
    folder = Path(backbone).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise RecipeError(f"generator.revision={revision}: {folder} is a folder and has no revisions; leave it out")
        if not (folder / name).is_file():
            raise InputError(f"{folder}: holds no {name}, which generator.backbone needs; put it there")
        return folder / name
    kept = cache_folder() / (backbone.rpartition("/")[2] + (f"@{revision}" if revision else ""))
    if (kept / name).is_file():
        return kept / name
    try:
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(backbone, name, revision=revision))
    except Exception as error:  # no network, no such file, no room: the hub has a class for each and no base for them
        none = "" if name == CONFIG else ", or start from random weights with generator.weights=none"
        raise InputError(
            f"generator.backbone={backbone}: its {name} cannot be fetched, check name, revision and network; or put "
            f"{name} into {kept} by hand ({CACHE_VARIABLE} names another cache){none}"
        ) from error


def _commit_of(path: Path) -> str:
    """Which commit a file that came from the hub is of, as its cache lays it out; nothing for other files."""
    return f" at commit {path.parent.name}" if path.parent.parent.name == "snapshots" else ""


def _read_config(path: Path) -> Architecture:
    """What of a `config.json` describes layers."""
    try:
        if path.stat().st_size > _MAX_CONFIG:
            raise ValueError("too long")
        content = json.loads(path.read_text(encoding="utf-8"))
        kind = content["model_type"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: is no configuration of a backbone; delete it and fetch it again") from error
    _, own = config_class_of(kind)
    kept = {"model_type": kind, **{name: value for name, value in content.items() if name in own}}
    try:
        return TypeAdapter(Architecture).validate_python(kept)
    except ValidationError as error:
        raise InputError(f"{path}: describes a backbone in a form that is not known here ({_line(error)})") from error


def _read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name from either format; no code in the file is run."""
    if not path.is_file():
        raise InputError(f"generator.weights={path}: there is no such file; give published, none, or a file")
    try:
        if path.suffix == ".safetensors":
            check_header(path)
            return safetensors.torch.load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (
        ModelFileError,
        safetensors.SafetensorError,
        OSError,
        RuntimeError,
        ValueError,
        EOFError,
        KeyError,
        pickle.UnpicklingError,
    ) as error:
        raise InputError(
            f"generator.weights={path}: damaged, or no file of weights ({_line(error)}); copy it again"
        ) from error
    if not (isinstance(content, dict) and all(isinstance(value, Tensor) for value in content.values())):
        raise InputError(f"generator.weights={path}: is no state dict of named tensors; save model.state_dict()")
    return content


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
