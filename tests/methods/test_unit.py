from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.methods.conftest import unpaired_batch

from tintype.methods import Batch, Unit, build_method
from tintype.methods.unit import divergence
from tintype.recipe import load_recipe
from tintype.recipe.schema import Recipe

SMALL: dict[str, Any] = {
    "name": "small",
    "data": {"kind": "unpaired", "size": 16},
    "codec": {"kind": "rgb"},
    "generator": {"kind": "resnet", "filters": 4, "blocks": 4},
    "discriminator": {"kind": "patchgan", "filters": 4, "layers": 1, "norm": "instance"},
    "method": {"kind": "unit"},
    "training": {"steps": 10},
}


def built(*overrides: str) -> Unit:
    torch.manual_seed(0)
    method = build_method(load_recipe(Recipe.model_validate(SMALL), overrides))
    assert isinstance(method, Unit)
    return method


batch = unpaired_batch


@pytest.mark.parametrize(("shared", "blocks"), [(1, [1, 2]), (2, [0, 1, 2, 3])])
def test_the_innermost_blocks_of_both_domains_are_the_same_ones(shared: int, blocks: list[int]) -> None:
    method = built(f"method.shared_blocks={shared}")
    g_ab, g_ba = method.networks["g_ab"], method.networks["g_ba"]
    assert [place for place in range(4) if g_ab.blocks[place] is g_ba.blocks[place]] == blocks
    assert not torch.equal(next(g_ab.stem.parameters()), next(g_ba.stem.parameters()))


def test_a_model_is_the_encoder_of_one_domain_and_the_decoder_of_the_other_without_noise() -> None:
    method, one = built(), batch()
    g_ab = method.networks["g_ab"]
    of_a, _ = method.forward(one)
    assert torch.equal(of_a.code, g_ab.encode(one.source)[-1])
    torch.testing.assert_close(g_ab(one.source), g_ab.decode(of_a.code))
    assert not torch.allclose(g_ab(one.source), of_a.fake, atol=1e-3)  # in training, codes are drawn


def test_terms_are_what_the_paper_says() -> None:
    weights = ("adversarial=2", "reconstruction=3", "kl=5", "cycle=7", "cycle_kl=11")
    method, one = built(*(f"method.lambda_{weight}" for weight in weights)), batch()
    out = method.forward(one)
    terms = method.loss("generators", one, out)
    of_a, of_b = out
    g_ab, g_ba, d_b = (method.networks[name] for name in ("g_ab", "g_ba", "d_b"))
    torch.testing.assert_close(terms["g/adversarial_ab"], 2 * torch.nn.functional.softplus(-d_b(of_a.fake)).mean())
    torch.testing.assert_close(terms["g/reconstruction_a"], 3 * (of_a.same - one.source).abs().mean())
    torch.testing.assert_close(terms["g/cycle_b"], 7 * (of_b.cycled - one.target).abs().mean())
    code, there = g_ab.encode(one.source)[-1], g_ba.encode(of_a.fake)[-1]
    torch.testing.assert_close(terms["g/kl_a"], 5 * 0.5 * code.square().mean())
    torch.testing.assert_close(
        terms["g/cycle_kl_a"], 11 * 0.5 * (code.square().mean() + there.square().mean()), rtol=1e-4, atol=1e-4
    )
    assert len(terms) == 10
    judged = method.loss("discriminators", one, out)
    torch.testing.assert_close(judged["d/fake_b"], 0.5 * torch.nn.functional.softplus(d_b(of_a.fake)).mean())
    assert set(method.take_health()) == {f"d/accuracy_{kind}_{domain}" for kind in ("real", "fake") for domain in "ab"}


def test_the_divergence_is_that_of_normal_distributions() -> None:
    code = torch.randn(2, 3, 4, 4)
    one = torch.distributions.Normal(code, torch.ones(()))
    standard = torch.distributions.Normal(torch.zeros(()), torch.ones(()))
    torch.testing.assert_close(divergence(code), torch.distributions.kl_divergence(one, standard).mean())


def test_codes_are_drawn_from_seed_and_step() -> None:
    method, one = built(), batch(3)
    first, again = (method.forward(one)[0].fake for _ in range(2))
    assert torch.equal(first, again)
    later = method.forward(Batch(one.source, one.target, step=4))[0].fake
    other = built("training.seed=1")
    other.networks.load_state_dict(method.networks.state_dict())
    assert not torch.equal(first, later) and not torch.equal(first, other.forward(one)[0].fake)


def test_processes_draw_the_codes_that_one_would_draw_for_the_whole_batch() -> None:
    method, one = built(), batch(count=4)
    whole, _ = method.forward(one)
    for rank in range(2):
        of_rank = slice(2 * rank, 2 * rank + 2)
        method._peers = SimpleNamespace(rank=rank)
        part, _ = method.forward(Batch(one.source[of_rank], one.target[of_rank], one.step))
        torch.testing.assert_close(part.fake, whole.fake[of_rank])
        torch.testing.assert_close(part.cycled, whole.cycled[of_rank])


def test_each_phase_moves_its_own_networks_and_the_first_one_all_of_both_generators() -> None:
    method, one = built(), batch()
    out = method.forward(one)
    torch.stack(list(method.loss("discriminators", one, out).values())).sum().backward()
    assert all(p.grad is None for name in ("g_ab", "g_ba") for p in method.networks[name].parameters())
    torch.stack(list(method.loss("generators", one, out).values())).sum().backward()
    assert all(p.grad is not None for name in ("g_ab", "g_ba") for p in method.networks[name].parameters())


def test_terms_of_weight_zero_are_left_out() -> None:
    method, one = built("method.lambda_cycle=0", "method.lambda_kl=0", "method.lambda_cycle_kl=0"), batch()
    terms = method.loss("generators", one, method.forward(one))
    assert set(terms) == {f"g/{name}" for name in ("adversarial_ab", "adversarial_ba")} | {
        f"g/reconstruction_{domain}" for domain in "ab"
    }


def test_grey_and_colour_may_share_codes() -> None:
    method = built("data.kind=colour", "codec.source=grey")
    grey, colour = torch.rand(1, 1, 16, 16), torch.rand(1, 3, 16, 16)
    of_a, of_b = method.forward(Batch(grey, colour))
    assert of_a.fake.shape == of_b.same.shape == of_b.cycled.shape == colour.shape
    assert of_b.fake.shape == of_a.same.shape == of_a.cycled.shape == grey.shape
