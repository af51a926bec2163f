"""Running a network on numpy arrays: the `Runtime` protocol, and ONNX Runtime, which needs no torch.

`torch_runtime.py` holds the one for torch; it is imported only when a `.safetensors` model is opened.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, final, runtime_checkable

import numpy as np

from tintype.errors import MissingExtraError, ModelFileError, UsageError
from tintype.inference.modelfile import METADATA_KEY, ModelCard, card_from_json, damaged
from tintype.inference.providers import PROVIDERS, start_session, wanted_providers
from tintype.recipe.networks import InputName

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions


@dataclass(frozen=True, slots=True)
class InputKind:
    """What arrays of an input are like.

    Attributes:
        dtype: Of its values.
        axes: Names of its dimensions, for people.
        onnx_type: What ONNX calls its values.
    """

    dtype: type[np.generic]
    axes: str
    onnx_type: str


INPUTS: dict[InputName, InputKind] = {
    "source": InputKind(np.float32, "n c h w", "tensor(float)"),
    "noise": InputKind(np.float32, "n k", "tensor(float)"),
    "label": InputKind(np.int64, "n", "tensor(int64)"),
    "hints": InputKind(np.float32, "n c h w", "tensor(float)"),
}
"""All inputs that a network may have, in the order of its arguments; `ModelCard.inputs` says which one has which."""


class Runtime(Protocol):
    """Something that runs a network without random numbers, the same way every time."""

    @property
    def name(self) -> str:
        """What runs it, for people: "ONNX Runtime (CPU)"."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Model space in and out, float32: `n c h w` to `n c' h/output_stride w/output_stride`."""


@runtime_checkable
class ManyRuntime(Protocol):
    """A runtime of a network that takes or gives more than one array."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """All that the network gives, float32.

        Args:
            inputs: What `ModelCard.inputs` names: `source` in model space `n c h w`, standard normal `noise` `n k` and
                `hints` `n 3 h w` (a* and b* in model space, and a mask of where they are known), float32; and `label`
                `n`, int64.
        """


class OpenRuntime(Runtime, ManyRuntime, Protocol):
    """What a model file is opened as."""


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
    """ONNX Runtime, on the first provider that starts.

    Args:
        path: The file.
        threads: Of the CPU; default: one a core.
        provider: The one to take; see `wanted_providers`.

    Raises:
        ModelFileError: The file is missing, damaged, or not made by Tintype.
        UsageError: There is no such provider here.

    Attributes:
        name: With the provider: "ONNX Runtime (CUDA)".
        card: Of the file.
        notes: Sentences on providers that did not start.
    """

    def __init__(self, path: Path, threads: int | None = None, provider: str | None = None) -> None:
        self._path = path
        options = _options(threads)
        self._session, self.card, used, self.notes = _open(path, options, wanted_providers(provider))
        self.name = f"ONNX Runtime ({PROVIDERS[used][1]})"
        names = [one.name for one in self._session.get_inputs()]
        self._names = {"source": names[0]} if self.card.inputs == ("source",) else {name: name for name in names}

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
        return self.run({"source": x})[0]

    def run(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """See `ManyRuntime`.

        Raises:
            ModelFileError: The network fails on these inputs, or has others.
        """
        if inputs.keys() != self._names.keys():
            raise ModelFileError(
                f"{self._path}: takes {' and '.join(self._names)}, got {' and '.join(inputs)}; use it for what its "
                "recipe is for"
            )
        try:
            return list(self._session.run(None, {self._names[name]: value for name, value in inputs.items()}))
        except Exception as error:  # ONNX Runtime's errors share no base but Exception
            shapes = ", ".join(str(value.shape) for value in inputs.values())
            raise ModelFileError(
                f"{self._path}: the network failed on an input of shape {shapes} ({_first_line(error)})"
            ) from error


def open_runtime(path: Path, threads: int | None = None, provider: str | None = None) -> tuple[OpenRuntime, ModelCard]:
    """Make a model file of either format ready to run.

    Raises:
        ModelFileError: The file is missing, damaged, or not made by Tintype.
        MissingExtraError: It is a `.safetensors` file and torch is not installed.
        UsageError: There is no such provider of ONNX Runtime here, or torch is to run the file.
    """
    if path.suffix == ".onnx":
        onnx_runtime = OnnxRuntime(path, threads, provider)
        return onnx_runtime, onnx_runtime.card
    if provider is not None:
        raise UsageError(f"provider {provider}: is of ONNX Runtime, and {path} is run by torch; give a .onnx model")
    try:
        from tintype.inference.torch_runtime import load_torch_runtime
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        beside = path.with_suffix(".onnx")
        other = f"use {beside}, which does not" if beside.is_file() else "use a .onnx model, which does not"
        raise MissingExtraError(f'{path}: needs torch: pip install "tintype[train]", or {other}') from error
    return load_torch_runtime(path)


def read_onnx_card(path: Path) -> ModelCard:
    """The card of a `.onnx` file, whose network is looked at but not made ready.

    Raises:
        ModelFileError: The file is missing, damaged, or not made by Tintype.
    """
    return _open(path, _options(optimise=False), ("cpu",))[1]


def _options(threads: int | None = None, *, optimise: bool = True) -> SessionOptions:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # every error is raised as well, so printing it would only say it twice
    options.intra_op_num_threads = threads or os.cpu_count() or 1
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    return options


def _open(
    path: Path, options: SessionOptions, providers: Sequence[str]
) -> tuple[InferenceSession, ModelCard, str, tuple[str, ...]]:
    """A session, the card, the provider that runs it, and sentences on those that do not.

    Raises:
        ModelFileError: The file is missing, damaged, or not made by Tintype.
    """
    try:
        session, used, notes = start_session(path, options, providers)
        metadata = session.get_modelmeta().custom_metadata_map
    except Exception as error:  # ONNX Runtime's errors share no base but Exception
        raise damaged(path, error) from error
    card = card_from_json(metadata.get(METADATA_KEY), path)
    _check_ends(session, card, path)
    return session, card, used, notes


def _check_ends(session: InferenceSession, card: ModelCard, path: Path) -> None:
    """Refuse a network whose inputs or outputs are not those that its recipe has."""
    names, found = card.inputs, session.get_inputs()
    wanted = 2 if card.recipe.generator.kind == "classifier" else 1
    kinds = [INPUTS[name] for name in names]
    fits = len(session.get_outputs()) == wanted and len(found) == len(kinds)
    if fits and len(kinds) > 1:
        fits = [one.name for one in found] == list(names)
    if not fits or any(
        one.type != kind.onnx_type or len(one.shape) != len(kind.axes.split())
        for one, kind in zip(found, kinds, strict=True)
    ):
        number = ("", "one output", "two outputs")[wanted]
        if names == ("source",):
            inputs = "one float32 input `n c h w`"
        else:
            inputs = " and ".join(
                f"{np.dtype(kind.dtype)} {name} `{kind.axes}`" for name, kind in zip(names, kinds, strict=True)
            )
            inputs = f"the input{'s' * (len(names) > 1)} {inputs}"
        raise ModelFileError(f"{path}: must have {inputs} and {number}; export it again with Tintype")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
