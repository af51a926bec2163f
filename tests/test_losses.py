from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from tintype.losses import (
    LOG_FLOOR,
    fake_loss,
    generator_loss,
    gradient_penalty,
    l1_loss,
    log_error,
    real_loss,
    right_share,
)

KINDS = ("vanilla", "lsgan", "hinge", "margin")


def test_without_vividness_the_absolute_error_counts_all_pixels_alike() -> None:
    output, target = torch.rand(2, 2, 5, 4), torch.rand(2, 2, 5, 4)
    assert l1_loss(output, target) == (output - target).abs().mean()


def test_vividness_weighs_each_pixel_by_its_chroma_and_keeps_the_mean_weight() -> None:
    target = torch.tensor([[0.0, 0.3], [0.0, 0.4]]).reshape(1, 2, 1, 2)  # a grey pixel, and one of chroma 0.5
    output = target + torch.tensor([[0.1, 0.2]]).reshape(1, 1, 1, 2)
    # weights 1 and 1 + 4 x 0.5 = 3, of mean 2
    assert l1_loss(output, target, 4).item() == pytest.approx((1 * 0.1 + 3 * 0.2) / 2 / 2, rel=1e-6)
    assert l1_loss(output, output + 0.25, 4).item() == pytest.approx(0.25, rel=1e-6)


def test_a_vivid_constant_is_more_colourful_than_the_median() -> None:
    target = torch.zeros(1, 2, 1, 5)
    target[..., 3:] = 0.5  # two pixels of five have colour: the median is grey
    guesses = torch.linspace(0, 0.6, 61)

    def best(vividness: float) -> float:
        errors = [l1_loss(torch.full_like(target, guess), target, vividness).item() for guess in guesses.tolist()]
        return float(guesses[min(range(61), key=errors.__getitem__)])

    assert best(0) == 0 and best(3) == pytest.approx(0.5, abs=0.01)


def test_the_log_error_counts_a_picture_by_its_own_psnr() -> None:
    target = torch.zeros(2, 2, 4, 4)
    output = target + torch.tensor([0.1, 0.4]).reshape(2, 1, 1, 1)
    errors = torch.tensor([0.01, 0.16]) + LOG_FLOOR
    assert log_error(output, target).item() == pytest.approx(errors.log().mean().item(), rel=1e-5)
    nearer = output * torch.tensor([0.5, 1.0]).reshape(2, 1, 1, 1)  # one picture gains 6 dB, whichever it is
    other = output * torch.tensor([1.0, 0.5]).reshape(2, 1, 1, 1)
    assert log_error(nearer, target).item() == pytest.approx(log_error(other, target).item(), abs=0.05)


def test_the_log_error_of_a_perfect_picture_has_a_gradient_that_is_finite() -> None:
    output = torch.zeros(1, 2, 3, 3, requires_grad=True)
    log_error(output, torch.zeros(1, 2, 3, 3)).backward()
    assert output.grad is not None and torch.equal(output.grad, torch.zeros_like(output))


def test_vanilla_is_binary_cross_entropy_on_logits() -> None:
    logits = torch.linspace(-30, 30, 61)
    ones, zeros = torch.ones_like(logits), torch.zeros_like(logits)
    torch.testing.assert_close(real_loss(logits, "vanilla"), F.binary_cross_entropy_with_logits(logits, ones))
    torch.testing.assert_close(fake_loss(logits, "vanilla"), F.binary_cross_entropy_with_logits(logits, zeros))
    torch.testing.assert_close(generator_loss(logits, "vanilla"), F.binary_cross_entropy_with_logits(logits, ones))


def test_lsgan_is_the_squared_distance_to_the_label() -> None:
    logits = torch.tensor([0.0, 1.0, 3.0])
    assert real_loss(logits, "lsgan").item() == pytest.approx((1 + 0 + 4) / 3)
    assert fake_loss(logits, "lsgan").item() == pytest.approx((0 + 1 + 9) / 3)


def test_hinge_is_zero_beyond_the_margin_and_the_generator_has_none() -> None:
    assert real_loss(torch.tensor([1.0, 5.0]), "hinge").item() == 0
    assert fake_loss(torch.tensor([-1.0, -5.0]), "hinge").item() == 0
    assert real_loss(torch.tensor([0.0]), "hinge").item() == 1
    assert generator_loss(torch.tensor([2.0, 4.0]), "hinge").item() == -3


def test_the_margin_loss_is_that_of_the_lengths_of_capsules() -> None:
    lengths = torch.tensor([0.05, 0.5, 0.95])
    logits = lengths.logit()
    assert real_loss(logits, "margin").item() == pytest.approx((0.85**2 + 0.4**2 + 0) / 3, rel=1e-5)
    assert fake_loss(logits, "margin").item() == pytest.approx(0.5 * (0 + 0.4**2 + 0.85**2) / 3, rel=1e-5)
    assert generator_loss(logits, "margin").item() == real_loss(logits, "margin").item()
    assert right_share(logits, "margin", real=True).item() == right_share(logits, "margin", real=False).item()


@pytest.mark.parametrize("kind", KINDS)
@given(low=st.floats(-0.9, 0.9), step=st.floats(0.01, 0.09))
def test_the_generator_gains_what_the_discriminator_loses(kind: str, low: float, step: float) -> None:
    doubtful, sure = torch.tensor([low]), torch.tensor([low + step])
    assert generator_loss(sure, kind) < generator_loss(doubtful, kind)
    assert real_loss(sure, kind) < real_loss(doubtful, kind)
    assert fake_loss(sure, kind) > fake_loss(doubtful, kind) or (kind == "lsgan" and low < 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", [real_loss, fake_loss, generator_loss])
def test_extreme_logits_stay_finite(kind: str, loss) -> None:
    assert torch.isfinite(loss(torch.tensor([-1e4, 1e4]), kind))


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_the_gradient_penalty_of_a_linear_discriminator_is_its_squared_weight(scale: float) -> None:
    layer = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 1))
    with torch.no_grad():
        layer[1].weight.mul_(scale)
    pictures = torch.rand(5, 3, 2, 2)
    penalty = gradient_penalty(layer, pictures)
    weight = layer[1].weight
    assert penalty.item() == pytest.approx(weight.square().sum().item(), rel=1e-5)
    penalty.backward()
    torch.testing.assert_close(weight.grad, 2 * weight.detach())
    assert pictures.grad is None
