"""What the trainer asks of a method: networks, phases, one shared forward pass and named, weighted loss terms.

A phase is one optimiser update. Networks that share an autograd graph share a phase. A new way of training is a new
`Method`, never a flag in the trainer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures in model space, `n c h w`; the target may be smaller by the generator's output stride.

    For methods without pairs the source is a picture of domain A and the target one of domain B; for classifiers the
    target is the number of the picture's class, int64 `n`. For generators from noise the target is a real picture, and
    the source the number of its class, int64 `n`: zeros where there are no classes.
    """

    source: Tensor
    target: Tensor
    step: int = 0
    """Number of the batch, from 0."""
    epoch: float = 0.0
    """Passes over the training pictures before this batch."""
    hints: Tensor | None = None
    """Known chroma and where it is known, `n 3 h w` at the size of the source, for recipes that reveal some."""

    subject: Tensor | None = None
    """Numbers of what is in the pictures, int64 `n`, -1 where nobody said; for methods that have them told."""

    def source_at(self, stride: int) -> Tensor:
        """The source, reduced by area to the size of targets that are so many times smaller."""
        return F.avg_pool2d(self.source, stride) if stride > 1 else self.source

    @property
    def told(self) -> dict[str, Tensor]:
        """What a generator is told of the target, by the names of its arguments."""
        return {} if self.hints is None else {"hints": self.hints}


@dataclass(frozen=True, slots=True)
class Phase:
    """One optimiser update: which networks it trains, at which of the recipe's rates, and how often.

    Phases with the same `optimiser` share one, with its means of gradients; they train the same networks.
    """

    name: str
    networks: tuple[str, ...]
    rate: Literal["generator", "discriminator"]
    every: int = 1
    shared: str = ""

    @property
    def optimiser(self) -> str:
        """Name of the optimiser: the phase's own, unless it shares one."""
        return self.shared or self.name


class Peers(Protocol):
    """The processes that train together, each on an equal share of every batch."""

    @property
    def rank(self) -> int:
        """Number of this process's share."""
        ...

    def gather(self, values: Tensor) -> Tensor:
        """What all processes have, joined along the first dimension in the order of shares."""
        ...


class Method(Protocol):
    """A way of training; `out` is whatever its own `forward` returned."""

    networks: nn.ModuleDict
    phases: tuple[Phase, ...]
    exports: dict[str, str]
    """File name suffix -> network that is shipped: {"": "generator"}, or one for each direction."""

    def memory(self) -> dict[str, Any]:
        """What the method remembers between steps beside its networks, for a checkpoint: tensors and plain values."""
        ...

    def remember(self, memory: dict[str, Any]) -> None:
        """Go on from what `memory` returned."""
        ...

    def forward(self, batch: Batch) -> Any:  # noqa: ANN401 - private to each method
        """One forward pass that all phases share."""
        ...

    def take_health(self) -> dict[str, Tensor]:
        """How the game went since the last call, for the log: `d/accuracy_real`, ..., shares in [0, 1]."""
        ...

    def loss(self, phase: str, batch: Batch, out: Any) -> dict[str, Tensor]:  # noqa: ANN401
        """The phase's loss terms, weights applied; their sum is differentiated, their names are logged.

        With no term the phase is left out of this step.
        """
        ...
