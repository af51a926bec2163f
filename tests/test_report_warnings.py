"""What the curves of a training are warned of, and that healthy ones are not."""

from __future__ import annotations

import math
import random

import pytest

from tintype.report_events import Events
from tintype.report_warnings import FEWEST_LINES, Game, training_warnings

LINES = 100
VANILLA = Game.of({"kind": "pix2pix", "adversarial": "vanilla", "lambda_discriminator": 0.5})


def a_training(lines=LINES, *, terms=None, health=None, validations=None):
    """Events of a run with a log line each ten steps; the values are functions of the part of the run that is over."""
    events = Events()
    scatter = random.Random(0)
    for number in range(1, lines + 1):
        part, step = number / lines, 10 * number

        def values(functions, part=part):
            return {name: of(part) * scatter.uniform(0.9, 1.1) for name, of in (functions or {}).items()}

        shares = {name: min(1.0, value) for name, value in values(health).items()}
        events.add({"event": "log", "step": step, "terms": values(terms), "health": shares})
        if validations and number % (lines // 10) == 0:
            scores = {name: of(part) for name, of in validations.items()}
            events.add({"event": "validation", "step": step, "scores": scores, "best": part == 0.3})
    return events


HEALTHY_TERMS = {
    "d/real": lambda part: 0.3,
    "d/fake": lambda part: 0.3,
    "g/adversarial": lambda part: 0.7 + part,
    "g/l1": lambda part: 30 * math.exp(-3 * part) + 8,
}
HEALTHY_HEALTH = {
    "d/accuracy_real": lambda part: 0.75,
    "d/accuracy_fake": lambda part: 0.8,
    "d/gradient": lambda part: 1.0,
    "g/gradient": lambda part: 3 - part,
}


def test_a_healthy_training_is_not_warned_of():
    rising = {"psnr": lambda part: 24 + 2 * part, "train_psnr": lambda part: 24 + 3 * part}
    assert training_warnings(a_training(terms=HEALTHY_TERMS, health=HEALTHY_HEALTH, validations=rising), VANILLA) == []
    assert training_warnings(a_training(terms=HEALTHY_TERMS), VANILLA) == []
    assert training_warnings(Events(), Game()) == []


def test_codes_that_move_away_from_standard_normal_are_no_divergence():
    terms = HEALTHY_TERMS | {f"g/{name}_a": lambda part: 0.1 + part for name in ("kl", "cycle_kl")}
    assert training_warnings(a_training(terms=terms, health=HEALTHY_HEALTH), VANILLA) == []


def test_a_discriminator_that_is_nearly_always_right_on_both_kinds_has_won():
    health = {"d/accuracy_real": lambda part: 0.6 + part * 2, "d/accuracy_fake": lambda part: 0.6 + part * 2}
    (sentence,) = training_warnings(a_training(terms=HEALTHY_TERMS, health=health), VANILLA)
    assert sentence.startswith("The discriminator has won: from step ") and "to 1,000" in sentence
    assert sentence.count(".") <= 4 and "optimiser.discriminator_lr" in sentence


@pytest.mark.parametrize(
    "fake",
    [
        pytest.param(lambda part: 0.5, id="it doubts real pictures alone"),
        pytest.param(lambda part: 2.0 if part < 0.2 else 0.8, id="a lead that was made up for"),
    ],
)
def test_a_discriminator_that_is_right_on_one_kind_or_for_a_short_time_has_not_won(fake):
    health = {"d/accuracy_real": lambda part: 2.0, "d/accuracy_fake": fake}
    assert training_warnings(a_training(terms=HEALTHY_TERMS, health=health), VANILLA) == []


def test_of_two_discriminators_the_one_that_has_won_is_named():
    terms = {f"d/{kind}_{domain}": lambda part: 0.1 for kind in ("real", "fake") for domain in "ab"}
    health = {f"d/accuracy_{kind}_a": lambda part: 0.7 for kind in ("real", "fake")}
    health |= {f"d/accuracy_{kind}_b": lambda part: 2.0 for kind in ("real", "fake")}
    (sentence,) = training_warnings(a_training(terms=terms, health=health), Game.of({"kind": "cyclegan"}))
    assert sentence.startswith("The discriminator of B has won")


def test_where_accuracy_was_not_logged_a_loss_near_nothing_says_it():
    won = HEALTHY_TERMS | {"d/real": lambda part: 0.01, "d/fake": lambda part: 0.01}
    (sentence,) = training_warnings(a_training(terms=won), VANILLA)
    assert "has won" in sentence and "below 5 % of what one that knows nothing pays" in sentence
    assert training_warnings(a_training(terms=won), Game()) == [], "the weights are unknown"
    balanced = {"d/accuracy_real": lambda part: 0.7, "d/accuracy_fake": lambda part: 0.7}
    assert training_warnings(a_training(terms=won, health=balanced), VANILLA) == [], "accuracy knows better"


def test_a_generator_whose_gradient_is_gone_is_warned_of():
    health = HEALTHY_HEALTH | {"g/gradient": lambda part: 3 * 10 ** (-4 * part)}
    (sentence,) = training_warnings(a_training(terms=HEALTHY_TERMS, health=health), VANILLA)
    assert sentence.startswith("The generator's gradient collapsed from")


def test_train_and_validation_that_part_are_warned_of_with_the_step_and_by_how_much():
    parting = {
        "psnr": lambda part: 26 - 4 * abs(part - 0.3),
        "train_psnr": lambda part: 25 + 5 * part,
    }
    (sentence,) = training_warnings(a_training(terms=HEALTHY_TERMS, validations=parting), VANILLA)
    assert sentence.startswith("Train and validation parted: since about step 300 ")
    assert "by heart, and the model is that of step 300." in sentence


@pytest.mark.parametrize(
    ("validation", "train"),
    [
        pytest.param(lambda part: 26 - 0.4 * part, lambda part: 25 + 5 * part, id="a fall too small to count"),
        pytest.param(lambda part: 26 - 3 * part, lambda part: 26 - 3 * part, id="both fall"),
        pytest.param(lambda part: 26 + part, lambda part: 26 + 9 * part, id="both rise"),
    ],
)
def test_train_and_validation_that_do_not_part_are_not_warned_of(validation, train):
    events = a_training(terms=HEALTHY_TERMS, validations={"psnr": validation, "train_psnr": train})
    assert training_warnings(events, VANILLA) == []


def test_an_old_run_without_training_pictures_in_validation_is_not_judged_by_them():
    falling = {"psnr": lambda part: 30 - 8 * part}
    assert training_warnings(a_training(terms=HEALTHY_TERMS, validations=falling), VANILLA) == []


@pytest.mark.parametrize("term", ["g/l1", "g/cycle_a"])
def test_a_reconstruction_that_ends_far_above_its_best_diverged(term):
    terms = {term: lambda part: 10 if part < 0.5 else 10 + 80 * (part - 0.5)}
    (sentence,) = training_warnings(a_training(terms=terms), VANILLA)
    assert sentence.startswith(f"The loss {term} diverged") and "optimiser.lr" in sentence


def test_an_adversarial_loss_that_rises_is_no_divergence():
    terms = HEALTHY_TERMS | {"g/adversarial": lambda part: 0.5 + 9 * part}
    assert training_warnings(a_training(terms=terms), VANILLA) == []


def test_a_discriminator_that_is_ever_more_wrong_diverged():
    terms = HEALTHY_TERMS | {"d/fake": lambda part: 0.3 + 20 * part}
    (sentence,) = training_warnings(a_training(terms=terms), VANILLA)
    assert sentence.startswith("The loss of the discriminator diverged")


def test_a_training_that_stopped_because_it_diverged_says_so_until_it_goes_on():
    events = a_training(3, terms=HEALTHY_TERMS)
    events.add({"event": "diverged", "step": 31, "text": "step 31: g/l1 is nan"})
    (sentence,) = training_warnings(events, VANILLA)
    assert "stopped because it diverged: step 31: g/l1 is nan" in sentence
    events.add({"event": "log", "step": 40, "terms": {"g/l1": 1.0}})
    assert training_warnings(events, VANILLA) == []


def test_short_curves_say_nothing():
    won = {"d/real": lambda part: 0.0, "d/fake": lambda part: 0.0, "g/l1": lambda part: 1 + 99 * part}
    assert training_warnings(a_training(FEWEST_LINES - 1, terms=won), VANILLA) == []
    assert len(training_warnings(a_training(FEWEST_LINES, terms=won), VANILLA)) == 2


@pytest.mark.parametrize(
    ("method", "ignorance"),
    [
        ({"kind": "pix2pix", "adversarial": "vanilla", "lambda_discriminator": 0.5}, math.log(2)),
        ({"kind": "pix2pix", "adversarial": "hinge", "lambda_discriminator": 1}, 2.0),
        ({"kind": "cyclegan"}, 0.25),
        ({"kind": "cut"}, 0.25),
        ({"kind": "pix2pix", "adversarial": "margin"}, 0.5 * (0.4**2 + 0.5 * 0.4**2)),
        ({}, math.log(2)),
        ({"adversarial": ["x"]}, None),
        ({"lambda_discriminator": "much"}, None),
        ({"lambda_discriminator": -1}, None),
        ("pix2pix", math.log(2)),
    ],
)
def test_what_a_discriminator_pays_that_knows_nothing(method, ignorance):
    assert Game.of(method).ignorance == pytest.approx(ignorance)
