"""What all tests share: one thread for each worker, a cache of their own, and small made pictures."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: two workers on two cores

import functools
import gzip
import signal
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tintype.image.file import write_image

# A shell starts what runs in the background with Ctrl-C ignored, and whatever that starts ignores it too.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud, however quiet pytest is, which tests were skipped for want of a browser or a GPU."""
    for marker, lack in (("browser", "Chromium"), ("gpu", "a CUDA device")):
        skipped = [one for one in terminalreporter.stats.get("skipped", []) if marker in one.keywords]
        if skipped:
            terminalreporter.write_line(
                f"NOT RUN for want of {lack}: {len(skipped)} tests marked {marker}", yellow=True
            )


@pytest.fixture(autouse=True, scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep decoded pictures out of the user's cache; subprocesses inherit the setting."""
    folder = tmp_path_factory.getbasetemp().parent / "tintype-cache"
    os.environ["TINTYPE_CACHE"] = str(folder)
    return folder


def make_picture(seed: int, height: int = 40, width: int = 48) -> np.ndarray:
    """A smooth random colour picture, `h w 3` uint8, unlike those of other seeds."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    waves = [np.sin(2 * np.pi * (fy * y + fx * x + phase)) for fy, fx, phase in random.uniform(-2.5, 2.5, (9, 3))]
    picture = np.stack([sum(waves[i::3]) for i in range(3)], axis=-1)
    return np.rint(127.5 + 40 * picture).clip(0, 255).astype(np.uint8)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of twelve made colour pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(12):
        write_image(folder / f"{number:02d}.png", make_picture(number))
    return folder


@pytest.fixture(autouse=True, scope="session")
def known_operators() -> None:
    """Let torch's exporter list what ONNX can compute once, not for each graph: half a second each."""
    if "torch" not in sys.modules:
        return
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))


@pytest.fixture
def nothing_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what follows the last step: to export and score a model takes many times as long as a tiny training."""
    monkeypatch.setattr("tintype.training.conclude", lambda *_: None)


@pytest.fixture(scope="session")
def labelled_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten made pictures of each of three classes, `red_00.png` and so on, which differ in the mean of one channel."""
    folder = tmp_path_factory.mktemp("labelled")
    for channel, label in enumerate(("red", "green", "blue")):
        for number in range(10):
            picture = make_picture(100 * channel + number)
            picture[..., channel] = 155 + picture[..., channel] // 3
            write_image(folder / f"{label}_{number:02d}.png", picture)
    return folder


def write_idx(path: Path, values: np.ndarray) -> Path:
    """An idx file of bytes, packed where its name ends in `.gz`."""
    content = bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.fixture(scope="session")
def idx_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four idx files: 60 and 24 made grey pictures of 16 px in three classes, which differ in where they are bright."""
    folder = tmp_path_factory.mktemp("idx")
    for number, (part, count) in enumerate((("train", 60), ("t10k", 24))):
        labels = np.arange(count, dtype=np.uint8) % 3
        pictures = np.stack([make_picture(1000 * number + i, 16, 16)[..., 0] // 2 for i in range(count)])
        for picture, label in zip(pictures, labels, strict=True):
            picture[5 * label : 5 * label + 6] += 120
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", pictures)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", labels)
    return folder


@pytest.fixture(scope="session")
def picture_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, shared by tests that only read."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(12):
        write_image(folder / f"{number:02d}.png", make_picture(number))
    return folder


@pytest.fixture(scope="session")
def graphs_once() -> Iterator[None]:
    """Let torch trace each network once: that takes most of the time of an export."""
    from tintype.inference import exporting

    known: dict[object, object] = {}

    def build(module, card, path, *, side=None):
        weights = sum(float(value.double().sum()) for value in module.state_dict().values())
        key = (card.recipe.digest, card.direction, side, weights)
        if key not in known:
            known[key] = honest(module, card, path, side=side)
        return known[key]

    honest = exporting.build_graph
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "build_graph", build)
        yield
