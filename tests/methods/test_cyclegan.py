from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from tests.methods.conftest import terms_and_gradients, unpaired_batch
from torch import Tensor, nn

from tintype.methods import Batch, CycleGan, build_method
from tintype.recipe import load_recipe
from tintype.recipe.schema import Recipe

SMALL: dict[str, Any] = {
    "name": "small",
    "data": {"kind": "unpaired", "size": 32},
    "codec": {"kind": "rgb"},
    "generator": {"kind": "resnet", "filters": 4, "blocks": 1},
    "discriminator": {"kind": "patchgan", "filters": 4, "layers": 1, "norm": "instance"},
    "method": {"kind": "cyclegan", "pool": 0},
    "training": {"steps": 10},
}


def recipe(*overrides: str) -> Recipe:
    return load_recipe(Recipe.model_validate(SMALL), overrides)


def built(*overrides: str) -> CycleGan:
    torch.manual_seed(0)
    method = build_method(recipe(*overrides))
    assert isinstance(method, CycleGan)
    return method


batch = partial(unpaired_batch, side=32)


def step_terms(method: CycleGan, number: int = 0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    return terms_and_gradients(method, batch(number))


def count_calls(network: nn.Module) -> list[int]:
    calls: list[int] = []
    network.register_forward_pre_hook(lambda module, inputs: calls.append(len(inputs[0])))
    return calls


def test_four_joined_generator_calls_equal_six_plain_ones() -> None:
    joined, plain = built(), built()
    plain.joined_generators = plain.joined_discriminators = False
    ours, theirs = step_terms(joined), step_terms(plain)
    assert ours[0].keys() == theirs[0].keys()
    for name, value in ours[0].items():
        torch.testing.assert_close(value, theirs[0][name], rtol=1e-5, atol=1e-6)
    assert ours[1].keys() == theirs[1].keys()
    for name, gradient in ours[1].items():
        torch.testing.assert_close(gradient, theirs[1][name], rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize(
    ("overrides", "calls"),
    [
        ((), [4, 2]),
        (("method.lambda_identity=0",), [2, 2]),
        (("generator.norm=batch",), [2, 2, 2]),
    ],
)
def test_identity_shares_a_call_only_where_normalisation_is_by_picture(
    overrides: tuple[str, ...], calls: list[int]
) -> None:
    method = built(*overrides)
    seen = count_calls(method.networks["g_ab"])
    method.forward(batch())
    assert seen == calls


def test_discriminators_see_real_and_generated_apart_under_batch_norm() -> None:
    for norm, calls in (("instance", [2, 4]), ("batch", [2, 2, 2])):
        method = built(f"discriminator.norm={norm}")
        seen = count_calls(method.networks["d_a"])
        step_terms(method)
        assert seen == calls, norm


def test_terms_are_what_the_paper_says() -> None:
    method = built("method.lambda_cycle=3", "method.lambda_cycle_b=7", "method.lambda_identity=2")
    one = batch()
    out = method.forward(one)
    terms = method.loss("generators", one, out)
    g_ab, g_ba, d_b = (method.networks[name] for name in ("g_ab", "g_ba", "d_b"))
    fake_b = g_ab(one.source)
    torch.testing.assert_close(terms["g/adversarial_ab"], (d_b(fake_b) - 1).square().mean())
    torch.testing.assert_close(terms["g/cycle_a"], 3 * (g_ba(fake_b) - one.source).abs().mean())
    torch.testing.assert_close(terms["g/cycle_b"], 7 * (g_ab(g_ba(one.target)) - one.target).abs().mean())
    torch.testing.assert_close(terms["g/identity_a"], 2 * (g_ba(one.source) - one.source).abs().mean())
    torch.testing.assert_close(terms["g/identity_b"], 2 * (g_ab(one.target) - one.target).abs().mean())
    judged = method.loss("discriminators", one, out)
    torch.testing.assert_close(judged["d/real_b"], 0.5 * (d_b(one.target) - 1).square().mean())
    torch.testing.assert_close(judged["d/fake_b"], 0.5 * d_b(fake_b).square().mean())


def test_terms_of_weight_zero_are_left_out() -> None:
    method = built("method.lambda_identity=0", "method.lambda_cycle_b=0")
    terms, _ = step_terms(method)
    assert {name for name in terms if name.startswith("g/")} == {
        "g/adversarial_ab",
        "g/adversarial_ba",
        "g/cycle_a",
    }


@pytest.mark.parametrize("kind", ["vanilla", "lsgan", "hinge", "margin"])
def test_every_adversarial_loss_trains_all_four_networks(kind: str) -> None:
    terms, gradients = step_terms(built(f"method.adversarial={kind}"))
    assert all(torch.isfinite(value) for value in terms.values())
    assert {name.split(".")[0] for name in gradients} == {"g_ab", "g_ba", "d_a", "d_b"}


def test_the_discriminator_phase_leaves_the_generators_alone() -> None:
    method, one = built(), batch()
    out = method.forward(one)
    torch.stack(list(method.loss("discriminators", one, out).values())).sum().backward()
    assert all(p.grad is None for name in ("g_ab", "g_ba") for p in method.networks[name].parameters())


def test_the_gradient_penalty_comes_every_so_many_steps_and_as_much_heavier() -> None:
    method = built("method.gradient_penalty=0.5", "method.penalty_every=4")
    penalised = [any("penalty" in name for name in step_terms(method, step)[0]) for step in range(9)]
    assert penalised == [step % 4 == 0 for step in range(9)]
    often = built("method.gradient_penalty=0.5", "method.penalty_every=1")
    ratio = step_terms(method, 0)[0]["d/penalty_a"] / step_terms(often, 0)[0]["d/penalty_a"]
    assert float(ratio) == pytest.approx(4, rel=1e-4)


def test_the_gradient_penalty_changes_the_discriminators_weights() -> None:
    with_penalty = step_terms(built("method.gradient_penalty=10"))[1]
    without = step_terms(built())[1]
    assert any(not torch.equal(with_penalty[name], without[name]) for name in without if name.startswith("d_a"))
    assert all(torch.equal(with_penalty[name], without[name]) for name in without if name.startswith("g_ab"))


def test_the_pools_are_remembered() -> None:
    method = built("method.pool=3")
    for step in range(6):
        step_terms(method, step)
    memory = method.memory()
    assert [len(memory[name]) for name in ("a", "b")] == [3, 3]
    other = built("method.pool=3")
    other.remember(memory)
    again = other.memory()
    for name in ("a", "b"):
        assert all(torch.equal(one, two) for one, two in zip(memory[name], again[name], strict=True))


def test_a_discriminator_is_shown_what_the_pool_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    method, one = built("method.pool=1"), batch(3)
    given: list[tuple[Tensor, int]] = []

    def exchange(pictures: Tensor, step: int) -> Tensor:
        given.append((pictures, step))
        return torch.full_like(pictures, 0.25)

    monkeypatch.setattr(method.pools["b"], "exchange", exchange)
    shown: list[Tensor] = []
    out = method.forward(one)
    method.networks["d_b"].register_forward_pre_hook(lambda module, inputs: shown.append(inputs[0]))
    method.loss("discriminators", one, out)
    assert torch.equal(shown[0], torch.cat([one.target, torch.full_like(out.fake_b, 0.25)]))
    ((pictures, step),) = given
    assert torch.equal(pictures, out.fake_b)
    assert not pictures.requires_grad
    assert step == 3


def test_one_grey_channel_goes_to_colour_and_back() -> None:
    method = built("data.kind=colour", "codec.source=grey", "method.lambda_identity=0")
    grey, colour = torch.rand(1, 1, 32, 32), torch.rand(1, 3, 32, 32)
    out = method.forward(Batch(grey, colour))
    assert out.fake_b.shape == colour.shape
    assert out.fake_a.shape == out.cycled_a.shape == grey.shape


NOISE = ("generator.noise=input", "generator.latent=3", "method.lambda_latent=0.5")


def test_with_noise_one_way_makes_many_and_the_way_back_makes_one() -> None:
    method, one = built(*NOISE), batch()
    generating = next(phase for phase in method.phases if phase.name == "generators")
    assert generating.networks == ("g_ab", "g_ba", "encoder")
    out = method.forward(one)
    encoder, g_ab = method.networks["encoder"], method.networks["g_ab"]
    torch.testing.assert_close(out.fake_b, g_ab(one.source, out.noise))
    torch.testing.assert_close(out.cycled_b, g_ab(out.fake_a, encoder(one.target)))
    torch.testing.assert_close(out.fake_a, method.networks["g_ba"](one.target))
    assert out.identity_b is not None
    torch.testing.assert_close(out.identity_b, g_ab(one.target, encoder(one.target)))
    terms = method.loss("generators", one, out)
    expected = 0.5 * (encoder(out.fake_b) - out.noise).abs().mean()
    assert terms["g/latent"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_joined_calls_equal_plain_ones_with_noise_too() -> None:
    joined, plain = built(*NOISE), built(*NOISE)
    plain.joined_generators = plain.joined_discriminators = False
    ours, theirs = step_terms(joined), step_terms(plain)
    for name, value in theirs[0].items():
        torch.testing.assert_close(ours[0][name], value)
    for name, gradient in theirs[1].items():
        torch.testing.assert_close(ours[1][name], gradient, atol=1e-5, rtol=1e-4)
