from __future__ import annotations

from pathlib import Path

import pytest

from tintype.errors import RecipeError
from tintype.recipe import dump_recipe, load_recipe


def test_a_list_of_filters_says_how_many_layers_there_are_and_survives_being_written_out(tmp_path: Path) -> None:
    recipe = load_recipe("tiny", ["discriminator={kind: patchgan, filters: [4, 8, 8]}", "discriminator.layers=null"])
    assert recipe.discriminator.strided_layers == 2
    file = tmp_path / "recipe.yaml"
    file.write_text(dump_recipe(recipe))
    assert load_recipe(file) == recipe
    assert load_recipe(file).digest == recipe.digest


def test_a_number_takes_the_place_of_a_list_of_filters_with_three_layers() -> None:
    listed = load_recipe("tiny", ["discriminator.filters=[4, 8, 8]", "discriminator.layers=null"])
    spec = load_recipe(listed, ["discriminator.filters=16"]).discriminator
    assert (spec.filters, spec.strided_layers) == (16, 3)
    assert load_recipe("tiny").discriminator.strided_layers == 1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("discriminator.layers=1", "discriminator: layers (1) must be 2 for filters [4, 8, 8], or null"),
        ("discriminator.filters=[4]", "discriminator.filters: got [4], needed a number from 1 to 512 or a list"),
        ("discriminator.filters=[4, x]", "discriminator.filters: got [4, 'x'], needed"),
        ("discriminator.filters=0", "discriminator.filters: got 0, needed"),
        ("discriminator={kind: dense, filters: 0}", "discriminator.filters: got 0, input should be greater"),
        ("generator.levels=5", "data.size (32) must be a multiple of 64 for generator.levels=5 with bottleneck_blocks"),
        ("generator.levels=10", "generator: levels (10) must be at most 9 with bottleneck_blocks"),
        ("codec.chroma_size=2", "leaves the decoder of 4 levels nothing to do"),
    ],
)
def test_networks_that_cannot_be_built_are_refused_in_one_line(override: str, message: str) -> None:
    changes = ["discriminator.filters=[4, 8, 8]", "discriminator.layers=null"]
    recipe = load_recipe("tiny", [*changes, "generator.levels=4", "generator.bottleneck_blocks=1"])
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe, [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
