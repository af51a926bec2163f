from __future__ import annotations

import pytest
import torch
from torch import nn

from tintype.networks import resnet
from tintype.networks.resnet import ResNet


@pytest.mark.parametrize(
    ("blocks", "norm", "count"),
    [(9, "instance", 11_378_179), (9, "batch", 11_383_427), (6, "instance", 7_837_699)],  # the published generators
)
def test_it_has_as_many_parameters_as_the_published_network(blocks: int, norm: str, count: int) -> None:
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in ResNet(3, 3, blocks=blocks, norm=norm).parameters()) == count


@pytest.mark.parametrize("upsample", ["transposed", "resize"])
def test_the_receptive_radius_covers_every_pixel_that_changes_an_output_pixel(upsample: str) -> None:
    network = ResNet(1, 1, filters=1, blocks=2, norm="none", upsample=upsample).double()
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.01, 0.02)  # positive weights: no path is switched off by an activation
    furthest = 0
    for output in range(48, 52):
        x = torch.rand(1, 1, 100, 100, dtype=torch.float64, requires_grad=True)
        network(x)[0, 0, output, output].backward()
        reached = x.grad[0, 0].nonzero()
        furthest = max(furthest, output - int(reached.min()), int(reached.max()) - output)
    assert network.receptive_radius_px - 4 <= furthest <= network.receptive_radius_px


def test_dropout_sits_in_every_block_or_nowhere() -> None:
    for dropout in (0.0, 0.5):
        network = ResNet(1, 1, filters=1, blocks=3, dropout=dropout)
        assert sum(isinstance(module, nn.Dropout) for module in network.modules()) == (3 if dropout else 0)


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_large_pictures_trained_one_by_one_come_out_as_in_their_batch(
    norm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = ResNet(1, 2, filters=2, blocks=1, norm=norm).double()
    x = torch.rand(3, 1, 16, 24, dtype=torch.float64)
    upstream = torch.rand(3, 2, 16, 24, dtype=torch.float64)

    def trained() -> tuple[torch.Tensor, ...]:
        y = network(x)
        return y, *torch.autograd.grad(y, list(network.parameters()), upstream)

    together = trained()
    monkeypatch.setattr(resnet, "LARGE_PX", 1)
    torch.testing.assert_close(trained(), together)
    with torch.no_grad():
        torch.testing.assert_close(network(x), together[0])
