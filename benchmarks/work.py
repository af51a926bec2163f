"""The arithmetic that a training step needs, counted from its convolutions, and how much of it a machine can do.

Of each convolution: one forward, one gradient of the weights where they are trained in that phase, one gradient of the
input where something before it is trained; 2 FLOP a multiply-add.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from tintype.methods.cyclegan import CycleGan
from tintype.methods.pix2pix import Pix2Pix
from tintype.methods.regression import Regression


def convolution_rate(repeats: int = 5) -> tuple[float, str]:
    """Best multiply-add rate x 2 of a 3x3 convolution, forward and backward, in FLOP/s, and where it was reached."""
    best, where = 0.0, ""
    for channels in (64, 128, 256, 512):
        for side in (16, 32, 64, 128):
            batch = max(1, min(16, 2**24 // (channels * side * side)))
            layer = nn.Conv2d(channels, channels, 3, padding=1, bias=False).to(memory_format=torch.channels_last)
            x = torch.rand(batch, channels, side, side).contiguous(memory_format=torch.channels_last).requires_grad_()
            upstream = torch.ones_like(layer(x))
            work = 3 * 2 * batch * channels * channels * 9 * side * side
            for repeat in range(repeats + 1):
                start = time.perf_counter()
                layer(x).backward(upstream)
                rate = work / (time.perf_counter() - start)
                if repeat and rate > best:  # the first is a warm-up
                    best, where = rate, f"{channels} channels, {side} px, batch {batch}"
    return best, where


class Macs:
    """Multiply-adds of a network's convolutions in one forward pass of a batch, and those of its first one."""

    def __init__(self, network: nn.Module, batch: Tensor) -> None:
        self.total = self.first = 0
        convolutions = (module for module in network.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d))
        hooks = [module.register_forward_hook(self._count) for module in convolutions]
        with torch.no_grad():
            self.output = network(batch)
        for hook in hooks:
            hook.remove()

    def _count(self, module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        # each weight meets each pixel of the side that it slides over
        pixels = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
        macs = module.weight.numel() * pixels.shape[0] * pixels.shape[2] * pixels.shape[3]
        self.first = self.first or macs
        self.total += macs


def regression_work(method: Regression, source: Tensor) -> float:
    """FLOP of one step of a regression."""
    g = Macs(method.networks["generator"], source)
    return 2.0 * (g.total + g.total + (g.total - g.first))


def pix2pix_work(method: Pix2Pix, source: Tensor, target: Tensor) -> float:
    """FLOP of one pix2pix step."""
    g = Macs(method.networks["generator"], source)
    d = Macs(method.networks["discriminator"], torch.cat([source, g.output], 1))
    share = target.shape[1] / (source.shape[1] + target.shape[1])  # of D's first layer: only the fake needs a gradient
    generator_pass = g.total + g.total + (g.total - g.first)
    judged_twice = 2 * (d.total + d.total + (d.total - d.first))
    judged_for_generator = d.total + (d.total - d.first) + d.first * share
    return 2.0 * (generator_pass + judged_twice + judged_for_generator)


def cyclegan_work(method: CycleGan, source: Tensor, target: Tensor) -> float:
    """FLOP of one CycleGAN step without gradient penalty."""
    work = 0
    for generator, discriminator, given in (("g_ab", "d_b", source), ("g_ba", "d_a", target)):
        g = Macs(method.networks[generator], given)
        d = Macs(method.networks[discriminator], g.output)
        from_data = g.total + g.total + (g.total - g.first)
        way_back = 3 * g.total  # its input is generated: it needs a gradient
        identity = from_data if method.spec.lambda_identity > 0 else 0
        judged_for_generator = d.total + d.total
        judged_twice = 2 * (d.total + d.total + (d.total - d.first))
        work += from_data + way_back + identity + judged_for_generator + judged_twice
    return 2.0 * work
