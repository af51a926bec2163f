"""Recipes with hints: what they derive and what they refuse."""

from __future__ import annotations

import pytest

from tintype.errors import RecipeError
from tintype.recipe import load_recipe


def test_a_network_with_hints_takes_one_input_more() -> None:
    assert load_recipe("tiny").inputs == ("source",)
    assert load_recipe("tiny", ["data.hints.mean=8"]).inputs == ("source", "hints")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.hints.mean=0.5"], r"mean \(0\.5\) must be at least 1"),
        (["data.hints={mean: 8, none: 0.6, whole: 0.5}"], "together at most 1"),
        (["data.hints={mean: 8, largest: 64}"], r"data\.hints\.largest \(64\) must be at most data\.size"),
        (["data.hints.mean=8", "codec={kind: rgb, source: grey}"], "data.hints needs codec.kind=lab, got rgb"),
        (["data.hints.mean=8", "generator.kind=resnet"], "data.hints needs generator.kind=unet, got resnet"),
        (
            ["data.hints.mean=8", "method.kind=cyclegan"],
            "data.hints needs method.kind=pix2pix or regression, got cyclegan",
        ),
        (["data={kind: folders}", "codec.kind=gray", "data.hints.mean=8"], "data.hints"),
    ],
)
def test_hints_that_do_not_fit_are_refused_in_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe("tiny", overrides)
    assert "\n" not in str(caught.value)
