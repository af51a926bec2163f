"""Capsule discriminator: parts of a picture vote for it, and votes that agree with each other count for more.

Capsules and routing by agreement are those of Sabour, Frosst & Hinton (2017), a single capsule at the end those of
Jaiswal et al. (2018): its length is the probability that a picture is real. A capsule `s` is squashed to the length
|s|^2 / (1 + |s|^2), which is the sigmoid of log |s|^2; so log |s|^2 is the capsule's logit, and it is what this
network gives, for every adversarial loss alike.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype.networks.blocks import needs_bias, norm_layer
from tintype.recipe.networks import Norm

PATCH = 3
"""Side of the neighbourhood of places whose capsules vote for one judgement in the patch form."""

_LEAST = 1e-3
"""Squared length below which capsules are not told apart: the gradient of a logarithm has no bound."""


def squash(x: Tensor, dim: int) -> Tensor:
    """Shorten vectors along a dimension from length l to l^2 / (1 + l^2), directions kept."""
    squared = x.square().sum(dim, keepdim=True)
    return x * ((squared + 1e-12).sqrt() / (1 + squared))


def smallest_capsule_px(layers: int, scope: Literal["patch", "picture"]) -> int:
    """Side of the smallest picture for so many halvings: instance norm needs two places, a patch three."""
    return int(2**layers * (PATCH if scope == "patch" else 2))


class CapsuleGan(nn.Module):
    """`n c h w -> n 1 h' w'` logits: strided convolutions, primary capsules, and routing to one capsule for each patch.

    In the picture form all places vote for a single judgement, `n 1 1 1`, each with a matrix of its own, so where
    something is seen counts; `side` is then the only size of pictures it can judge.
    """

    def __init__(
        self,
        channels_in: int,
        *,
        side: int | None,
        filters: int = 64,
        layers: int = 3,
        capsules: int = 16,
        dimensions: int = 8,
        routing: int = 3,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        bias, width, blocks = needs_bias(norm), channels_in, []
        for layer in range(layers):
            wider = filters * min(2**layer, 8)
            normalised = norm if layer else "none"
            blocks += [
                nn.Conv2d(width, wider, 4, stride=2, padding=1, bias=bias or layer == 0),
                norm_layer(normalised, wider),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            width = wider
        self.features = nn.Sequential(*blocks)
        self.primary = nn.Sequential(
            nn.Conv2d(width, capsules * dimensions, 3, padding=1, bias=bias), norm_layer(norm, capsules * dimensions)
        )
        reach = PATCH if side is None else side >> layers
        self.judgement = Routing(capsules, dimensions, reach, routing)

    def forward(self, x: Tensor) -> Tensor:
        """Judge a batch in model space."""
        return self.judgement(self.primary(self.features(x)))


class Routing(nn.Module):
    """`n capsules*dimensions h w -> n 1 h' w'`: the logit of one capsule for each `reach` x `reach` places.

    Every capsule of such a neighbourhood votes by a matrix that belongs to its kind and its place in it. Votes count
    half at first; in each further round those that point where the sum of all points count for more, the others for
    less: the share of a vote is the sigmoid of its agreement, that is, a softmax beside a parent that takes what fits
    nowhere. Shares are constants to the gradient.
    """

    def __init__(self, capsules: int, dimensions: int, reach: int, rounds: int, judge_dimensions: int = 16) -> None:
        super().__init__()
        self.capsules, self.dimensions, self.reach, self.rounds = capsules, dimensions, reach, rounds
        votes = capsules * reach * reach
        self.weight = nn.Parameter(torch.randn(votes, dimensions, judge_dimensions) / judge_dimensions**0.5)
        # Votes in all directions, of length 1 and counted half, then add up to length 1, which is in doubt: logit 0.
        self.scale = 2 / votes**0.5

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of primary capsules, not squashed yet."""
        n, _, height, width = x.shape
        kinds = squash(x.reshape(n, self.capsules, self.dimensions, height, width), dim=2).flatten(1, 2)
        places = F.unfold(kinds, self.reach).view(n, self.capsules, self.dimensions, self.reach**2, -1)
        votes = torch.einsum("nkdpl,kpde->nlkpe", places, self._matrices()).flatten(2, 3)
        joined = self._agree(votes)
        logits = torch.log(joined.square().sum(-1) + _LEAST)
        return logits.view(n, 1, height - self.reach + 1, width - self.reach + 1)

    def _matrices(self) -> Tensor:
        return self.weight.view(self.capsules, self.reach**2, *self.weight.shape[1:])

    def _agree(self, votes: Tensor) -> Tensor:
        """The capsule that votes `n l votes e` come to, `n l e`, not squashed."""
        with torch.no_grad():
            agreement = votes.new_zeros(votes.shape[:-1])
            for _ in range(self.rounds - 1):
                parent = squash(self._join(agreement.sigmoid(), votes), dim=-1)
                agreement = agreement + torch.einsum("nlve,nle->nlv", votes, parent)
            shares = agreement.sigmoid()
        return self._join(shares, votes)

    def _join(self, shares: Tensor, votes: Tensor) -> Tensor:
        return torch.einsum("nlv,nlve->nle", shares, votes) * self.scale
