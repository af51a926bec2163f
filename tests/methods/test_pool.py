from __future__ import annotations

import torch
from torch import Tensor

from tintype.methods.pool import ImagePool


class Peer:
    """One of two processes that is told what both have."""

    def __init__(self, rank: int) -> None:
        self.rank, self.whole = rank, torch.empty(0)

    def gather(self, values: Tensor) -> Tensor:
        assert torch.equal(values, self.whole.chunk(2)[self.rank])
        return self.whole


def test_the_pools_of_several_processes_are_the_pool_of_one() -> None:
    one, peers = ImagePool(5, 0, 1), (Peer(0), Peer(1))
    pools = [ImagePool(5, 0, 1, peer) for peer in peers]
    for step in range(6):
        pictures = torch.rand(4, 3, 2, 2, generator=torch.Generator().manual_seed(step))
        shown = one.exchange(pictures, step)
        for peer, pool, own, wanted in zip(peers, pools, pictures.chunk(2), shown.chunk(2), strict=True):
            peer.whole = pictures
            assert torch.equal(pool.exchange(own, step), wanted)
            assert all(map(torch.equal, pool.pictures, one.pictures))
    assert len(one.pictures) == 5
