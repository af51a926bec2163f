from __future__ import annotations

import pytest
import torch

from tintype.errors import RecipeError
from tintype.networks.conditional import LatentEncoder
from tintype.recipe import load_recipe
from tintype.recipe.rules_stochastic import SMALLEST_TOLD

NOISE = "generator={filters: 2, levels: 3, norm: instance, dropout: 0, noise: input}"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["method.candidates=4"], "method.candidates is about the noise of generator.noise=input, got noise=none"),
        (["method.lambda_latent=1"], "method.lambda_latent is about the noise"),
        (["inference.temperature=0.5"], "inference.temperature is about the noise"),
        ([NOISE, "method={kind: regression}"], "method.kind=regression would learn to ignore it"),
        (["generator={dropout: 0, noise: dropout}"], "noise=dropout keeps dropout on in use, and dropout is 0"),
        ([NOISE, "data.size=16", "codec.chroma_size=8", "method.lambda_latent=1"], "chroma of at least 16 pixels"),
        (["generator={norm: none, noise: input}"], "norm=none has none: use norm=instance or batch"),
        (["generator={levels: 2, noise: input}"], r"levels \(2\) must be at least 3"),
        (
            [NOISE, "method={kind: cyclegan, lambda_identity: 0}", "codec={kind: rgb, source: grey3}"],
            "needs method.lambda_latent above 0 with method.kind=cyclegan",
        ),
    ],
)
def test_noise_that_nothing_uses_is_refused(settings: list[str], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_recipe("tiny", settings)


def test_the_smallest_target_is_what_the_encoder_can_take() -> None:
    encoder = LatentEncoder(2, 3)
    assert encoder(torch.zeros(1, 2, SMALLEST_TOLD, SMALLEST_TOLD)).shape == (1, 3)
    with pytest.raises(RuntimeError):
        encoder(torch.zeros(1, 2, SMALLEST_TOLD // 2, SMALLEST_TOLD // 2))


def test_noise_is_an_input_of_the_way_there_alone() -> None:
    recipe = load_recipe(
        "tiny",
        [NOISE, "method={kind: cyclegan, lambda_identity: 0, lambda_latent: 1}", "codec={kind: rgb, source: grey3}"],
    )
    assert recipe.inputs_of("ab") == ("source", "noise")
    assert recipe.inputs_of("ba") == ("source",)
    assert load_recipe("tiny").inputs == ("source",)
    assert load_recipe("tiny", ["generator.noise=dropout"]).inputs == ("source",)


def test_spread_is_not_given_away_for_the_score_of_single_results() -> None:
    assert load_recipe("tiny", [NOISE]).best_by == "last"
    assert load_recipe("tiny", ["generator.noise=dropout"]).best_by == "psnr"
    assert load_recipe("tiny", [NOISE, "evaluation.best_by=psnr"]).best_by == "psnr"
