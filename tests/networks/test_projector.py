from __future__ import annotations

import torch

from tintype.networks import Projector


def test_it_gives_unit_vectors_of_the_places_that_are_asked_for() -> None:
    torch.manual_seed(0)
    projector = Projector((3, 5), width=7)
    maps = [torch.rand(2, 3, 4, 6), torch.rand(2, 5, 2, 3)]
    places = [torch.tensor([0, 23, 7]), torch.tensor([5])]
    vectors = projector(maps, places)
    assert [tuple(one.shape) for one in vectors] == [(2, 3, 7), (2, 1, 7)]
    assert all(torch.allclose(one.norm(dim=-1), torch.ones(())) for one in vectors)
    expected = projector.heads[0](maps[0][1, :, 7 // 6, 7 % 6])
    torch.testing.assert_close(vectors[0][1, 2], expected / expected.norm())
