from __future__ import annotations

import pytest
import torch
from torch import nn

from tintype.errors import RecipeError
from tintype.networks import build_discriminator
from tintype.networks.blocks import InstanceNorm
from tintype.networks.dense import DenseGan
from tintype.networks.patchgan import smallest_input_px
from tintype.recipe import load_recipe


def test_its_layers_are_those_of_the_description() -> None:
    with torch.device("meta"):
        network = DenseGan(3, side=256)
    shapes = [tuple(module.weight.shape) for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert shapes == [
        (64, 3, 4, 4),
        (128, 64, 4, 4),
        (256, 128, 4, 4),
        (512, 256, 4, 4),
        (1, 512, 4, 4),
        (1, 30 * 30),
    ]
    assert sum(isinstance(module, InstanceNorm) for module in network.modules()) == 3
    assert network(torch.empty(5, 3, 256, 256, device="meta")).shape == (5, 1)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("more", [0, 1, 5])
def test_it_gives_one_value_for_each_picture_from_the_smallest_size_on(layers: int, more: int) -> None:
    side = smallest_input_px(layers) + more
    x = torch.rand(2, 1, side, side, requires_grad=True)
    logits = DenseGan(1, side=side, filters=2, layers=layers)(x)
    assert logits.shape == (2, 1)
    (gradient,) = torch.autograd.grad(logits[0].sum(), x)
    assert gradient[0].any()
    assert not gradient[1].any()


def test_its_values_are_raw_logits() -> None:
    network = DenseGan(1, side=16, filters=2, layers=1)
    with torch.no_grad():
        network.layers[-1].bias.fill_(-7.0)
    assert (network(torch.zeros(1, 1, 16, 16)) < 0).all()


def test_pictures_that_are_too_small_are_refused_in_words() -> None:
    with pytest.raises(RecipeError, match="needs pictures of at least 24 px, and would judge 16 px"):
        build_discriminator(load_recipe("tiny", ["discriminator.kind=dense", "discriminator.layers=3"]))
