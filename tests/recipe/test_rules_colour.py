"""Terms that look at the finished picture, or at what is in it: what they refuse."""

from __future__ import annotations

import pytest

from tintype.errors import RecipeError
from tintype.recipe import load_recipe

TOLD = ["method.classes=3", "data.subject=folder"]
RGB = "codec={kind: rgb, source: grey}"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["method.colourfulness=0.5", RGB], "method.colourfulness .* codec.kind=rgb makes whole"),
        (["method.lambda_display=1", RGB], "method.lambda_display .* codec.kind=rgb makes whole"),
        ([*TOLD, "method.classes=1"], "one class is nothing to tell"),
        (["method.classes=3"], "method.classes needs data.subject=folder, got none"),
        ([*TOLD, RGB, "generator.kind=resnet"], "method.classes needs generator.kind=unet, got resnet"),
        (
            [*TOLD, "generator.noise=input", "method.candidates=2"],
            "method.classes needs generator.noise=none, got input",
        ),
        (["method.classes=3", "data={kind: folders}", "codec.kind=gray"], "method.classes needs data.kind=colour"),
    ],
)
def test_terms_that_do_not_fit_are_refused_in_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe("tiny", overrides)
    assert "\n" not in str(caught.value)


def test_an_error_of_display_space_is_enough_to_learn_from() -> None:
    assert load_recipe("tiny", ["method.lambda_adversarial=0", "method.lambda_l1=0", "method.lambda_display=1"])
