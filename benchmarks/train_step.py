"""How much of the machine a training step uses: arithmetic done per second, against the best 3x3 convolution.

    python benchmarks/train_step.py [--recipe hubble-pix2pix] [--batch 4] [--steps 10]

Work is counted from the modules, as 2 x multiply-adds of every convolution: one forward, one gradient of the weights
where they are trained in that phase, one gradient of the input where something before it is trained. The ceiling is the
best rate of a plain 3x3 convolution, forward and backward, over 64 to 512 channels and 16 to 128 px, channels-last,
with the same threads, measured before and after in the same run. The waiting for data is timed inside the same steps.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from tintype.console import Reporter
from tintype.data.dataset import open_data
from tintype.methods import Method, build_method
from tintype.recipe import load_recipe
from tintype.training import make_fabric
from tintype.training.machine import keep_memory
from tintype.training.rundir import RunDir
from tintype.training.trainer import Trainer


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


class MacCounter:
    """Multiply-adds of a network's convolutions in one forward pass, and those of its first one."""

    def __init__(self, network: nn.Module) -> None:
        self.total = self.first = 0
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.register_forward_hook(self._count)

    def _count(self, module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        # each weight meets each pixel of the side that it slides over
        pixels = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
        macs = module.weight.numel() * pixels.shape[0] * pixels.shape[2] * pixels.shape[3]
        self.first = self.first or macs
        self.total += macs


def pix2pix_work(method: Method, source: torch.Tensor, target_channels: int) -> float:
    """FLOP of one pix2pix step, needed gradients only."""
    generator, discriminator = method.networks["generator"], method.networks["discriminator"]
    g, d = MacCounter(generator), MacCounter(discriminator)
    with torch.no_grad():
        fake = generator(source)
        discriminator(torch.cat([source, fake], 1))
    share = target_channels / (source.shape[1] + target_channels)  # of D's first layer: only the fake needs a gradient
    generator_pass = g.total + g.total + (g.total - g.first)
    judged_twice = 2 * (d.total + d.total + (d.total - d.first))
    judged_for_generator = d.total + (d.total - d.first) + d.first * share
    for network in (generator, discriminator):
        for module in network.modules():
            module._forward_hooks.clear()
    return 2.0 * (generator_pass + judged_twice + judged_for_generator)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="hubble-pix2pix")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.recipe, [f"training.batch_size={arguments.batch}", *arguments.overrides])
    keep_memory()
    data = open_data(recipe)
    torch.manual_seed(0)
    method = build_method(recipe)
    source, target = data.batch(0, torch.device("cpu"))
    work = pix2pix_work(method, source, target.shape[1])
    before, where = convolution_rate()
    print(f"threads {torch.get_num_threads()}; best 3x3 convolution {before / 1e9:.0f} GFLOP/s at {where}")
    with tempfile.TemporaryDirectory() as folder, Reporter(quiet=True) as say:
        trainer = Trainer(recipe, method, data, RunDir(Path(folder)), make_fabric(recipe), say, preview=None)
        method.networks.train()
        waits: list[float] = []
        honest = data.batch

        def timed(step: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
            start = time.perf_counter()
            batch = honest(step, device)
            waits.append(time.perf_counter() - start)
            return batch

        data.batch = timed
        times = []
        for step in range(arguments.steps + 2):
            start = time.perf_counter()
            trainer.train_step()
            if step >= 2:
                times.append(time.perf_counter() - start)
    after, _ = convolution_rate()
    ceiling = max(before, after)
    step_s, wait_s = statistics.median(times), statistics.median(waits[2:])
    print(f"{recipe.name}, batch {arguments.batch}: {work / 1e9:.0f} GFLOP a step, {step_s * 1000:.0f} ms (median)")
    print(f"{work / step_s / 1e9:.0f} GFLOP/s: {work / step_s / ceiling:.0%} of {ceiling / 1e9:.0f} GFLOP/s")
    print(f"best step: {work / min(times) / ceiling:.0%}; waiting for data: {wait_s / step_s:.1%} of a step")
    print(f"{arguments.batch / step_s:.2f} images/s")


if __name__ == "__main__":
    main()
