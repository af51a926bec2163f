"""Noise enters by every normalisation, is heard, and leaves networks without it as they were."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tintype.networks import ResNet, UNet
from tintype.networks.conditional import ConditionalNorm, LatentEncoder, conditional_norm
from tintype.recipe.networks import Norm


@pytest.mark.parametrize("kind", ["instance", "batch"])
def test_gain_and_bias_are_linear_in_the_noise(kind: Norm) -> None:
    layer = ConditionalNorm(kind, 3, 2)
    torch.nn.init.normal_(layer.bias)
    x, z = torch.rand(4, 3, 5, 6), torch.randn(4, 2)
    plain = F.instance_norm(x) if kind == "instance" else F.batch_norm(x, None, None, training=True)
    gain, bias = (z @ layer.weight.T + layer.bias).split(3, dim=1)
    expected = plain * (1 + gain[..., None, None]) + bias[..., None, None]
    torch.testing.assert_close(layer(x, z), expected, atol=1e-5, rtol=1e-5)


def test_without_noise_or_normalisation_there_is_nothing_to_condition() -> None:
    assert not isinstance(conditional_norm("instance", 3, 0), ConditionalNorm)
    assert not isinstance(conditional_norm("none", 3, 4), ConditionalNorm)


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("kind", ["unet", "unet with blocks", "resnet"])
def test_every_normalisation_of_a_generator_hears_the_noise(kind: str, norm: Norm) -> None:
    if kind == "resnet":
        network, plain = (ResNet(1, 2, filters=2, blocks=2, norm=norm, latent=latent) for latent in (3, 0))
    else:
        blocks = 2 * (kind != "unet")
        network, plain = (
            UNet(1, 2, filters=2, levels=3, bottleneck_blocks=blocks, norm=norm, dropout=0, latent=latent)
            for latent in (3, 0)
        )
    assert {name for name, _ in plain.named_parameters()} == {
        name.replace(".norm.", ".") for name, _ in network.named_parameters() if not _is_style(network, name)
    }
    x, z = torch.rand(2, 1, 32, 32), torch.randn(2, 3, requires_grad=True)
    network(x, z).square().sum().backward()
    styles = [layer for layer in network.modules() if isinstance(layer, ConditionalNorm)]
    assert len(styles) == sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in network.modules()) or norm != "batch"
    assert all(layer.weight.grad is not None and layer.weight.grad.abs().max() > 0 for layer in styles)
    other = network.eval()(x, z.detach() + 1)
    assert (other - network(x, z)).abs().max() > 1e-3


def _is_style(network: torch.nn.Module, name: str) -> bool:
    return isinstance(network.get_submodule(name.rpartition(".")[0]), ConditionalNorm)


def test_the_noise_of_one_picture_is_not_that_of_its_neighbour() -> None:
    network = UNet(1, 2, filters=4, levels=3, norm="instance", dropout=0, latent=2).eval()
    x, z = torch.rand(1, 1, 16, 16).repeat(3, 1, 1, 1), torch.randn(3, 2)
    together = network(x, z)
    for number in range(3):
        torch.testing.assert_close(together[number : number + 1], network(x[:1], z[number : number + 1]))
    assert not torch.allclose(together[0], together[1])


def test_large_pictures_that_are_trained_one_by_one_keep_their_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    network, x, z = ResNet(1, 2, filters=2, blocks=1, latent=2), torch.rand(2, 1, 16, 16), torch.randn(2, 2)
    together = network(x, z)
    monkeypatch.setattr("tintype.networks.resnet.LARGE_PX", 16)
    torch.testing.assert_close(network(x, z), together)


@pytest.mark.parametrize("kind", ["unet", "resnet"])
def test_recomputing_gives_the_noise_the_same_gradients(kind: str) -> None:
    torch.manual_seed(0)
    if kind == "unet":
        network = UNet(1, 2, filters=2, levels=3, bottleneck_blocks=1, norm="instance", dropout=0, latent=2).double()
    else:
        network = ResNet(1, 2, filters=2, blocks=1, latent=2).double()
    x, z = torch.rand(2, 1, 16, 16, dtype=torch.float64), torch.randn(2, 2, dtype=torch.float64)
    gradients = []
    for recompute in (False, True):
        network.zero_grad()
        network.recompute = recompute
        network(x, z).square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("size", [(16, 16), (40, 24)])
def test_the_encoder_reads_pictures_of_any_size_and_stays_within_reason(size: tuple[int, int]) -> None:
    encoder = LatentEncoder(2, 5, filters=4)
    with torch.no_grad():
        encoder.head.weight.mul_(1e4)
    noise = encoder(torch.rand(3, 2, *size))
    assert noise.shape == (3, 5)
    assert noise.abs().max() <= 4
