"""Encoders of generators while others train: frozen for some steps or for all of them, or with a rate of their own.

Their weights may come from elsewhere, and a decoder that knows nothing yet would spoil them first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from torch import nn

from tintype.methods import Method
from tintype.recipe.schema import OptimiserSpec


def encoder_of(network: nn.Module) -> list[nn.Module]:
    """The parts of a generator that make its encoder; nothing for networks without."""
    bare = getattr(network, "module", network)  # without what Fabric wraps it in
    return [getattr(bare, name) for name in getattr(bare, "encoder_parts", ())]


class Encoders:
    """The encoders of a method's generators, and what the recipe says about their training."""

    def __init__(self, method: Method, spec: OptimiserSpec) -> None:
        names = dict.fromkeys(chain.from_iterable(p.networks for p in method.phases if p.rate == "generator"))
        self._parts = [part for name in names for part in encoder_of(method.networks[name])]
        self._spec = spec

    def frozen(self, step: int) -> Sequence[nn.Module]:
        """The parts that do not learn in step number `step` (from 0)."""
        still = self._spec.encoder_lr == 0 or step < self._spec.encoder_frozen_steps
        return self._parts if still else ()

    def hold(self, step: int) -> None:
        """Bring all encoders into the state that the step asks for: frozen ones keep the statistics of batch norm."""
        if self._spec.encoder_lr != 0 and step > self._spec.encoder_frozen_steps:
            return  # nothing was ever frozen, or nothing is any more
        still = bool(self.frozen(step))
        for part in self._parts:
            part.train(not still).requires_grad_(not still)

    def groups(self, networks: Iterable[nn.Module], rate: float) -> list[tuple[list[nn.Parameter], float]]:
        """The parameters of networks and the rate of each group: that of their encoders, where it is another one."""
        every = (parameter for network in networks for parameter in network.parameters())
        parameters = list(dict.fromkeys(every))  # networks may share some
        if self._spec.encoder_lr is None:
            return [(parameters, rate)]
        inside = {id(parameter) for part in self._parts for parameter in part.parameters()}
        apart = [parameter for parameter in parameters if id(parameter) in inside]
        others = [parameter for parameter in parameters if id(parameter) not in inside]
        return [(group, lr) for group, lr in ((others, rate), (apart, self._spec.encoder_lr)) if group]
