from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from tintype.networks import build_discriminator
from tintype.recipe import load_recipe
from tintype.training.ema import Ema
from tintype.training.machine import lay_out_channels_last

KINDS = ["{kind: patchgan, filters: 4, layers: 1}", "{kind: pixel, filters: 4}", "{kind: dense, filters: 4, layers: 1}"]


def build(kind: str, spectral_norm: bool = True) -> nn.Module:
    torch.manual_seed(0)
    switch = f"discriminator.spectral_norm={str(spectral_norm).lower()}"
    network = build_discriminator(load_recipe("tiny", [f"discriminator={kind}", switch]))
    lay_out_channels_last(network, torch.device("cpu"))
    return network


@pytest.fixture(params=KINDS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    return build(request.param)


def pictures() -> Tensor:
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def train(network: nn.Module, optimiser: torch.optim.Optimizer, steps: int) -> None:
    for _ in range(steps):
        optimiser.zero_grad()
        (network(pictures()) - network(pictures().flip(0)).square()).mean().backward()
        optimiser.step()


def layers(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def test_every_layer_has_a_largest_singular_value_of_one(network: nn.Module) -> None:
    train(network, torch.optim.Adam(network.parameters(), 1e-3), 3)
    for _ in range(50):
        network(pictures())
    network.eval()
    for layer in layers(network):
        assert is_parametrized(layer)
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
        assert largest.item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_start_as_they_do_without(kind: str) -> None:
    for ours, plain in zip(layers(build(kind)), layers(build(kind, spectral_norm=False)), strict=True):
        assert torch.equal(ours.parametrizations.weight.original, plain.weight)


def test_training_goes_on_from_a_file_to_the_bit(network: nn.Module, tmp_path: Path) -> None:
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    train(network, optimiser, 2)
    torch.save([network.state_dict(), optimiser.state_dict()], tmp_path / "last.pt")
    resumed = copy.deepcopy(network)
    for value in resumed.state_dict().values():
        value.zero_()
    second = torch.optim.Adam(resumed.parameters(), 1e-3)
    for part, state in zip((resumed, second), torch.load(tmp_path / "last.pt", weights_only=True), strict=True):
        part.load_state_dict(state)
    train(network, optimiser, 3)
    train(resumed, second, 3)
    for name, value in network.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_a_moving_average_can_follow_it(network: nn.Module) -> None:
    average = Ema(network, decay=0.0)
    train(network, torch.optim.Adam(network.parameters(), 1e-3), 1)
    average.update(network, step=1)
    torch.testing.assert_close(average.network(pictures()), network.eval()(pictures()))


def test_a_gradient_penalty_reaches_the_weights(network: nn.Module) -> None:
    x = pictures().requires_grad_()
    (gradient,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
    (gradient.flatten(1).norm(dim=1) - 1).square().mean().backward()
    originals = [layer.parametrizations.weight.original for layer in layers(network)]
    assert all(weight.grad.isfinite().all() and weight.grad.any() for weight in originals)


def test_it_works_in_mixed_precision(network: nn.Module) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        loss = network(pictures()).float().mean()
    loss.backward()
    assert all(layer.parametrizations.weight.original.grad.isfinite().all() for layer in layers(network))
