from __future__ import annotations

import torch
from torch import nn

from tintype.networks.unet import UNet
from tintype.training.machine import keep_memory, lay_out_channels_last


def test_activations_become_channels_last_and_large_weights_keep_their_layout() -> None:
    network = UNet(1, 3, filters=64, levels=5)
    lay_out_channels_last(network, torch.device("cpu"))
    layouts = {
        module.weight.numel() > 2**20: module.weight.is_contiguous()
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.weight.shape[1] > 1
    }
    assert layouts == {True: True, False: False}
    seen = []
    network.down[2].register_forward_hook(lambda module, inputs, output: seen.append(output))
    network(torch.rand(2, 1, 32, 32))
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_the_layout_changes_no_value() -> None:
    torch.manual_seed(0)
    network = UNet(1, 3, filters=8, levels=3, dropout=0)
    x = torch.rand(2, 1, 16, 16)
    before = network(x)
    lay_out_channels_last(network, torch.device("cpu"))
    torch.testing.assert_close(network(x), before, atol=1e-5, rtol=0)


def test_asking_the_c_library_to_keep_memory_harms_nothing_when_done_twice() -> None:
    keep_memory()
    keep_memory()
    assert torch.ones(2**20).sum() == 2**20
