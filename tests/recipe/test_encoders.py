"""Recipes with a backbone or with damaged sources: what they derive and what they refuse."""

from __future__ import annotations

import pytest

from tintype.errors import RecipeError
from tintype.recipe import load_recipe
from tintype.recipe.encoders import PUBLISHED, backbone_strides
from tintype.recipe.load import dump_recipe, parse_recipe

BACKBONE = "generator={kind: encoder_unet, weights: none}"


def test_published_backbones_end_at_a_thirty_second_or_at_tokens_of_a_sixteenth() -> None:
    ends = {name: backbone_strides(architecture)[-1] for name, architecture in PUBLISHED.items()}
    assert set(ends.values()) == {16, 32}
    assert all((end == 16) == ("dinov2" in name) for name, end in ends.items())


def test_an_architecture_survives_being_written_and_read() -> None:
    recipe = load_recipe(
        "tiny", ["codec.chroma_size=null", f"{BACKBONE[:-1]}, architecture: {{model_type: resnet, depths: [1, 2]}}}}"]
    )
    import yaml

    assert recipe.generator_multiple == 8
    assert parse_recipe(yaml.safe_load(dump_recipe(recipe)), "again") == recipe


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([BACKBONE, "data.size=48"], r"must be a multiple of 32 for generator.kind=encoder_unet"),
        ([BACKBONE, "data.size=64", "codec.chroma_size=2"], "leaves the decoder nothing to do"),
        ([BACKBONE, "data.size=32", "codec.chroma_size=32", "training.batch_size=1"], "finds no spread"),
        ([f"{BACKBONE[:-1]}, architecture: {{model_type: resnet, depths: [150, 150]}}}}"], "depths is beyond 200"),
        ([f"{BACKBONE[:-1]}, architecture: {{model_type: resnet, depths: [1]}}}}"], "at least two stages"),
        (
            [f"{BACKBONE[:-1]}, architecture: {{model_type: swin, depths: [1, 1], patch_size: 0}}}}"],
            r"stages of \(0, 0\) pixels cannot be doubled back",
        ),
        ([f"{BACKBONE[:-1]}, architecture: {{depths: [1, 1]}}}}"], "model_type"),
        (
            ["generator={kind: encoder_unet, architecture: {model_type: resnet, depths: [1, 1]}}", "data.size=64"],
            "is not that of microsoft/resnet-18",
        ),
        (["data.damage.mask=0.5"], "codec.kind=lab keeps the damaged luminance"),
        (["codec={kind: gray}"], "or data.damage"),
        (["optimiser.encoder_lr=0", "optimiser.encoder_frozen_steps=5"], "leave out encoder_frozen_steps"),
        (
            ["data.damage.noise=0.1", "codec={kind: rgb, source: grey3}", "method={kind: cyclegan}"],
            "data.damage needs a method that sees the whole picture",
        ),
    ],
)
def test_what_does_not_hold_together_is_refused_in_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe("tiny", overrides)
    assert "\n" not in str(caught.value)


def test_a_classifier_has_no_encoder_to_freeze() -> None:
    with pytest.raises(RecipeError, match="need a generator with an encoder, classifier has none"):
        load_recipe("caltech101-classifier", ["optimiser.encoder_lr=0"])


def test_damage_makes_source_and_target_of_one_picture_differ() -> None:
    assert load_recipe("tiny", ["codec={kind: gray}", "data.damage.mask=0.5"]).learns_from_pairs
