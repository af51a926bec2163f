"""Noise follows from (seed, step), whatever the number of processes."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor, nn

from tintype.methods.method import Batch
from tintype.methods.noise import draw_noise, nearest_noise


def batch_of(count: int, step: int = 3) -> Batch:
    return Batch(torch.zeros(count, 1, 4, 4), torch.zeros(count, 2, 4, 4), step=step)


def test_the_shares_of_several_processes_make_up_the_noise_of_one() -> None:
    whole = draw_noise(batch_of(6), 5, 0, times=2)
    parts = [draw_noise(batch_of(2), 5, 0, SimpleNamespace(rank=rank), times=2) for rank in range(3)]
    assert torch.equal(torch.cat(parts, dim=1), whole)


def test_draws_of_a_step_and_steps_and_seeds_differ() -> None:
    drawn = [
        draw_noise(batch_of(6), 5, 0),
        draw_noise(batch_of(6), 5, 0, which=1),
        draw_noise(batch_of(6, step=4), 5, 0),
        draw_noise(batch_of(6), 5, 1),
    ]
    assert len({float(one.sum()) for one in drawn}) == 4


class Shifted(nn.Module):
    """A source plus the first number of its noise, after a layer that tells its mode by what it remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.BatchNorm2d(1, affine=False), nn.Identity()

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        self.encoder(x)
        return x + z[:, :1, None, None]


def test_the_nearest_noise_is_found_with_every_part_left_in_its_mode() -> None:
    generator = Shifted()
    generator.encoder.eval()  # as a frozen encoder is
    batch = Batch(torch.zeros(2, 1, 4, 4), torch.tensor([0.5, -1.0])[:, None, None, None].expand(2, 1, 4, 4))
    candidates = torch.tensor([[[0.4], [3.0]], [[2.0], [-0.9]], [[-1.0], [0.5]]])
    assert torch.equal(nearest_noise(generator, batch, candidates), torch.tensor([[0.4], [-0.9]]))
    assert generator.training and generator.decoder.training
    assert not generator.encoder.training
