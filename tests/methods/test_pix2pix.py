from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tintype.methods import Batch, build_method
from tintype.methods.perceptual import open_perceptual
from tintype.recipe import load_recipe


def a_batch(recipe_overrides: list[str] | None = None):
    torch.manual_seed(0)
    recipe = load_recipe("tiny", recipe_overrides or [])
    method = build_method(recipe)
    return method, Batch(torch.rand(2, 1, 32, 32) * 2 - 1, torch.rand(2, 2, 16, 16) - 0.5)


def test_the_terms_carry_their_weights_and_their_names() -> None:
    method, batch = a_batch(["method.lambda_l1=50", "method.lambda_adversarial=2"])
    out = method.forward(batch)
    terms = method.loss("generator", batch, out)
    assert list(terms) == ["g/adversarial", "g/l1"]
    assert terms["g/l1"].item() == pytest.approx(50 * F.l1_loss(out, batch.target).item(), rel=1e-6)
    condition = F.avg_pool2d(batch.source, 2)
    logits = method.networks["discriminator"](torch.cat([condition, out], 1))
    assert terms["g/adversarial"].item() == pytest.approx(2 * F.softplus(-logits).mean().item(), rel=1e-4)


def test_the_discriminator_pays_for_both_kinds_of_mistake() -> None:
    method, batch = a_batch(["method.lambda_discriminator=1"])
    out = method.forward(batch)
    both = method.loss("discriminator", batch, out)
    method2, _ = a_batch(["method.lambda_discriminator=0.5"])
    half = method2.loss("discriminator", batch, method2.forward(batch))
    assert list(both) == ["d/real", "d/fake"]
    assert both["d/real"].item() == pytest.approx(2 * half["d/real"].item(), rel=1e-4)


def test_the_discriminators_loss_does_not_reach_the_generator() -> None:
    method, batch = a_batch()
    sum(method.loss("discriminator", batch, method.forward(batch)).values()).backward()
    assert all(parameter.grad is None for parameter in method.networks["generator"].parameters())
    assert all(parameter.grad is not None for parameter in method.networks["discriminator"].parameters())


def test_without_adversarial_weight_there_is_no_discriminator() -> None:
    method, batch = a_batch(["method.lambda_adversarial=0"])
    assert list(method.networks) == ["generator"]
    assert [phase.name for phase in method.phases] == ["generator"]
    assert list(method.loss("generator", batch, method.forward(batch))) == ["g/l1"]


def test_without_l1_weight_the_term_is_left_out() -> None:
    method, batch = a_batch(["method.lambda_l1=0"])
    assert list(method.loss("generator", batch, method.forward(batch))) == ["g/adversarial"]


@pytest.mark.parametrize("adversarial", ["vanilla", "lsgan", "hinge"])
@pytest.mark.parametrize("discriminator", ["{kind: patchgan, filters: 4, layers: 1}", "{kind: pixel, filters: 4}"])
def test_every_loss_works_with_every_discriminator(adversarial: str, discriminator: str) -> None:
    method, batch = a_batch([f"method.adversarial={adversarial}", f"discriminator={discriminator}"])
    out = method.forward(batch)
    for phase in method.phases:
        assert all(torch.isfinite(term) for term in method.loss(phase.name, batch, out).values())


@pytest.mark.parametrize("stage", ["method.l1_steps=3", "method.l1_epochs=1.5"])
def test_the_discriminator_joins_after_the_stage_of_l1_alone(stage: str) -> None:
    method, batch = a_batch([stage])
    before = Batch(batch.source, batch.target, step=2, epoch=1.4)
    after = Batch(batch.source, batch.target, step=3, epoch=1.5)
    out = method.forward(before)
    assert method.loss("discriminator", before, out) == {}
    assert list(method.loss("generator", before, out)) == ["g/l1"]
    assert list(method.loss("discriminator", after, out)) == ["d/real", "d/fake"]
    assert list(method.loss("generator", after, out)) == ["g/adversarial", "g/l1"]


ENLARGING = ["codec={kind: enlarge, scale: 2}", "generator={kind: srresnet, filters: 2, blocks: 1}"]


def test_the_perceptual_term_joins_with_the_discriminator() -> None:
    torch.manual_seed(0)
    weights = "method={lambda_l1: 0, lambda_l2: 2, lambda_perceptual: 3, l1_steps: 3}"
    method = build_method(load_recipe("tiny", [*ENLARGING, weights]))
    before = Batch(torch.rand(2, 3, 16, 16) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1, step=2)
    out = method.forward(before)
    terms = method.loss("generator", before, out)
    assert list(terms) == ["g/l2"]
    assert terms["g/l2"].item() == pytest.approx(2 * F.mse_loss(out, before.target).item())
    after = Batch(before.source, before.target, step=3)
    terms = method.loss("generator", after, out)
    assert list(terms) == ["g/adversarial", "g/l2", "g/perceptual"]
    assert terms["g/perceptual"].item() == pytest.approx(3 * open_perceptual("caltech101")(out, after.target).item())
    assert "perceptual" not in " ".join(method.networks)


@pytest.mark.parametrize(("conditional", "channels"), [("true", 6), ("false", 3)])
def test_the_discriminator_judges_the_large_picture_with_the_small_one_or_alone(
    conditional: str, channels: int
) -> None:
    torch.manual_seed(0)
    method = build_method(load_recipe("tiny", [*ENLARGING, f"method.conditional={conditional}"]))
    seen: list[torch.Tensor] = []
    method.networks["discriminator"].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    batch = Batch(torch.rand(2, 3, 16, 16) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1)
    method.loss("discriminator", batch, method.forward(batch))
    assert [x.shape for x in seen] == [(2, channels, 32, 32)] * 2
    assert torch.equal(seen[0][:, -3:], batch.target)
    if channels == 6:
        assert torch.equal(seen[0][:, :3, ::2, 1::2], batch.source)


@pytest.mark.parametrize(("adversarial", "border"), [("vanilla", 0.0), ("lsgan", 0.5), ("hinge", 0.0)])
def test_the_share_of_right_judgements_is_at_hand_once(adversarial: str, border: float) -> None:
    method, batch = a_batch([f"method.adversarial={adversarial}"])
    out = method.forward(batch)
    assert method.take_health() == {}
    method.loss("discriminator", batch, out)
    condition = F.avg_pool2d(batch.source, 2)
    real, fake = (method.networks["discriminator"](torch.cat([condition, shown], 1)) for shown in (batch.target, out))
    health = method.take_health()
    assert health["d/accuracy_real"].item() == pytest.approx((real > border).float().mean().item())
    assert health["d/accuracy_fake"].item() == pytest.approx((fake < border).float().mean().item())
    assert not any(value.requires_grad for value in health.values())
    assert method.take_health() == {}
