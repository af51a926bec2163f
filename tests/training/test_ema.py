from __future__ import annotations

import torch
from torch import nn

from tintype.training.ema import Ema


def test_the_average_follows_its_formula_and_copies_counters() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    average = Ema(network, decay=0.9)
    expected = network[0].weight.detach().clone()
    for step in range(1, 200):
        with torch.no_grad():
            network[0].weight.add_(0.1)
            network[1].num_batches_tracked.add_(1)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * network[0].weight.detach()
        average.update(network, step)
    torch.testing.assert_close(average.network[0].weight.detach(), expected)
    assert average.network[1].num_batches_tracked == network[1].num_batches_tracked


def test_the_average_needs_no_gradient_and_stays_in_evaluation_mode() -> None:
    average = Ema(nn.Conv2d(1, 1, 1).train(), 0.5)
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
