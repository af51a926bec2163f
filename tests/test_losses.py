from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from tintype.losses import fake_loss, generator_loss, gradient_penalty, real_loss

KINDS = ("vanilla", "lsgan", "hinge")


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
