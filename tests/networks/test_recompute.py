from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from tintype.networks.resnet import ResNet
from tintype.networks.srresnet import SrResNet
from tintype.networks.unet import UNet

NETWORKS = {
    "resnet, batch, dropout": lambda: ResNet(2, 3, filters=4, blocks=4, norm="batch", dropout=0.5),
    "resnet, instance": lambda: ResNet(2, 3, filters=4, blocks=1),
    "unet, batch, dropout": lambda: UNet(2, 3, filters=4, levels=3),
    "unet, instance, blocks": lambda: UNet(2, 3, filters=4, levels=3, norm="instance", bottleneck_blocks=4),
    "srresnet, batch": lambda: SrResNet(2, 3, scale=2, filters=4, blocks=4, norm="batch", skip="none"),
    "unet, stopping early": lambda: UNet(2, 3, filters=4, levels=3, output_stride=4),
}


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS.keys())
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return request.param().double()


def batch() -> Tensor:
    return torch.rand(2, 2, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def learn(network: nn.Module, recompute: bool) -> dict[str, Tensor]:
    """Output, gradients and buffers of a network of its own after one pass forth and back."""
    network = copy.deepcopy(network)
    network.recompute = recompute
    torch.manual_seed(2)
    x = batch().requires_grad_()
    output = network(x)
    output.square().sum().backward()
    gradients = {f"d {name}": parameter.grad for name, parameter in network.named_parameters()}
    return {"output": output, "d x": x.grad, **gradients, **dict(network.named_buffers())}


def bytes_kept(network: nn.Module, recompute: bool) -> int:
    """Bytes of the activations that a forward pass leaves for the backward pass."""
    network.recompute = recompute
    weights = {parameter.data_ptr() for parameter in network.parameters()}
    kept = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = network(batch())
    assert output.requires_grad
    return sum(kept.values())


def test_the_second_pass_changes_no_output_gradient_or_running_statistic(network: nn.Module) -> None:
    plain, recomputed = learn(network, recompute=False), learn(network, recompute=True)
    assert plain.keys() == recomputed.keys()
    for name in plain:
        torch.testing.assert_close(recomputed[name], plain[name], msg=lambda text, name=name: f"{name}: {text}")


def test_far_less_is_kept_for_the_backward_pass(network: nn.Module) -> None:
    assert bytes_kept(network, recompute=True) < 0.5 * bytes_kept(network, recompute=False)


def test_without_gradients_and_in_evaluation_the_output_is_the_same(network: nn.Module) -> None:
    network.eval()
    network.recompute = True
    with torch.inference_mode():
        inferred = network(batch())
    watched = network(batch())
    watched.sum().backward()
    torch.testing.assert_close(inferred, watched.detach())


def test_batch_norm_counts_again_after_the_backward_pass() -> None:
    network = ResNet(2, 3, filters=2, blocks=1, norm="batch")
    network.recompute = True
    for _ in range(2):
        network(torch.rand(1, 2, 16, 16)).sum().backward()
    assert {int(module.num_batches_tracked) for module in network.modules() if isinstance(module, nn.BatchNorm2d)} == {
        2
    }
