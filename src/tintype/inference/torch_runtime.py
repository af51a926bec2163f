"""Running a network with torch. Importing this module imports torch; `runtime.py` does so only when it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import nn

from tintype.errors import ModelFileError
from tintype.inference.modelfile import ModelCard, read_safetensors
from tintype.networks import build_generator


@final
class TorchRuntime:
    """Run a module that lives on `device` in evaluation mode, without gradients; the modes of its parts are kept."""

    def __init__(self, module: nn.Module, device: str | torch.device = "cpu") -> None:
        self._module = module
        self._device = torch.device(device)
        self.name = f"PyTorch ({self._device})"

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """See `Runtime`."""
        with evaluating(self._module), torch.inference_mode():
            output: torch.Tensor = self._module(torch.from_numpy(np.ascontiguousarray(x)).to(self._device))
            return output.float().cpu().numpy()


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
