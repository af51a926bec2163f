"""Running a network with torch. Importing this module imports torch; `runtime.py` does so only when it is needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from tintype.errors import ModelFileError
from tintype.inference.modelfile import ModelCard, read_safetensors
from tintype.inference.runtime import INPUTS
from tintype.networks import build_generator
from tintype.networks.blocks import InstanceNorm

_TURN = threading.RLock()
"""Modes, hooks and torch's random numbers belong to a module or to the process, not to the thread that sets them."""


@final
class TorchRuntime:
    """Run a module that lives on `device` in evaluation mode, without gradients; the modes of its parts are kept.

    Args:
        module: The network.
        device: Where it lives.
        frozen: Mean and variance by channel for layers that would else normalise over the picture at hand.
        seed: Of dropout, which is off without one.
    """

    def __init__(
        self,
        module: nn.Module,
        device: str | torch.device = "cpu",
        frozen: Mapping[nn.Module, tuple[Tensor, Tensor]] | None = None,
        seed: int | None = None,
    ) -> None:
        self._module = module
        self._device = torch.device(device)
        self._frozen, self._seed = frozen or {}, seed
        self.name = f"PyTorch ({self._device})"

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """See `Runtime`."""
        return self.run({"source": x})[0]

    def run(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """See `ManyRuntime`."""
        given = {
            name: torch.from_numpy(np.ascontiguousarray(inputs[name])).to(self._device)
            for name in INPUTS
            if name in inputs
        }
        named = {"hints": given.pop("hints")} if "hints" in given else {}  # what stands before them may be missing
        with _TURN, evaluating(self._module), torch.inference_mode(), self._freezing(), self._drawing():
            made = self._module(*given.values(), **named)
            return [part.float().cpu().numpy() for part in (made if isinstance(made, tuple) else (made,))]

    def frozen_on(self, show: Callable[[], object]) -> TorchRuntime:
        """See `FreezableRuntime`; what is frozen is instance norm, and batch norm without running statistics."""
        met: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}

        def look(layer: nn.Module, inputs: tuple[Tensor]) -> None:
            variances, means = torch.var_mean(inputs[0], dim=(2, 3), correction=0)
            met.setdefault(layer, []).extend(zip(means, variances, strict=True))

        layers = [layer for layer in self._module.modules() if _normalises_over_its_input(layer)]
        with _TURN, _hooked(layer.register_forward_pre_hook(look) for layer in layers):
            show()
        frozen = {
            layer: (torch.stack([mean for mean, _ in pairs]).mean(0), torch.stack([var for _, var in pairs]).mean(0))
            for layer, pairs in met.items()
        }
        return TorchRuntime(self._module, self._device, frozen)

    def drawing(self, seed: int) -> TorchRuntime | None:
        """See `StochasticRuntime`."""
        return TorchRuntime(self._module, self._device, self._frozen, seed) if self._dropouts() else None

    def _dropouts(self) -> list[nn.Dropout]:
        return [layer for layer in self._module.modules() if isinstance(layer, nn.Dropout) and layer.p > 0]

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        if self._seed is None:
            yield
            return
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(self._seed)
            for layer in self._dropouts():
                layer.train()  # `evaluating` sets it back
            yield

    def _freezing(self) -> AbstractContextManager[None]:
        def normalise(layer: nn.Module, inputs: tuple[Tensor], _: Tensor) -> Tensor:
            mean, variance = self._frozen[layer]
            weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
            return F.batch_norm(inputs[0], mean, variance, weight, bias)

        return _hooked(layer.register_forward_hook(normalise) for layer in self._frozen)


def _normalises_over_its_input(layer: nn.Module) -> bool:
    return isinstance(layer, InstanceNorm) or (isinstance(layer, nn.BatchNorm2d) and layer.running_mean is None)


@contextmanager
def _hooked(handles: Iterable[RemovableHandle]) -> Iterator[None]:
    """Hooks that are set while this lasts."""
    with ExitStack() as stack:
        for handle in handles:
            stack.callback(handle.remove)
        yield


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode; afterwards each of its parts is in the mode that it was in."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def load_torch_runtime(path: Path, device: str | torch.device = "cpu") -> tuple[TorchRuntime, ModelCard]:
    """The network of a `.safetensors` model, ready to run; see `load_network`."""
    network, card = load_network(path)
    return TorchRuntime(network.to(device), device), card


def load_network(path: Path) -> tuple[nn.Module, ModelCard]:
    """Build the network that a `.safetensors` model's recipe describes; every one of the weights must fit.

    Raises:
        ModelFileError: the file is missing, damaged, not made by Tintype, or its weights do not fit its recipe.
    """
    state, card = read_safetensors(path)
    with torch.device("meta"):  # weights of the recipe's sizes are never allocated: a hostile card could ask for any
        network = build_generator(card.recipe, card.direction)
    try:
        network.load_state_dict(
            {name: torch.from_numpy(value) for name, value in state.items()}, strict=True, assign=True
        )
    except RuntimeError as error:
        lines = str(error).splitlines()
        detail = " ".join(lines[1].split())[:160] if len(lines) > 1 else str(error)
        raise ModelFileError(f"{path}: its weights do not fit its recipe ({detail}); export it again") from error
    return network.float(), card
