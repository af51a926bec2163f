"""Every built-in recipe is trained for two steps, with few filters and small made pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tintype
from tintype.console import Reporter
from tintype.inference.modelfile import read_card
from tintype.inference.sampling import Sampler
from tintype.recipe import load_recipe, preset_names

SMALL = ["data.size=32", "data.load_size=null", "evaluation.size=null", "generator.filters=2"]
SMALL += ["discriminator.filters=2", "discriminator.layers=1", "training.steps=2", "training.batch_size=2"]
BACKBONE = "{model_type: resnet, embedding_size: 2, hidden_sizes: [2, 4], depths: [1, 1], layer_type: basic}"
SHALLOW = {
    "unet": ["generator.levels=3"],
    "resnet": ["generator.blocks=2"],
    "encoder_unet": ["generator.weights=none", f"generator.architecture={BACKBONE}"],
    "srresnet": ["generator.blocks=1"],
    "classifier": ["generator.classes=3"],
}


OF_NOISE = ["data.size=16", "data.class_names=[]", "training.steps=2", "training.batch_size=2"]
"""What makes recipes small whose pictures come from noise."""

FROM_NOISE = [name for name in preset_names() if "source" not in load_recipe(name).inputs]


@pytest.mark.parametrize("name", FROM_NOISE)
def test_a_preset_that_makes_pictures_from_noise_trains_two_steps_and_draws(
    name: str, tmp_path: Path, idx_set: Path
) -> None:
    recipe = load_recipe(name)
    small = {"mlp": "hidden=[8]", "dcgan": "filters=2", "lapgan": "filters=2", "video": "filters=2"}
    overrides = [
        f"data.path={idx_set}",
        *OF_NOISE,
        *(f"{section}.{small[getattr(recipe, section).kind]}" for section in ("generator", "discriminator")),
        *(["generator.classes=3"] if "label" in recipe.inputs else []),
        *(["data.motion={frames: 3, side: 10}"] if recipe.frames > 1 else []),
    ]
    assert tintype.train(name, tmp_path / "run", overrides, reporter=Reporter(quiet=True))
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    assert Sampler(tmp_path / "run")(3).shape == (3, 16, 16, 1 if recipe.frames == 1 else 3)


@pytest.mark.parametrize("name", sorted(set(preset_names()) - set(FROM_NOISE)))
def test_a_preset_trains_two_steps_and_leaves_a_working_model(
    name: str, tmp_path: Path, picture_set: Path, labelled_set: Path, request: pytest.FixtureRequest
) -> None:
    recipe = load_recipe(name)
    if small := name.endswith("-small"):  # reduced to this size it leaves the model of the recipe of full size
        assert name.removesuffix("-small") in preset_names()
        request.getfixturevalue("nothing_shipped")
    if recipe.data.kind == "labelled":
        picture_set = labelled_set
    more = ["codec.chroma_size=16"] if getattr(recipe.codec, "chroma_size", None) else []
    if recipe.data.kind == "unpaired":
        more.append(f"data.path_b={picture_set}")
    if getattr(recipe.method, "init_from", ""):
        more.append("method.init_from=")  # what it names is as large as the recipe, and does not fit a small network
    if getattr(recipe.method, "classes", 0):
        more += ["method.classes=0", "data.subject=none"]  # the set lies in one folder
    overrides = [f"data.path={picture_set}", *SMALL, *SHALLOW[recipe.generator.kind], *more]
    if recipe.generator.kind == "classifier":
        overrides += ["data.class_names=[]", "data.label=name"]
        overrides = [override for override in overrides if not override.startswith("discriminator")]
    assert tintype.train(name, tmp_path / "run", overrides, reporter=Reporter(quiet=True))
    logged = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert [line["step"] for line in logged if line["event"] == "checkpoint"] == [2]
    if small:
        return
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    if recipe.generator.kind == "classifier":
        assert read_card(tmp_path / "run" / "model.onnx").classes == ("blue", "green", "red")
        return
    picture, scale = np.random.default_rng(0).integers(0, 256, (45, 37), dtype=np.uint8), recipe.enlargement
    for direction in recipe.directions:
        made = tintype.Translator(tmp_path / "run", direction)(picture)
        channels = 1 if recipe.codec.kind == "gray" or scale > 1 else 3
        assert made.shape == (45 * scale, 37 * scale, channels)
