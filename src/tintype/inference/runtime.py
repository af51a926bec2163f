"""Running a network on numpy arrays: the `Runtime` protocol, and ONNX Runtime on the CPU, which needs no torch.

`torch_runtime.py` holds the one for torch; it is imported only when a `.safetensors` model is opened.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, final, runtime_checkable

import numpy as np

from tintype.errors import MissingExtraError, ModelFileError, UsageError
from tintype.inference.modelfile import METADATA_KEY, ModelCard, card_from_json, damaged

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class Runtime(Protocol):
    """Something that runs a network without random numbers, the same way every time."""

    @property
    def name(self) -> str:
        """What runs it, for people: "ONNX Runtime (CPU)"."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Model space in and out, float32: `n c h w` to `n c' h/output_stride w/output_stride`."""


class ManyRuntime(Protocol):
    """A runtime of a network that gives more than one array."""

    def outputs(self, x: np.ndarray) -> list[np.ndarray]:
        """All of them, float32; model space in, `n c h w`."""


@runtime_checkable
class FreezableRuntime(Runtime, Protocol):
    """A runtime whose normalisation over the picture at hand can be held to that of one picture."""

    def frozen_on(self, show: Callable[[], object]) -> Runtime:
        """The same network with the mean and variance that its layers meet, in the mean, while `show` runs it."""


@runtime_checkable
class StochasticRuntime(Runtime, Protocol):
    """A runtime of a network that may have layers that draw random numbers."""

    def drawing(self, seed: int) -> Runtime | None:
        """The same network with dropout at work, the same in each run; None: it has none."""


def freezable(runtime: Runtime) -> FreezableRuntime:
    """The runtime if its normalisation can be frozen, or else that of the same network in the file beside its own.

    Raises:
        UsageError: There is none.
    """
    able = runtime.twin if isinstance(runtime, OnnxRuntime) else runtime
    if not isinstance(able, FreezableRuntime):
        raise UsageError(
            f"statistics of the whole picture cannot be given to {runtime.name}; give the .safetensors model, and have "
            "torch installed"
        )
    return able


@final
class OnnxRuntime:
    """ONNX Runtime on the CPU.

    Raises:
        ModelFileError: The file is missing, damaged, or not made by Tintype.
    """

    name = "ONNX Runtime (CPU)"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        self._path = path
        self._session, self.card = open_onnx(path, threads=threads)
        self._input = self._session.get_inputs()[0].name

    @cached_property
    def twin(self) -> Runtime | None:
        """The same network on torch, from the `.safetensors` file beside this one; None: not there, or no torch."""
        path = self._path.with_suffix(".safetensors")
        if not path.is_file() or find_spec("torch") is None:
            return None
        runtime, card = open_runtime(path)
        same = all(getattr(card, name) == getattr(self.card, name) for name in ("recipe", "direction", "step"))
        return runtime if same else None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """See `Runtime`.

        Raises:
            ModelFileError: The network fails on this input.
        """
        return self.outputs(x)[0]

    def outputs(self, x: np.ndarray) -> list[np.ndarray]:
        """All that the network gives; a classifier gives features and logits.

        Raises:
            ModelFileError: The network fails on this input.
        """
        try:
            return list(self._session.run(None, {self._input: x}))
        except Exception as error:  # ONNX Runtime's errors share no base but Exception
            raise ModelFileError(
                f"{self._path}: the network failed on an input of shape {x.shape} ({_first_line(error)})"
            ) from error


def open_runtime(path: Path, threads: int | None = None) -> tuple[Runtime, ModelCard]:
    """Make a model file of either format ready to run.

    Raises:
        ModelFileError: The file is missing, damaged, or not made by Tintype.
        MissingExtraError: It is a `.safetensors` file and torch is not installed.
    """
    if path.suffix == ".onnx":
        onnx_runtime = OnnxRuntime(path, threads)
        return onnx_runtime, onnx_runtime.card
    try:
        from tintype.inference.torch_runtime import load_torch_runtime
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        beside = path.with_suffix(".onnx")
        other = f"use {beside}, which does not" if beside.is_file() else "use a .onnx model, which does not"
        raise MissingExtraError(f'{path}: needs torch: pip install "tintype[train]", or {other}') from error
    return load_torch_runtime(path)


def open_onnx(path: Path, *, threads: int | None = None, optimise: bool = True) -> tuple[InferenceSession, ModelCard]:
    """A session on the CPU and the card; `optimise=False` is for reading the card only.

    Raises:
        ModelFileError: The file is missing, damaged, or not made by Tintype.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # every error is raised as well, so printing it would only say it twice
    options.intra_op_num_threads = threads or os.cpu_count() or 1
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        metadata = session.get_modelmeta().custom_metadata_map
    except Exception as error:  # ONNX Runtime's errors share no base but Exception
        raise damaged(path, error) from error
    card = card_from_json(metadata.get(METADATA_KEY), path)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    wanted = 2 if card.recipe.generator.kind == "classifier" else 1
    if (len(inputs), len(outputs)) != (1, wanted) or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
        number = ("", "one output", "two outputs")[wanted]
        raise ModelFileError(
            f"{path}: must have one float32 input `n c h w` and {number}; export it again with Tintype"
        )
    return session, card


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
