"""Loss terms, and what else is watched, on their way to the log: fetched rarely, checked, averaged between lines."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tintype.errors import NonFiniteLossError


class Meter:
    """Collects the named terms of each step without waiting for the device; `flush` fetches them in one transfer."""

    def __init__(self, average: Callable[[Tensor], Tensor] = lambda values: values) -> None:
        self._average = average  # over the processes that train together
        self._waiting: list[tuple[int, list[str], Tensor]] = []
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, step: int, terms: dict[str, Tensor]) -> None:
        """Remember the terms of a step, still on the device; none are none."""
        if not terms:
            return
        self._waiting.append((step, list(terms), torch.stack([term.detach().float() for term in terms.values()])))

    def flush(self) -> None:
        """Fetch what is waiting and add it to the averages.

        Raises:
            NonFiniteLossError: A term is infinite or not a number; the first such step and term are named.
        """
        if not self._waiting:
            return
        values = iter(self._average(torch.cat([vector for _, _, vector in self._waiting])).tolist())
        waiting, self._waiting = self._waiting, []
        for step, names, _ in waiting:
            for name in names:
                value = next(values)
                if not math.isfinite(value):
                    raise NonFiniteLossError(
                        f"step {step}: {name} is {value}; training has diverged: "
                        "lower optimiser.lr, or use training.precision=fp32"
                    )
                self._sums[name] = self._sums.get(name, 0.0) + value
                self._counts[name] = self._counts.get(name, 0) + 1

    def take_means(self) -> dict[str, float]:
        """Mean of each term since the last call, which begins a new average."""
        self.flush()
        means = {name: total / self._counts[name] for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means

    def state(self) -> dict[str, Any]:
        """The unfinished averages, for a checkpoint."""
        self.flush()
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's averages."""
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])


def gradient_norm(optimiser: torch.optim.Optimizer) -> Tensor:
    """Euclidean norm of all gradients that an optimiser is about to use."""
    gradients = [p.grad for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
    return torch.nn.utils.get_total_norm(gradients)
