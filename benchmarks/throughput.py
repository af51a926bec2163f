"""Pictures per second of a network as ONNX, in batches, against the same network in eager torch, one at a time.

    python benchmarks/throughput.py MODEL [--data DIR] [--batch 32] [--threads 2] [--rounds 15] [--side N]

MODEL is a run folder or a .safetensors file. It is exported as fp32, fp16 and int8 into a temporary folder, int8
calibrated on the pictures of --data or of the run. The network sees pictures of 256 x 256 px as it does in use: a
colouriser at its own size, any other model at theirs; --side sets another. All take turns in rounds in one process,
with the same number of threads and the same inputs, so that whatever else the machine does meets all of them; medians
over the rounds are printed, and the median of each round's ratio.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from tintype.command_export import Asked, export
from tintype.image.codec import build_codec
from tintype.inference.colourise import network_size
from tintype.inference.modelfile import ModelCard, find_model
from tintype.inference.runtime import INPUTS, OnnxRuntime
from tintype.inference.torch_runtime import TorchRuntime, load_network

FORMS = ("fp32", "fp16", "int8")


REST = 0.1
"""Seconds between turns: threads of ONNX Runtime go on looking for work a while, at the cost of whoever comes next."""


def inputs_of(card: ModelCard, count: int, side: int | None, picture: int) -> dict[str, np.ndarray]:
    """What the network is given for so many square pictures: noise of their range, for its work is the same."""
    codec, multiple = build_codec(card.recipe, card.direction), card.multiple_of
    if side is None:
        side = network_size(picture, picture, card)[0] if codec.predicts_chroma else picture
    side = -(-side // multiple) * multiple
    random = np.random.default_rng(0)
    given = {}
    for name in card.inputs:
        if name == "source":
            given[name] = random.uniform(-1, 1, (count, codec.source_channels, side, side))
        elif name == "hints":
            given[name] = np.zeros((count, 3, side, side))
        elif name == "noise":
            given[name] = random.standard_normal((count, card.recipe.generator.latent))
    return {name: value.astype(INPUTS[name].dtype) for name, value in given.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--picture", type=int, default=256)
    parser.add_argument("--side", type=int)
    arguments = parser.parse_args()
    path = find_model(arguments.model).with_suffix(".safetensors")
    network, card = load_network(path)
    torch.set_num_threads(arguments.threads)
    inputs = inputs_of(card, arguments.batch, arguments.side, arguments.picture)
    singles = [{name: value[i : i + 1] for name, value in inputs.items()} for i in range(arguments.batch)]
    eager = TorchRuntime(network)
    works: dict[str, Callable[[], object]] = {"torch fp32, one at a time": lambda: [eager.run(one) for one in singles]}
    with tempfile.TemporaryDirectory() as folder:
        for form in FORMS:
            file = Path(folder) / f"{form}.onnx"
            data = arguments.data if form != "fp32" else None
            export(Asked(path, file, None, form == "int8", form == "fp16", "dynamic", data, None))
            runtime = OnnxRuntime(file, arguments.threads)
            works[f"ONNX {form}, batch of {arguments.batch}"] = lambda runtime=runtime: runtime.run(inputs)
        seconds: dict[str, list[float]] = {name: [] for name in works}
        for number in range(arguments.rounds + 1):
            for name, work in works.items():
                time.sleep(REST)
                start = time.perf_counter()
                work()
                if number:  # the first round warms up
                    seconds[name].append(time.perf_counter() - start)
    shape = " x ".join(map(str, inputs["source"].shape[1:]))
    print(f"{card.recipe.name}, {shape} a picture, {arguments.threads} threads, medians of {arguments.rounds} rounds")
    base = next(iter(seconds.values()))
    for name, times in seconds.items():
        ratio = statistics.median(slow / fast for slow, fast in zip(base, times, strict=True))
        print(f"{name:<28} {arguments.batch / statistics.median(times):8.1f} pictures/s   {ratio:5.2f} times")


if __name__ == "__main__":
    main()
