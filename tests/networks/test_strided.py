"""Quick gradients of strided convolutions against torch's own, in double precision."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tintype.networks.strided import Halving, TransposedDoubling


def gradients(layer: nn.Module, height: int, width: int) -> list[Tensor]:
    x = torch.rand(2, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    y = layer(x)
    (y * torch.arange(y.numel(), dtype=torch.float64).view_as(y).cos()).sum().backward()
    assert x.grad is not None
    return [y.detach(), x.grad, *(parameter.grad for parameter in layer.parameters() if parameter.grad is not None)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("height", "width"), [(8, 12), (16, 2), (7, 4)])
def test_halving_has_the_gradients_of_the_strided_convolution(bias: bool, height: int, width: int) -> None:
    ours, stock = Halving(3, 5, bias).double(), nn.Conv2d(3, 5, 3, stride=2, padding=1, bias=bias).double()
    stock.load_state_dict(ours.state_dict())
    for one, other in zip(gradients(ours, height, width), gradients(stock, height, width), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("height", "width"), [(4, 6), (1, 1), (7, 3)])
def test_doubling_has_the_gradients_of_the_transposed_convolution(bias: bool, height: int, width: int) -> None:
    ours = TransposedDoubling(3, 5, bias).double()
    stock = nn.ConvTranspose2d(3, 5, 3, stride=2, padding=1, output_padding=1, bias=bias).double()
    stock.load_state_dict(ours.state_dict())
    for one, other in zip(gradients(ours, height, width), gradients(stock, height, width), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)
