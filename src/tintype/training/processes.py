"""Several processes that train one model together, one a device: started by torchrun, joined by Lightning Fabric.

All that is known of their being several is here and in `batch_norm.py`. Networks are not wrapped: each process takes
its share of every batch, and gradients are averaged before an optimiser's step. A process that runs alone never
communicates.
"""

from __future__ import annotations

import functools
import itertools
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeVar

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor, nn

from tintype.data.sampler import pictures_of_more
from tintype.errors import DataError, LostProcessError, UsageError
from tintype.recipe import Recipe

T = TypeVar("T")

_PATIENCE = timedelta(hours=2)
"""How long processes wait for one that decodes or scores pictures; one that died is noticed at once."""

_RUNS = itertools.count()


def process_count() -> int:
    """Number of processes that torchrun started, on all hosts together; 1 without it."""
    return int(os.environ["WORLD_SIZE"]) if dist.is_available() and dist.is_torchelastic_launched() else 1


def is_main() -> bool:
    """Whether this is the process that writes and talks."""
    return process_count() == 1 or os.environ["RANK"] == "0"


def make_fabric(recipe: Recipe) -> Fabric:
    """Device and precision that the recipe asks for; waits for the other processes, if there are any, and joins them.

    Raises:
        UsageError: The device is not there, or the processes do not fit the hosts' devices or the batch.
    """
    wanted, count = recipe.training.device, process_count()
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UsageError("training.device=cuda, but torch finds no CUDA device; use training.device=auto or cpu")
    if wanted == "mps" and not torch.backends.mps.is_available():
        raise UsageError("training.device=mps, but torch finds no such device; use training.device=auto or cpu")
    precision: Literal["bf16-mixed", "32-true"] = "bf16-mixed" if recipe.training.precision == "bf16" else "32-true"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice about launchers and devices that were not asked for
        if count == 1:
            return Fabric(accelerator=wanted, devices=1, precision=precision)
        if wanted == "auto":
            wanted = "cuda" if torch.cuda.is_available() else "cpu"
        here = _processes_here(recipe, wanted, count)
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # each process would introduce itself
        fabric = Fabric(
            accelerator=wanted, devices=here, num_nodes=count // here, strategy=_Unwrapped(), precision=precision
        )
        _join(wanted)
        fabric.launch()
    return fabric


def _processes_here(recipe: Recipe, device: str, count: int) -> int:
    """Number of processes on this host, which must fit what there is."""
    here, batch = int(os.environ["LOCAL_WORLD_SIZE"]), recipe.training.batch_size
    if batch % count:
        raise UsageError(
            f"training.batch_size={batch} is the batch of all processes together and does not divide by {count} "
            "processes: change one of the two"
        )
    if getattr(recipe.data, "more", "") and (further := pictures_of_more(recipe)) % count:
        raise UsageError(
            f"data.more_share makes {further} pictures of each batch, which does not divide by {count} processes: "
            "change one of the two"
        )
    if device == "mps":
        raise UsageError(
            "training.device=mps trains in one process; use training.device=cpu or start it without torchrun"
        )
    if device == "cuda" and here > torch.cuda.device_count():
        raise UsageError(
            f"{here} processes on a host with {torch.cuda.device_count()} CUDA devices; start one for each at most"
        )
    if here * int(os.environ["GROUP_WORLD_SIZE"]) != count:
        raise UsageError("torchrun started unequal numbers of processes; give all hosts the same --nproc-per-node")
    return here


def _join(device: str) -> None:
    """Meet the other processes; once more for every run, if a script trains several."""
    local = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if device == "cuda" else None
    if dist.is_initialized():  # left by a run of the same script that failed
        dist.destroy_process_group()
    with together():
        store, rank, size = _meeting_place()
        dist.init_process_group(
            # Small things that processes tell each other go through the host, so that no step waits for a GPU.
            "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo",
            store=dist.PrefixStore(f"run-{next(_RUNS)}", store),
            rank=rank,
            world_size=size,
            timeout=_PATIENCE,
            device_id=local,
        )


@functools.cache
def _meeting_place() -> tuple[dist.Store, int, int]:
    place: tuple[dist.Store, int, int] = next(dist.rendezvous("env://", timeout=_PATIENCE))
    return place


class _Unwrapped(DDPStrategy):
    """Fabric's strategy for several processes without the wrapper, which would average at every backward pass."""

    def setup_module(self, module: nn.Module) -> nn.Module:  # type: ignore[override]  # promises its wrapper
        """Leave the network as it is."""
        return module


@dataclass(frozen=True, slots=True)
class Team:
    """The processes of a run as one of them sees them; all must call the same methods in the same order.

    Every method but `main` and `share` raises LostProcessError if another process has ended.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @staticmethod
    def of(fabric: Fabric) -> Team:
        """The team that `make_fabric` joined."""
        return Team(fabric.global_rank, fabric.world_size, fabric.local_rank)

    @property
    def main(self) -> bool:
        """Whether this process writes and talks."""
        return self.rank == 0

    @property
    def share(self) -> tuple[int, int]:
        """Which part of a batch is this process's: number and count of equal parts."""
        return self.rank, self.size

    def average(self, values: Tensor) -> Tensor:
        """Mean over the processes, the same bits in each."""
        if self.size == 1:
            return values
        total = values.clone(memory_format=torch.contiguous_format)
        with together():
            dist.all_reduce(total)
        return total / self.size

    def average_gradients(self, optimiser: torch.optim.Optimizer) -> None:
        """Replace the gradients of an optimiser's parameters by their means over the processes, in one exchange."""
        if self.size == 1:
            return
        parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        mean = self.average(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        parts = mean.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))

    def gather(self, values: Tensor) -> Tensor:
        """Those of all processes, joined along the first dimension in the order of shares."""
        if self.size == 1:
            return values
        values = values.contiguous()
        parts = [torch.empty_like(values) for _ in range(self.size)]
        with together():
            dist.all_gather(parts, values)
        return torch.cat(parts)

    def any(self, flag: bool) -> bool:
        """Whether any process says so."""
        if self.size == 1:
            return flag
        flags = torch.tensor(flag, dtype=torch.int32)
        with together():
            dist.all_reduce(flags)
        return bool(flags)

    def collect(self, value: T) -> list[T]:
        """What each process has to say, in order."""
        if self.size == 1:
            return [value]
        values: list[T | None] = [None] * self.size
        with together():
            dist.all_gather_object(values, value)
        return values  # type: ignore[return-value]  # all are filled

    def from_main(self, make: Callable[[], T]) -> T:
        """What the main process makes, for all."""
        if self.size == 1:
            return make()
        values = [make() if self.main else None]
        with together():
            dist.broadcast_object_list(values)
        return values[0]  # type: ignore[return-value]

    def one_a_host_first(self, make: Callable[[], T]) -> T:
        """What each process makes by itself, but the first of each host before the others of it."""
        made = make() if self.local_rank == 0 else None
        self.collect(None)
        return made if self.local_rank == 0 else make()  # type: ignore[return-value]

    def require_equal(self, data: dict[str, str]) -> None:
        """Refuse to train where hosts see different things.

        Raises:
            DataError: A process has another value than the main one.
        """
        for rank, other in enumerate(everyone := self.collect(data)):
            for name, value in other.items():
                if value != everyone[0][name]:
                    raise DataError(
                        f"process {rank} has another {name} than process 0 ({value}, {everyone[0][name]}); give every "
                        "host the same command and copies of the same files"
                    )

    @torch.no_grad()
    def equalise(self, network: nn.Module) -> None:
        """Give a network of every process the values of the main one's."""
        if self.size > 1:
            with together():
                for value in network.state_dict().values():
                    whole = value.contiguous()
                    dist.broadcast(whole, 0)
                    value.copy_(whole)

    def leave(self) -> None:
        """Wait until all have come this far, and part; from here on each is alone."""
        if self.size > 1:
            self.collect(None)
            dist.destroy_process_group()


@contextmanager
def together() -> Iterator[None]:
    """Say in words that the others did not answer."""
    try:
        yield
    except RuntimeError as error:
        raise LostProcessError(
            f"process {os.environ['RANK']}: another process of this run has ended, see what it said; the same command "
            f"goes on from the last checkpoint ({' '.join(str(error).split())[:120]})"
        ) from error
