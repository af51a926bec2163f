"""Noise follows from (seed, step), whatever the number of processes."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from tintype.methods.method import Batch
from tintype.methods.noise import draw_noise


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
