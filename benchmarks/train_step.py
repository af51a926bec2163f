r"""How much of the machine a training step uses: arithmetic done per second, against the best 3x3 convolution.

    python benchmarks/train_step.py [--recipe hubble-pix2pix] [--batch 4] [--steps 10]
    python benchmarks/train_step.py --batch 1 method.kind=cyclegan codec.source=grey3 generator.kind=resnet \
        generator.dropout=0 discriminator.norm=instance

Work is counted as `work.py` says. The ceiling is the best rate of a plain 3x3 convolution, forward and backward, over
64 to 512 channels and 16 to 128 px, channels-last, with the same threads, measured before and after in the same run.
The waiting for data is timed inside the same steps. A CycleGAN step takes turns with the same step written plainly
(`plain_cyclegan.py`, with the C library's usual handling of memory), and both tell the memory that they need beyond
weights and optimisers.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from plain_cyclegan import PlainCycleGan
from work import convolution_rate, cyclegan_work, pix2pix_work, regression_work

from tintype.console import Reporter
from tintype.data.dataset import open_data
from tintype.methods import build_method
from tintype.methods.cyclegan import CycleGan
from tintype.methods.pix2pix import Pix2Pix
from tintype.methods.regression import Regression
from tintype.recipe import load_recipe
from tintype.training import make_fabric
from tintype.training.machine import keep_memory
from tintype.training.rundir import RunDir
from tintype.training.trainer import Trainer

WARM_UP = 2  # steps that are not timed


def resident(field: str) -> float:
    """`VmRSS` or `VmHWM` of this process in MiB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def peak_memory(step: Callable[[], object]) -> float:
    """MiB by which a step's peak is above what is resident before it (Linux with the GNU C library)."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the highest mark so far
    before = resident("VmRSS")
    step()
    return resident("VmHWM") - before


def usual_memory() -> None:
    """Let the C library return memory as it does by itself in the long run, for a step that is written plainly."""
    mallopt = ctypes.CDLL(None).mallopt
    for option, value in ((-3, 2**25), (-1, 2**26), (-2, 0)):  # where its own thresholds end up; see `keep_memory`
        mallopt(option, value)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
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
    device = torch.device("cpu")
    plain = None
    match method:
        case Pix2Pix():
            work = pix2pix_work(method, *data.batch(0, device)[:2])
        case CycleGan():
            work = cyclegan_work(method, *data.batch(0, device))
            plain = PlainCycleGan(recipe, method)
        case Regression():
            work = regression_work(method, data.batch(0, device)[0])
        case _:
            parser.error(f"method.kind={recipe.method.kind} is not counted here: give pix2pix, regression or cyclegan")
    before, where = convolution_rate()
    print(f"threads {torch.get_num_threads()}; best 3x3 convolution {before / 1e9:.0f} GFLOP/s at {where}")
    with tempfile.TemporaryDirectory() as folder, Reporter(quiet=True) as say:
        trainer = Trainer(recipe, method, data, RunDir(Path(folder)), make_fabric(recipe), say, preview=None)
        method.networks.train()
        waits: list[float] = []
        honest = data.batch

        def timed(step: int, device: torch.device, share: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
            start = time.perf_counter()
            batch = honest(step, device, share)
            waits.append(time.perf_counter() - start)
            return batch

        data.batch = timed
        times, plain_times = [], []
        for step in range(arguments.steps + WARM_UP):
            start = time.perf_counter()
            trainer.train_step()
            times.append(time.perf_counter() - start)
            if plain is not None:
                usual_memory()
                start = time.perf_counter()
                plain.step(*honest(step, device))
                plain_times.append(time.perf_counter() - start)
                keep_memory()
        after, _ = convolution_rate()
        if plain is not None:
            ours = peak_memory(trainer.train_step)
            theirs = peak_memory(lambda: plain.step(*honest(0, device)))
    del times[:WARM_UP], plain_times[:WARM_UP], waits[:WARM_UP]
    ceiling = max(before, after)
    step_s, wait_s = statistics.median(times), statistics.median(waits)
    print(f"{recipe.name}, batch {arguments.batch}: {work / 1e9:.0f} GFLOP a step, {step_s * 1000:.0f} ms (median)")
    print(f"{work / step_s / 1e9:.0f} GFLOP/s: {work / step_s / ceiling:.0%} of {ceiling / 1e9:.0f} GFLOP/s")
    print(f"best step: {work / min(times) / ceiling:.0%}; waiting for data: {wait_s / step_s:.1%} of a step")
    print(f"{arguments.batch / step_s:.2f} images/s")
    if plain is not None:
        plain_s = statistics.median(plain_times)
        print(f"written plainly: {plain_s * 1000:.0f} ms (median), {work / plain_s / ceiling:.0%}")
        print(
            f"images/s: {plain_s / step_s:.2f} times the plain step's (best steps: {min(plain_times) / min(times):.2f})"
        )
        print(f"peak memory of a step: {ours:.0f} MiB; written plainly: {theirs:.0f} MiB")


if __name__ == "__main__":
    main()
