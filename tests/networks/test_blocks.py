from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tintype.networks.blocks import SMALL_PX, Doubling, doubling, initialise, norm_layer, onto_few_channels
from tintype.recipe.networks import InitSpec


def initialised(kind: str, gain: float = 0.02) -> nn.Conv2d:
    torch.manual_seed(0)
    convolution = nn.Conv2d(64, 64, 3)
    initialise(convolution, InitSpec(kind=kind, gain=gain))
    return convolution


@pytest.mark.parametrize(
    ("kind", "gain", "deviation"),
    [
        ("normal", 0.02, 0.02),
        ("xavier", 0.5, 0.5 * math.sqrt(2 / (64 * 9 + 64 * 9))),  # Glorot & Bengio 2010
        ("kaiming", 0.02, math.sqrt(2 / (64 * 9))),  # He et al. 2015
    ],
)
def test_weights_have_the_published_spread_and_biases_are_zero(kind: str, gain: float, deviation: float) -> None:
    convolution = initialised(kind, gain)
    assert convolution.weight.std().item() == pytest.approx(deviation, rel=0.02)
    assert not convolution.bias.any()


def test_orthogonal_weights_are_orthogonal_rows_of_the_given_length() -> None:
    rows = initialised("orthogonal", 0.5).weight.flatten(1)
    torch.testing.assert_close(rows @ rows.T, 0.25 * torch.eye(64), atol=1e-5, rtol=0)


def test_batch_norm_gains_start_around_one() -> None:
    norm = nn.BatchNorm2d(4096)
    initialise(norm, InitSpec())
    assert norm.weight.mean().item() == pytest.approx(1, abs=0.002)
    assert norm.weight.std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize("kind", ["transposed", "resize"])
def test_both_kinds_of_doubling_double(kind: str) -> None:
    assert doubling(kind, 3, 5, bias=True)(torch.rand(1, 3, 4, 6)).shape == (1, 5, 8, 12)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("side", [1, 2, 8])
def test_the_matrix_product_of_a_doubling_equals_the_convolution_and_so_do_its_gradients(side: int, bias: bool) -> None:
    torch.manual_seed(0)
    layer = Doubling(3, 5, bias).double()
    x = torch.rand(2, 3, side, side, dtype=torch.float64, requires_grad=True)
    assert side * side <= SMALL_PX
    ours, plain = layer(x), layer.conv(x)
    torch.testing.assert_close(ours, plain)
    upstream = torch.rand_like(plain)
    wanted = [x, *layer.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(ours, wanted, upstream), torch.autograd.grad(plain, wanted, upstream)
    )


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("pictures", [1, 3])
def test_instance_norm_equals_torchs_own_to_the_second_derivative(pictures: int, layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    x = torch.rand(pictures, 2, 5, 4, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_()
    upstream = torch.rand(x.shape, dtype=torch.float64)
    results = []
    for norm in (norm_layer("instance", 2), nn.InstanceNorm2d(2)):
        y = norm(x)
        (slope,) = torch.autograd.grad(y, x, upstream, create_graph=True)
        results.append((y, slope, *torch.autograd.grad(slope.square().sum(), x)))
    torch.testing.assert_close(*results)


def test_instance_norm_keeps_channels_last_both_ways() -> None:
    x = torch.rand(2, 4, 6, 6).contiguous(memory_format=torch.channels_last).requires_grad_()
    y = norm_layer("instance", 4)(x)
    (slope,) = torch.autograd.grad(y, x, y.detach() ** 2)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert slope.is_contiguous(memory_format=torch.channels_last)


def test_instance_norm_is_torchs_own_where_no_gradient_is_wanted() -> None:
    x = torch.rand(2, 4, 6, 6)
    with torch.no_grad():
        assert torch.equal(norm_layer("instance", 4)(x), nn.InstanceNorm2d(4)(x))


@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_onto_few_channels_equals_the_plain_one_and_so_do_its_gradients(bias: bool) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 3, (5, 3), bias=bias).double()
    x = torch.rand(2, 4, 9, 8, dtype=torch.float64).contiguous(memory_format=torch.channels_last).requires_grad_()
    ours, plain = onto_few_channels(layer, x), layer(x)
    torch.testing.assert_close(ours, plain)
    upstream = torch.rand_like(plain)
    wanted = [x, *layer.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(ours, wanted, upstream), torch.autograd.grad(plain, wanted, upstream)
    )
