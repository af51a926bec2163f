from __future__ import annotations

import pytest
import torch
from torch import nn

from tintype.errors import RecipeError
from tintype.networks import build_discriminator
from tintype.networks.patchgan import PatchGan, PixelGan, smallest_input_px
from tintype.recipe import load_recipe


@pytest.mark.parametrize(
    ("channels", "norm", "count"),
    [(6, "batch", 2_768_705), (3, "instance", 2_764_737)],  # the published 70 x 70 discriminators
)
def test_it_has_as_many_parameters_as_the_published_network(channels: int, norm: str, count: int) -> None:
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in PatchGan(channels, norm=norm).parameters()) == count


def test_the_pixel_variant_has_as_many_parameters_as_the_published_one() -> None:
    assert sum(parameter.numel() for parameter in PixelGan(6).parameters()) == 9_024


def test_three_layers_give_30_x_30_logits_at_256() -> None:
    with torch.device("meta"):
        assert PatchGan(4)(torch.empty(1, 4, 256, 256)).shape == (1, 1, 30, 30)


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_a_logit_sees_a_patch_of_the_published_size(layers: int) -> None:
    network = PatchGan(1, filters=1, layers=layers, norm="none").double()
    side = {1: 16, 2: 34, 3: 70, 4: 142}[layers]
    x = torch.rand(1, 1, 2 * side, 2 * side, dtype=torch.float64, requires_grad=True)
    logits = network(x)
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    rows = x.grad[0, 0].abs().sum(1).nonzero()
    assert int(rows.max() - rows.min()) + 1 == side


def test_the_pixel_variant_judges_each_pixel_alone() -> None:
    network = PixelGan(2, filters=2, norm="none")
    x = torch.rand(1, 2, 5, 7, requires_grad=True)
    logits = network(x)
    assert logits.shape == (1, 1, 5, 7)
    logits[0, 0, 2, 3].backward()
    assert x.grad[0, 0].nonzero().tolist() == [[2, 3]]


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_the_smallest_input_is_the_smallest_that_works(layers: int) -> None:
    network = PatchGan(1, filters=1, layers=layers, norm="none")
    smallest = smallest_input_px(layers)
    assert network(torch.rand(1, 1, smallest, smallest)).shape == (1, 1, 1, 1)
    with pytest.raises(RuntimeError):
        network(torch.rand(1, 1, smallest - 1, smallest - 1))


@pytest.mark.parametrize(("filters", "layers"), [([4, 8], 1), ([4, 8, 16, 32], 3), ([4, 8, 16, 32, 32], 4)])
def test_a_list_of_filters_is_the_int_written_out(filters: list[int], layers: int) -> None:
    recipe = load_recipe("tiny", ["data.size=96", "codec.chroma_size=96"])
    networks = []
    for changes in (
        [f"discriminator.layers={layers}"],
        [f"discriminator.filters={filters}", "discriminator.layers=null"],
    ):
        torch.manual_seed(0)
        networks.append(build_discriminator(load_recipe(recipe, changes)))
    ints, lists = (network.state_dict() for network in networks)
    assert ints.keys() == lists.keys()
    assert all(torch.equal(ints[name], lists[name]) for name in ints)
    x = torch.rand(1, 3, 96, 96)
    assert torch.equal(networks[0](x), networks[1](x))


def test_a_list_of_filters_may_hold_any_numbers() -> None:
    network = PatchGan(3, filters=[5, 3, 7])
    assert [module.out_channels for module in network.modules() if isinstance(module, nn.Conv2d)] == [5, 3, 7, 1]
    assert [module.stride[0] for module in network.modules() if isinstance(module, nn.Conv2d)] == [2, 2, 1, 1]


@pytest.mark.parametrize("kind", ["patchgan", "pixel", "dense"])
def test_it_can_judge_pictures_alone(kind: str) -> None:
    recipe = load_recipe("tiny", [f"discriminator.kind={kind}"])
    assert build_discriminator(recipe, 2)(torch.rand(1, 2, 16, 16)).shape[:2] == (1, 1)
    assert build_discriminator(recipe)(torch.rand(1, 3, 16, 16)).shape[:2] == (1, 1)


def test_a_discriminator_that_is_too_deep_for_the_chroma_is_refused_in_words() -> None:
    with pytest.raises(RecipeError, match="needs pictures of at least 24 px, and would judge 16 px"):
        build_discriminator(load_recipe("tiny", ["discriminator.layers=3"]))
