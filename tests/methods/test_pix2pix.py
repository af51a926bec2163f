from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tintype.losses import log_error
from tintype.methods import Batch, build_method
from tintype.methods.noise import draw_noise
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
    assert terms["g/l1"].item() == pytest.approx(50 * F.l1_loss(out.target, batch.target).item(), rel=1e-6)
    condition = F.avg_pool2d(batch.source, 2)
    logits = method.networks["discriminator"](torch.cat([condition, out.target], 1))
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
    assert terms["g/l2"].item() == pytest.approx(2 * F.mse_loss(out.target, before.target).item())
    after = Batch(before.source, before.target, step=3)
    terms = method.loss("generator", after, out)
    assert list(terms) == ["g/adversarial", "g/l2", "g/perceptual"]
    distance = open_perceptual("caltech101")(out.target, after.target)
    assert terms["g/perceptual"].item() == pytest.approx(3 * distance.item())
    assert "perceptual" not in " ".join(method.networks)


def test_the_log_term_weighs_and_is_enough_to_learn_from() -> None:
    method, batch = a_batch(["method={lambda_adversarial: 0, lambda_l1: 0, lambda_log: 5}"])
    out = method.forward(batch)
    terms = method.loss("generator", batch, out)
    assert list(terms) == ["g/log"]
    assert terms["g/log"].item() == pytest.approx(5 * log_error(out.target, batch.target).item())


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
    real, fake = (
        method.networks["discriminator"](torch.cat([condition, shown], 1)) for shown in (batch.target, out.target)
    )
    health = method.take_health()
    assert health["d/accuracy_real"].item() == pytest.approx((real > border).float().mean().item())
    assert health["d/accuracy_fake"].item() == pytest.approx((fake < border).float().mean().item())
    assert not any(value.requires_grad for value in health.values())
    assert method.take_health() == {}


NOISE = ["generator={filters: 4, levels: 3, norm: instance, dropout: 0.5, noise: input, latent: 3}"]


def test_of_several_noises_the_one_of_the_nearest_result_learns() -> None:
    method, batch = a_batch([*NOISE, "method.candidates=4", "method.lambda_adversarial=0"])
    generator = method.networks["generator"]
    out = method.forward(batch)
    assert generator.training
    drawn = draw_noise(batch, 3, 0, times=4)
    generator.eval()
    errors = torch.stack([(generator(batch.source, z) - batch.target).abs().mean((1, 2, 3)) for z in drawn])
    for number, best in enumerate(errors.argmin(dim=0)):
        assert torch.equal(out.noise[number], drawn[best, number])
    sum(method.loss("generator", batch, out).values()).backward()
    assert all(parameter.grad is not None for parameter in generator.parameters())


def test_the_noise_of_a_step_follows_from_the_seed_and_the_step_alone() -> None:
    method, batch = a_batch(NOISE)
    first = method.forward(batch).noise
    torch.rand(7)
    assert torch.equal(method.forward(batch).noise, first)
    assert not torch.equal(method.forward(Batch(batch.source, batch.target, step=1)).noise, first)
    other, _ = a_batch([*NOISE, "training.seed=1"])
    assert not torch.equal(other.forward(batch).noise, first)


def test_the_encoder_learns_with_the_generator_to_tell_the_noise() -> None:
    method, batch = a_batch([*NOISE, "method.lambda_latent=2"])
    generating = next(phase for phase in method.phases if phase.name == "generator")
    assert set(generating.networks) == {"generator", "encoder"}
    out = method.forward(batch)
    terms = method.loss("generator", batch, out)
    assert list(terms) == ["g/adversarial", "g/l1", "g/latent"]
    told = method.networks["encoder"](out.target)
    assert terms["g/latent"].item() == pytest.approx(2 * F.l1_loss(told, out.noise).item(), rel=1e-5)
    terms["g/latent"].backward()
    for name in generating.networks:
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in method.networks[name].parameters())
