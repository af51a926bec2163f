from __future__ import annotations

import numpy as np
import pytest
import torch

from tintype.errors import RecipeError
from tintype.losses import gradient_penalty
from tintype.networks import CapsuleGan, build_discriminator
from tintype.networks.capsule import Routing, smallest_capsule_px, squash
from tintype.recipe import load_recipe


def judged_by_loops(routing: Routing, x: np.ndarray) -> np.ndarray:
    """The definition written out for one picture `capsules dimensions h w`: a vote at a time, in double precision."""

    def shorten(vector: np.ndarray) -> np.ndarray:
        squared = float(vector @ vector)
        return vector * squared / (1 + squared) / np.sqrt(squared)

    weight = routing.weight.detach().double().numpy()
    kinds, _, height, width = x.shape
    reach = routing.reach
    logits = np.zeros((height - reach + 1, width - reach + 1))
    for row in range(logits.shape[0]):
        for column in range(logits.shape[1]):
            votes = [
                shorten(x[kind, :, row + place // reach, column + place % reach]) @ weight[kind * reach**2 + place]
                for kind in range(kinds)
                for place in range(reach**2)
            ]
            agreement = np.zeros(len(votes))
            for last in [False] * (routing.rounds - 1) + [True]:
                parent = sum(vote / (1 + np.exp(-a)) for vote, a in zip(votes, agreement, strict=True))
                parent = parent * 2 / np.sqrt(len(votes))
                if not last:
                    agreement += [vote @ shorten(parent) for vote in votes]
            logits[row, column] = np.log(parent @ parent + 1e-3)
    return logits


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("reach", [2, 3])
def test_routing_is_what_its_definition_says(rounds: int, reach: int) -> None:
    torch.manual_seed(rounds)
    routing = Routing(capsules=2, dimensions=3, reach=reach, rounds=rounds, judge_dimensions=4)
    x = torch.randn(2, 6, 3, 4)
    logits = routing(x)
    assert logits.shape == (2, 1, 4 - reach, 5 - reach)
    for picture, ours in zip(x, logits, strict=True):
        expected = judged_by_loops(routing, picture.view(2, 3, 3, 4).double().numpy())
        np.testing.assert_allclose(ours[0].detach().numpy(), expected, atol=1e-5)


def test_the_sigmoid_of_a_capsules_logit_is_its_length() -> None:
    capsule = torch.randn(5, 16, dtype=torch.float64)
    logit = capsule.square().sum(-1).log()
    torch.testing.assert_close(squash(capsule, dim=-1).norm(dim=-1), logit.sigmoid())


def test_votes_that_agree_count_for_more_in_later_rounds() -> None:
    once, often = (Routing(capsules=8, dimensions=2, reach=1, rounds=rounds, judge_dimensions=2) for rounds in (1, 4))
    with torch.no_grad():
        for routing in (once, often):
            routing.weight.copy_(2 * torch.eye(2).expand(8, 2, 2))
    # six votes to the right and two that cancel each other
    along = torch.tensor([[2.0, 0.0]] * 6 + [[0.0, 2.0], [0.0, -2.0]]).reshape(1, 16, 1, 1)
    assert often(along) > once(along)
    around = torch.tensor([[2.0, 0.0], [-2.0, 0.0]] * 4).reshape(1, 16, 1, 1)
    assert often(around).item() == pytest.approx(once(around).item()) == pytest.approx(np.log(1e-3))


def test_a_capsule_starts_in_doubt_whatever_the_number_of_votes() -> None:
    torch.manual_seed(0)
    for capsules, reach in ((4, 3), (16, 8)):
        routing = Routing(capsules, 8, reach, rounds=3)
        assert abs(routing(torch.randn(8, capsules * 8, reach, reach)).mean().item()) < 1


def test_the_patch_form_judges_each_place_by_its_neighbourhood() -> None:
    network = CapsuleGan(3, side=None, filters=2, layers=2, capsules=2, dimensions=2, norm="none")
    x = torch.rand(1, 3, 32, 48, requires_grad=True)
    logits = network(x)
    assert logits.shape == (1, 1, 6, 10)
    logits[0, 0, 0, 0].backward()
    seen = x.grad.abs().sum((0, 1)).nonzero().amax(0)
    assert (seen < 30).all()  # 3 x 3 places, a 3 x 3 and two 4 x 4 convolutions


def test_the_picture_form_gives_one_judgement_that_knows_where_things_are() -> None:
    torch.manual_seed(0)
    network = CapsuleGan(3, side=32, filters=4, layers=2, capsules=4, dimensions=4)
    x = torch.rand(2, 3, 32, 32)
    assert network(x).shape == (2, 1, 1, 1)
    assert not torch.allclose(network(x), network(x.flip(3)), atol=1e-3)
    with pytest.raises(RuntimeError):
        network(torch.rand(1, 3, 24, 24))


@pytest.mark.parametrize("scope", ["patch", "picture"])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_smallest_picture_is_the_smallest_that_works(scope: str, layers: int) -> None:
    smallest = smallest_capsule_px(layers, scope)
    side = smallest if scope == "picture" else None
    x = torch.rand(2, 3, smallest, smallest)
    assert CapsuleGan(3, side=side, filters=2, layers=layers, capsules=2)(x).shape == (2, 1, 1, 1)
    with pytest.raises((RuntimeError, ValueError)):
        CapsuleGan(3, side=side, filters=2, layers=layers, capsules=2)(x[..., : smallest // 2, : smallest // 2])
    recipe = [f"discriminator={{kind: capsule, scope: {scope}, layers: 4}}", "codec.chroma_size=16", "data.size=16"]
    with pytest.raises(RecipeError, match=r"the discriminator needs pictures of at least \d+ px, and would judge 16"):
        build_discriminator(load_recipe("tiny", recipe))


def test_the_gradient_penalty_reaches_its_weights() -> None:
    torch.manual_seed(0)
    network = CapsuleGan(3, side=None, filters=2, layers=1, capsules=2, dimensions=4)
    gradient_penalty(network, torch.rand(2, 3, 8, 8)).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
    assert network.judgement.weight.grad.any()


def test_it_learns_to_tell_pictures_apart_that_differ_in_where_their_parts_are() -> None:
    torch.manual_seed(0)
    network = CapsuleGan(1, side=16, filters=8, layers=2, capsules=4, dimensions=4)
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    left, right = torch.zeros(2, 1, 16, 16) - 1, torch.zeros(2, 1, 16, 16) - 1
    left[0, :, 4:8, 2:6], left[1, :, 8:12, 2:6] = 1, 1
    right[0, :, 4:8, 10:14], right[1, :, 8:12, 10:14] = 1, 1
    for _ in range(60):
        loss = (0.9 - network(left).sigmoid()).relu().square() + (network(right).sigmoid() - 0.1).relu().square()
        optimiser.zero_grad()
        loss.mean().backward()
        optimiser.step()
    assert network(left).sigmoid().min() > 0.7 > 0.3 > network(right).sigmoid().max()
