"""Using a generator from noise: numbers of pictures in, pictures out. Picture i of a seed is always the same one.

Where a model makes clips, their grey frames stand in the place of channels.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import final

import numpy as np

from tintype.errors import ModelFileError, UsageError
from tintype.image.codec import build_codec
from tintype.image.grid import panel
from tintype.image.source import printable
from tintype.inference.modelfile import ModelCard, find_model
from tintype.inference.runtime import ManyRuntime, open_runtime

_AT_ONCE = 256
"""Pictures that go through the network together, which bounds its memory."""

_LEAST_CELL = 56
"""Pixels of the shorter side of a picture in a grid at least."""


@final
class Sampler:
    """A generator from noise with the card that says how it is fed.

    Args:
        model: A run folder, a `.onnx` or a `.safetensors` file.
        threads: Of the network; default: one a core.

    Raises:
        ModelFileError: The model is missing, damaged, or not made by Tintype.
        MissingExtraError: It is a `.safetensors` file and torch is not installed.
        UsageError: It makes pictures from other pictures, or none.
    """

    def __init__(self, model: str | Path, threads: int | None = None) -> None:
        path = find_model(model)
        runtime, card = open_runtime(path, threads)
        if "source" in card.inputs:
            raise UsageError(
                f"{path}: makes no pictures from noise alone; give a model of a recipe with method.kind=gan, or name a "
                "picture to draw results of"
            )
        self._attach(runtime, card)

    @classmethod
    def from_runtime(cls, runtime: ManyRuntime, card: ModelCard) -> Sampler:
        """A sampler for a network that is in memory already, as in training."""
        sampler = cls.__new__(cls)
        sampler._attach(runtime, card)
        return sampler

    def _attach(self, runtime: ManyRuntime, card: ModelCard) -> None:
        self._runtime, self.card, self._codec = runtime, card, build_codec(card.recipe)
        self._latent: int = getattr(card.recipe.generator, "latent", 0)
        count: int = getattr(card.recipe.generator, "classes", 0)
        self.classes = tuple(map(printable, card.classes)) or tuple(map(str, range(count)))
        """Names of the classes that pictures are made of; none where the network is not told one."""
        side = card.recipe.data.size
        self.shape = (side, side, self._codec.target_channels)
        """Of a picture, `h w c`, or of a clip, `h w t`."""
        self.frames = card.recipe.frames
        """Pictures in a clip; 1: the network makes no clips."""

    def class_number(self, label: str) -> int:
        """The number of a class from its name, in any case, or from its number.

        Raises:
            UsageError: There is no such class, or the model knows none.
        """
        if not self.classes:
            raise UsageError(f"--label {label}: this model makes pictures without being told a class; leave it out")
        names = [name.casefold() for name in self.classes]
        if label.casefold() in names:
            return names.index(label.casefold())
        if label.isdecimal() and int(label) < len(names):
            return int(label)
        shown = ", ".join(self.classes[:12]) + (", ..." if len(names) > 12 else "")
        raise UsageError(f"--label {label}: no such class; the model knows 0 to {len(names) - 1}: {shown}")

    def labels(self, count: int, label: int | None = None) -> np.ndarray:
        """Classes of the first `count` pictures, int64: one class, or all in turn."""
        turns = np.arange(count) % max(1, len(self.classes))
        return turns if label is None else np.full(count, label)

    def __call__(self, count: int, seed: int = 0, label: int | None = None) -> np.ndarray:
        """The first `count` pictures of a seed, display `n h w c` in [0, 1], of one class or of all in turn.

        Raises:
            ModelFileError: The network fails, or gives something else than its card says.
        """
        output = self.outputs(count, seed, label)
        return np.asarray(self._codec.decode(output, output), dtype=np.float32).transpose(0, 2, 3, 1)

    def outputs(self, count: int, seed: int = 0, label: int | None = None) -> np.ndarray:
        """The same in model space, `n c h w`."""
        labels = self.labels(count, label)
        parts = [
            self._run(np.arange(start, min(start + _AT_ONCE, count)), seed, labels)
            for start in range(0, count, _AT_ONCE)
        ]
        return np.concatenate(parts)

    def _run(self, numbers: np.ndarray, seed: int, labels: np.ndarray) -> np.ndarray:
        inputs: dict[str, np.ndarray] = {
            "noise": np.stack([_noise(seed, number, self._latent) for number in numbers.tolist()])
        }
        if self.classes:
            inputs["label"] = labels[numbers].astype(np.int64)
        (output,) = self._runtime.run(inputs)
        height, width, channels = self.shape
        expected = (len(numbers), channels, height, width)
        if output.shape != expected:
            raise ModelFileError(
                f"the model gave an output of shape {output.shape} where its card promises {expected}; export it again"
            )
        if not np.isfinite(output).all():
            raise ModelFileError(
                "the model gave values that are not finite; its training diverged or the file is damaged"
            )
        return output


def _noise(seed: int, number: int, latent: int) -> np.ndarray:
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, number))))
    return random.standard_normal(latent, dtype=np.float32)


def strips(clips: np.ndarray) -> np.ndarray:
    """Clips `n h w t` as pictures `n h w' 1` of their frames from left to right, with a white line between."""
    n, height, width, frames = clips.shape
    lined = np.pad(clips, ((0, 0), (0, 0), (0, 1), (0, 0)), constant_values=1).transpose(0, 1, 3, 2)
    return lined.reshape(n, height, frames * (width + 1))[:, :, :-1, None]


def playing_grids(clips: np.ndarray, classes: Sequence[str] = ()) -> list[np.ndarray]:
    """For each frame of clips `n h w t` a grid of all of them, as `sample_grid` draws it."""
    return [sample_grid(clips[..., number, None], classes) for number in range(clips.shape[3])]


def sample_grid(pictures: np.ndarray, classes: Sequence[str] = ()) -> np.ndarray:
    """A grid of pictures `n h w c`, uint8 `h w 3`: a row for each class where they come in turn, else nearly square.

    Rows are named where matplotlib, whose font is used, is installed.
    """
    if classes:
        rows = [list(pictures[number :: len(classes)]) for number in range(min(len(classes), len(pictures)))]
    else:
        columns = int(np.ceil(np.sqrt(len(pictures))))
        rows = [list(pictures[start : start + columns]) for start in range(0, len(pictures), columns)]
    columns = max(map(len, rows))
    blank = np.ones_like(pictures[0])
    rows = [row + [blank] * (columns - len(row)) for row in rows]
    named = bool(classes) and importlib.util.find_spec("matplotlib") is not None
    sides = pictures.shape[1:3]
    cell = round(max(sides) * max(1, _LEAST_CELL / min(sides)))
    return panel(rows, [""] * columns, list(classes[: len(rows)]) if named else None, cell)
