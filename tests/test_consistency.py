"""Scores without pairs: exact on translators whose errors are known, and never without their caveat."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tintype.consistency import judge_apart, judge_consistency, scores_without_pairs
from tintype.data.dataset import Single
from tintype.errors import DataError
from tintype.inference.modelfile import ModelCard
from tintype.inference.translator import Translator
from tintype.metrics.scores import CONSISTENCY_CAVEAT, Scores
from tintype.metrics.table import format_scores
from tintype.recipe.schema import Recipe

RGB = {"kind": "rgb", "source": "rgb"}


class Plain:
    """A runtime that is a function of a batch in model space."""

    name = "plain"

    def __init__(self, function):
        self.function = function

    def __call__(self, x):
        return self.function(x).astype(np.float32)


def make(function, direction="ab", codec=RGB, method=None):
    """A translator of a run of two directions."""
    recipe = Recipe.model_validate(
        {
            "name": "fake",
            "data": {"kind": "unpaired", "path": "p", "path_b": "q", "size": 32},
            "codec": codec,
            "generator": {"kind": "resnet", "filters": 1, "blocks": 2},
            "method": method or {"kind": "cyclegan", "lambda_identity": 0},
            "training": {"steps": 1},
        }
    )
    card = ModelCard(
        tintype_version="0",
        recipe=recipe,
        direction=direction,
        step=1,
        images_seen=1,
        multiple_of=8,
        output_stride=1,
        tiling="exact",
    )
    return Translator.from_runtime(Plain(function), card)


def shift(by):
    """Adds `by` in display space, which is half as wide as model space."""
    return lambda x: x + 2 * by


def singles(count, channels=3, seed=0, side=24):
    """Noise far enough from black and white that no shift is clipped."""
    noise = np.random.default_rng(seed).uniform(0.3, 0.7, (count, side, side, channels)).astype(np.float32)
    return [Single(f"{number}.png", picture) for number, picture in enumerate(noise)]


def test_the_figures_of_a_known_shift_are_what_it_is_worth_in_decibels():
    found = judge_consistency(make(shift(0.1)), make(shift(-0.05), "ba"), singles(4), singles(3, seed=1))
    assert found.cycle.psnr.mean == pytest.approx(-20 * math.log10(0.05), abs=1e-3)
    assert found.identity.psnr.mean == pytest.approx(-20 * math.log10(0.1), abs=1e-3)
    assert found.change.psnr.mean == pytest.approx(-20 * math.log10(0.1), abs=1e-3)
    assert (found.cycle.pictures, found.identity.pictures, found.change.pictures) == (4, 3, 4)


def test_cycle_identity_and_change_equal_scikit_image():
    sources, targets = singles(3), singles(3, seed=1)
    found = judge_consistency(make(lambda x: -x), make(lambda x: 0.5 * x, "ba"), sources, targets)

    def mean(pairs):
        psnr = [peak_signal_noise_ratio(one, other, data_range=1) for one, other in pairs]
        ssim = [
            structural_similarity(
                *pair, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=-1
            )
            for pair in pairs
        ]
        return pytest.approx((np.mean(psnr), np.mean(ssim)), rel=1e-3)

    turned = [(one.picture, 1 - one.picture) for one in sources]
    assert (found.change.psnr.mean, found.change.ssim.mean) == mean(turned)
    assert (found.cycle.psnr.mean, found.cycle.ssim.mean) == mean([(one, 0.25 + 0.5 * two) for one, two in turned])
    assert (found.identity.psnr.mean, found.identity.ssim.mean) == mean([(o.picture, 1 - o.picture) for o in targets])


@given(count=st.integers(1, 3), side=st.integers(11, 40), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_changing_nothing_is_perfect_and_the_caveat_says_so(count, side, seed):
    models = [make(lambda x: x, direction) for direction in ("ab", "ba")]
    found = judge_consistency(
        *models, singles(count, seed=seed, side=side), singles(count, seed=seed + 1, side=side), resamples=20
    )
    for likeness in (found.cycle, found.identity, found.change):
        assert likeness.psnr.mean == pytest.approx(100)
        assert likeness.ssim.mean == pytest.approx(1)
    said = format_scores(scores_without_pairs(found, count, {"size": side})).splitlines()
    assert CONSISTENCY_CAVEAT in said and "changing nothing would be perfect" in CONSISTENCY_CAVEAT
    assert [line.split(" (")[1].split(")")[0] for line in said[2:5]] == ["cycle", "identity", "change"]


def test_without_the_other_direction_there_is_no_cycle():
    found = judge_consistency(make(shift(0.1)), None, singles(2), singles(2))
    assert found.cycle is None
    assert found.identity and found.change
    assert "there and back" not in format_scores(scores_without_pairs(found, 2, {}))


@pytest.mark.parametrize("direction", ["ab", "ba"])
def test_domains_of_different_channels_have_no_identity(direction):
    def grey_or_colour(channels):
        return lambda x: np.repeat(x[:, :1], channels, axis=1)

    codec = {"kind": "rgb", "source": "grey"}
    ahead, back = (3, 1) if direction == "ab" else (1, 3)
    other = {"ab": "ba", "ba": "ab"}[direction]
    found = judge_consistency(
        make(grey_or_colour(ahead), direction, codec),
        make(grey_or_colour(back), other, codec),
        singles(2, channels=4 - ahead),
        singles(2, channels=ahead),
    )
    assert found.identity is None
    assert found.cycle.pictures == found.change.pictures == 2


def test_unit_has_no_identity_for_its_encoders_know_one_domain_each():
    ahead, back = (make(shift(0.1), direction, method={"kind": "unit"}) for direction in ("ab", "ba"))
    found = judge_consistency(ahead, back, singles(2), singles(2, seed=1))
    assert found.identity is None
    assert found.cycle.pictures == found.change.pictures == 2


def test_a_network_that_reads_grey_is_shown_the_colour_pictures_that_it_should_leave_alone():
    codec = {"kind": "rgb", "source": "grey3"}
    ahead, back = (make(lambda x: x, direction, codec) for direction in ("ab", "ba"))
    greys = [Single("0.png", np.repeat(one.picture, 3, axis=-1)) for one in singles(1, channels=1)]
    found = judge_consistency(ahead, back, greys, singles(2, seed=1))
    assert found.identity.psnr.mean == pytest.approx(100)
    assert ahead.predict(singles(1, seed=1)[0].picture).render().std(axis=-1).max() < 1e-6  # which it does not see else


def test_a_single_picture_has_no_interval():
    found = judge_consistency(make(shift(0.1)), None, singles(1), [])
    assert (found.change.psnr.low, found.identity) == (None, None)
    assert "[one picture]" in format_scores(scores_without_pairs(found, 1, {}))


def test_no_pictures_at_all_are_refused():
    with pytest.raises(DataError, match="no pictures to judge"):
        judge_consistency(make(shift(0.1)), make(shift(-0.1), "ba"), [], [])


def test_scores_without_pairs_hold_no_rows_survive_json_and_end_in_no_verdict():
    found = judge_consistency(make(shift(0.1)), make(shift(-0.05), "ba"), singles(3), singles(3, seed=1))
    scores = scores_without_pairs(found, 3, {"size": 24, "direction": "ab"})
    assert (scores.rows, scores.comparisons, scores.per_picture, scores.reference) == ((), (), (), "")
    assert scores.protocol.keys() == {"size", "direction", "tintype"}
    assert Scores.from_dict(scores.to_dict()) == scores
    assert format_scores(scores).splitlines()[-1] == scores.verdict
    assert scores.verdict.startswith("No verdict: ")


def test_scores_with_pairs_say_nothing_of_consistency():
    found = judge_consistency(make(shift(0.1)), None, singles(2), singles(2))
    without = dataclasses.replace(scores_without_pairs(found, 2, {}), consistency=None)
    assert CONSISTENCY_CAVEAT not in format_scores(without)


class MeanColour:
    """Features that are the mean colour of a picture."""

    protocol = "mean colour"
    channels = 3

    def __call__(self, pictures):
        return pictures.mean(axis=(1, 2))


def test_realism_without_pairs_stands_beside_that_of_the_sources_as_they_are():
    random = np.random.default_rng(0)
    dark, light = ([Single(f"{i}", random.uniform(low, low + 0.4, (32, 32, 3))) for i in range(8)] for low in (0, 0.6))
    brighter = judge_apart(MeanColour(), make(lambda x: x + 1.2), dark, light)
    model, identity = brighter.rows
    assert (model.name, identity.name, brighter.pictures) == ("model", "identity", 8)
    assert model.kid.mean < identity.kid.mean / 10
    assert brighter.against_reference[0].outcome == "better"
    darker = judge_apart(MeanColour(), make(lambda x: x - 0.2), dark, light)
    assert darker.against_reference[0].outcome == "no better"
    assert judge_apart(MeanColour(), make(lambda x: x), dark[:5], light) is None


def test_realism_without_pairs_is_printed_and_in_the_verdict():
    random = np.random.default_rng(0)
    sets = [[Single(f"{i}", random.uniform(low, low + 0.4, (32, 32, 3))) for i in range(8)] for low in (0, 0.6)]
    model = make(lambda x: x - 0.2)
    realism = judge_apart(MeanColour(), model, *sets)
    scores = scores_without_pairs(judge_consistency(model, None, *sets), 8, {}, realism)
    assert "Warning: realism is no better than that of identity" in scores.verdict
    text = format_scores(scores)
    assert text.count("KID x 1000") == 3 and "features of mean colour, 8 pictures" in text
    assert Scores.from_dict(scores.to_dict()) == scores
