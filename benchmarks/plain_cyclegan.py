"""A CycleGAN step written plainly, to compare with: six generator calls, torch's own layers in their usual layout."""

from __future__ import annotations

import copy
import random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype.methods.cyclegan import CycleGan
from tintype.networks.blocks import InstanceNorm
from tintype.networks.strided import Halving, TransposedDoubling
from tintype.recipe.schema import Recipe


class StockInstanceNorm(nn.Module):
    """What `nn.InstanceNorm2d` does, for any number of channels."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise a batch."""
        return F.instance_norm(x)


def plain(network: nn.Module, parts: tuple[str, ...]) -> nn.Module:
    """A copy of a network as the sequence of its parts, with torch's own layers."""
    layers = nn.Sequential(*(copy.deepcopy(getattr(network, part)) for part in parts))
    for module in layers.modules():
        for name, child in module.named_children():
            if isinstance(child, InstanceNorm):
                setattr(module, name, StockInstanceNorm())
            elif isinstance(child, Halving):
                child.__class__ = nn.Conv2d  # the same weights, without our way to their gradient
            elif isinstance(child, TransposedDoubling):
                child.__class__ = nn.ConvTranspose2d
    return layers


class PlainCycleGan:
    """Starts from the weights of a method that has not been laid out for training yet."""

    def __init__(self, recipe: Recipe, method: CycleGan) -> None:
        self.spec = method.spec
        generator = ("stem", "down", "blocks", "up", "head")
        self.g_ab, self.g_ba = (plain(method.networks[name], generator) for name in ("g_ab", "g_ba"))
        self.d_a, self.d_b = (plain(method.networks[name], ("layers",)) for name in ("d_a", "d_b"))
        self.pools: tuple[list[Tensor], list[Tensor]] = ([], [])
        self.random = random.Random(0)
        spec = recipe.optimiser
        self.adam_g, self.adam_d = (
            torch.optim.Adam([*one.parameters(), *other.parameters()], lr=rate, betas=spec.betas)
            for one, other, rate in (
                (self.g_ab, self.g_ba, spec.lr),
                (self.d_a, self.d_b, spec.discriminator_lr or spec.lr),
            )
        )

    def _shown(self, pool: list[Tensor], fake: Tensor) -> Tensor:
        if len(pool) < self.spec.pool:
            pool.append(fake.clone())
            return fake
        if pool and self.random.random() < 0.5:
            place = self.random.randrange(len(pool))
            fake, pool[place] = pool[place], fake.clone()
        return fake

    def step(self, a: Tensor, b: Tensor) -> None:
        """One step with least squares, on pictures of either domain."""
        spec = self.spec
        for network in (self.d_a, self.d_b):
            network.requires_grad_(False)
        fake_b, fake_a = self.g_ab(a), self.g_ba(b)
        loss = (self.d_b(fake_b) - 1).square().mean() + (self.d_a(fake_a) - 1).square().mean()
        loss = loss + spec.lambda_cycle * (F.l1_loss(self.g_ba(fake_b), a) + F.l1_loss(self.g_ab(fake_a), b))
        if spec.lambda_identity > 0:
            loss = loss + spec.lambda_identity * (F.l1_loss(self.g_ab(b), b) + F.l1_loss(self.g_ba(a), a))
        self.adam_g.zero_grad()
        loss.backward()
        self.adam_g.step()
        for network in (self.d_a, self.d_b):
            network.requires_grad_(True)
        self.adam_d.zero_grad()
        judged = ((self.d_a, a, fake_a, self.pools[0]), (self.d_b, b, fake_b, self.pools[1]))
        for discriminator, real, fake, pool in judged:
            on_real, on_fake = discriminator(real), discriminator(self._shown(pool, fake.detach()))
            (spec.lambda_discriminator * ((on_real - 1).square().mean() + on_fake.square().mean())).backward()
        self.adam_d.step()
