"""The training loop: one for every method. It knows phases, optimisers, checkpoints and cadences, but no loss.

Lightning Fabric brings devices and precision; the loop is ours, because `step` must count batches whatever the number
of optimisers. Nothing in a step waits for the device; loss terms are fetched every few steps by the `Meter`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from tintype.console import Reporter
from tintype.data.dataset import PictureSet
from tintype.errors import CheckpointError, NonFiniteLossError, OutOfMemoryError, RunError
from tintype.methods import Batch, Method, Phase
from tintype.recipe.schema import Recipe
from tintype.signals import stopping_gently
from tintype.training.batch_norm import join_batch_norm
from tintype.training.checkpoint import load_checkpoint, save_checkpoint
from tintype.training.ema import Ema
from tintype.training.encoders import Encoders
from tintype.training.journal import Journal
from tintype.training.machine import lay_out_channels_last
from tintype.training.meter import Meter, gradient_norm
from tintype.training.preview import Preview
from tintype.training.processes import Team
from tintype.training.rundir import RunDir
from tintype.training.schedule import rate_factor, sample_steps, steps_per_epoch, total_steps

_CHECK_EVERY = 10
"""Steps after which loss terms are fetched at the latest, and with them a loss that is not finite is found."""


@dataclass(slots=True)
class Best:
    """The best validation score so far and where it was reached."""

    step: int = 0
    score: float | None = None


class Trainer:
    """Trains a method on the data of a recipe inside a run folder; `fit` may be called again to go on."""

    def __init__(
        self,
        recipe: Recipe,
        method: Method,
        data: PictureSet,
        run: RunDir,
        fabric: Fabric,
        reporter: Reporter,
        preview: Preview,
    ) -> None:
        self.recipe, self.method, self.data, self.run = recipe, method, data, run
        self.fabric, self.reporter, self.preview = fabric, reporter, preview
        self.team = Team.of(fabric)
        self.step = 0
        self.total = total_steps(recipe, data.count)
        self.best = Best()
        self.meter, self.health = Meter(self.team.average), Meter(self.team.average)
        channels_last = recipe.training.channels_last
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        for name, network in method.networks.items():
            if channels_last:
                lay_out_channels_last(network, fabric.device)
            if self.team.size > 1:
                join_batch_norm(network)
            method.networks[name] = fabric.setup_module(network)
            self.team.equalise(network)
        self.encoders = Encoders(method, recipe.optimiser)
        self.optimisers: dict[str, Any] = {
            phase.optimiser: fabric.setup_optimizers(self._optimiser(phase))
            for phase in {phase.optimiser: phase for phase in method.phases}.values()
        }
        self.ema = (
            {name: Ema(_bare(method.networks[name]), recipe.training.ema) for name in method.exports.values()}
            if recipe.training.ema
            else {}
        )
        self._stop = False
        self._shown = ""

    def shipped(self) -> dict[str, nn.Module]:
        """The networks that are validated and exported, by suffix: the moving averages where there are any."""
        return {
            suffix: self.ema[name].network if self.ema else _bare(self.method.networks[name])
            for suffix, name in self.method.exports.items()
        }

    def resume(self) -> None:
        """Go on from the last checkpoint of the run folder.

        Raises:
            CheckpointError: It is damaged or does not fit.
            RunError: The run was trained with another number of processes.
        """
        content = self.team.from_main(self._load)
        try:
            self.step = content["step"]
            for name, state in content["networks"].items():
                _bare(self.method.networks[name]).load_state_dict(state)
            for name, state in content["optimisers"].items():
                self.optimisers[name].load_state_dict(state)
            for name, state in content["ema"].items():
                self.ema[name].network.load_state_dict(state)
            self.method.remember(content["method"])
            self.meter.restore(content["meter"])
            self.health.restore(content.get("health", {"sums": {}, "counts": {}}))  # absent in older checkpoints
            self.best = Best(**content["best"])
            self._journal_length = content["journal_length"]
            random = [content["random"], *content.get("other_random", [])][self.team.rank]
            torch.set_rng_state(random["cpu"])
            if random["cuda"] is not None and self.fabric.device.type == "cuda":
                torch.cuda.set_rng_state(random["cuda"], self.fabric.device)
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(f"{self.run.last}: does not fit this recipe ({reason}); start a new run") from None

    _journal_length = 0

    def _load(self) -> dict[str, Any]:
        content = load_checkpoint(self.run.last)
        before = 1 + len(content.get("other_random", []))
        if before != self.team.size:
            raise RunError(
                f"{self.run.last}: the run was trained with {before} processes, {self.team.size} now; "
                f"go on with {before}, or start a new run"
            )
        return content

    def fit(self, notes: Sequence[str] = (), started: Sequence[str] = ()) -> bool:
        """Train to the end of the recipe.

        Args:
            notes: Sentences that a new run keeps in its journal.
            started: Those of them that say what the networks started from, which a run that goes on cannot see.

        Returns:
            True at the end; False after Ctrl-C or a request to terminate, with the step finished and saved.

        Raises:
            NonFiniteLossError: Training diverged; the last checkpoint lies before it.
            OutputError: A file cannot be written; the last checkpoint still stands.
        """
        training = self.recipe.training
        panels = sample_steps(self.recipe, self.data.count)
        self.journal = Journal(
            self.run.events if self.team.main else Path(os.devnull),
            length=self._journal_length,
            tensorboard=self.run.tensorboard if training.tensorboard and self.team.main else None,
            step=self.step,
        )
        with stopping_gently(self._stop_gently):
            try:
                if self.step == 0:
                    for note in notes:
                        self.journal.write("note", 0, text=note, **({"started": True} if note in started else {}))
                    self.journal.write(
                        "start", 0, time=time.time(), recipe=self.recipe.name, device=str(self.fabric.device)
                    )
                self._modes()
                self.reporter.begin("training, step", self.total, self.step)
                self._clock, self._clock_step = time.monotonic(), self.step
                stop = False
                while self.step < self.total and not stop:
                    self.train_step()
                    step, end = self.step, self.step == self.total
                    if step % training.log_every == 0:
                        self._log()
                    elif step % _CHECK_EVERY == 0:
                        self._flush()
                    self.reporter.update(step, self.total, self._shown)
                    if step in panels or (training.sample_every and step % training.sample_every == 0):
                        self._sample()
                    if step % training.validate_every == 0 or end:
                        self._validate()
                    if end:
                        self.journal.write("end", step, time=time.time())
                    stop = self.team.any(self._stop)
                    if step % training.checkpoint_every == 0 or end or stop:
                        self.save()
            except NonFiniteLossError as error:
                self.journal.write("diverged", self.step, text=str(error))
                raise
            except (MemoryError, torch.OutOfMemoryError) as error:
                raise self._out_of_memory() from error
            except RuntimeError as error:
                if "can't allocate memory" in str(error):  # torch has no class for a full host memory
                    raise self._out_of_memory() from error
                raise
            finally:
                self.journal.close()
                self.reporter.end()
        return self.step == self.total

    def train_step(self) -> None:
        """One batch through all phases that are due."""
        self.encoders.hold(self.step)
        wanted = self.step, self.fabric.device, self.team.share
        source, target, *others = (
            part.contiguous(memory_format=self.memory_format) if part.ndim == 4 else part  # a class has no layout
            for part in self.data.batch(*wanted)
        )
        epoch = self.step / steps_per_epoch(self.recipe, self.data.count)
        hints, subject = others[0] if others else None, self.data.subjects_of(*wanted)
        batch = Batch(source, target, self.step, epoch, hints, subject)
        factor = rate_factor(self.recipe, self.step, self.data.count)
        with self.fabric.autocast():
            out = self.method.forward(batch)
        gradients: dict[str, torch.Tensor] = {}
        for phase in self.method.phases:
            if self.step % phase.every:
                continue
            optimiser = self.optimisers[phase.optimiser]
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * factor
            with _trainable_only(self.method, phase, self.encoders.frozen(self.step)):
                with self.fabric.autocast():
                    terms = self.method.loss(phase.name, batch, out)
                if not terms:
                    continue
                self.fabric.backward(torch.stack(list(terms.values())).sum())
            self.team.average_gradients(optimiser)
            if (self.step + 1) % self.recipe.training.log_every == 0:
                gradients[f"{phase.rate[0]}/gradient"] = gradient_norm(optimiser)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            self.meter.add(self.step + 1, terms)
        self.step += 1
        self.health.add(self.step, {**self.method.take_health(), **gradients})
        for name, average in self.ema.items():
            average.update(_bare(self.method.networks[name]), self.step)

    def save(self) -> None:
        """Write `last.pt`: everything that `resume` needs."""
        self._require_finite()
        meter, health = self.meter.state(), self.health.state()
        self.journal.write("checkpoint", self.step)
        cuda = torch.cuda.get_rng_state(self.fabric.device) if self.fabric.device.type == "cuda" else None
        random, *other_random = self.team.collect({"cpu": torch.get_rng_state(), "cuda": cuda})
        if not self.team.main:
            return
        save_checkpoint(
            self.run.last,
            {
                "step": self.step,
                "networks": {name: _bare(network).state_dict() for name, network in self.method.networks.items()},
                "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
                "ema": {name: average.network.state_dict() for name, average in self.ema.items()},
                "method": self.method.memory(),
                "meter": meter,
                "health": health,
                "best": {"step": self.best.step, "score": self.best.score},
                "journal_length": self.journal.length,
                "random": random,
                "other_random": other_random,
            },
        )

    def _flush(self) -> None:
        self.meter.flush()
        self.health.flush()

    def _require_finite(self) -> None:
        """Refuse to go on with a diverged run; called before anything is drawn, scored or saved."""
        self._flush()
        for name, network in self.method.networks.items():
            values = (value for value in network.state_dict().values() if value.is_floating_point())
            if not all(torch.isfinite(value).all() for value in values):
                raise NonFiniteLossError(
                    f"step {self.step}: weights of the {name} are not finite; training has diverged: lower optimiser.lr"
                )

    def _out_of_memory(self) -> OutOfMemoryError:
        return OutOfMemoryError(
            f"step {self.step + 1}: out of memory on {self.fabric.device}; lower training.batch_size, data.size or "
            "generator.filters"
        )

    def _log(self) -> None:
        terms, health = self.meter.take_means(), self.health.take_means()
        now = time.monotonic()
        rate = (self.step - self._clock_step) * self.recipe.training.batch_size / max(now - self._clock, 1e-9)
        self._clock, self._clock_step = now, self.step
        epoch = self.step / steps_per_epoch(self.recipe, self.data.count)
        lr = self.recipe.optimiser.lr * rate_factor(self.recipe, self.step - 1, self.data.count)
        self.journal.write(
            "log",
            self.step,
            images_seen=self.images_seen,
            epoch=round(epoch, 4),
            lr=lr,
            terms=terms,
            health=health,
            time=time.time(),
            images_per_second=round(rate, 3),
        )
        watched = {f"health/{name}": value for name, value in health.items()}
        self.journal.scalars(self.step, {**terms, **watched, "lr": lr, "images_per_second": rate})
        self._shown = ", ".join([f"{rate:.1f} images/s", *(f"{name} {value:.3g}" for name, value in terms.items())])

    @property
    def images_seen(self) -> int:
        """Training samples so far."""
        return self.step * self.recipe.training.batch_size

    def _sample(self) -> None:
        self._require_finite()
        for file in self.preview.draw(self.shipped(), self.step):
            self.journal.write("sample", self.step, file=file)
        self._restart_clock()

    def _validate(self) -> None:
        self._require_finite()
        scores = self.preview.validate(self.shipped(), self.step)
        if scores is None:
            return
        best_by = self.recipe.best_by
        better = False
        if best_by != "last":
            score = -scores[best_by] if best_by == "ciede2000" else scores[best_by]
            better = self.best.score is None or score > self.best.score
            if better:
                self.best = Best(self.step, score)
                networks = {suffix: network.state_dict() for suffix, network in self.shipped().items()}
                save_checkpoint(self.run.best, {"step": self.step, "networks": networks})
        self.journal.write("validation", self.step, scores=scores, best=better, time=time.time())
        self.journal.scalars(self.step, {f"validation/{name}": value for name, value in scores.items()})
        self._restart_clock()

    def _restart_clock(self) -> None:
        """Keep the time of pictures and scores out of the training rate."""
        self._modes()
        self._clock, self._clock_step = time.monotonic(), self.step

    def _modes(self) -> None:
        for network in self.method.networks.values():
            network.train()

    def _optimiser(self, phase: Phase) -> torch.optim.Optimizer:
        spec, device = self.recipe.optimiser, self.fabric.device
        rate = (spec.discriminator_lr or spec.lr) if phase.rate == "discriminator" else spec.lr
        networks = [self.method.networks[name] for name in phase.networks]
        groups = [
            {"params": parameters, "lr": lr, "initial_lr": lr}
            for parameters, lr in self.encoders.groups(networks, rate)
        ]
        settings: dict[str, Any] = {"betas": spec.betas, "eps": spec.eps, "fused": device.type in ("cpu", "cuda")}
        if spec.weight_decay:
            return torch.optim.AdamW(groups, weight_decay=spec.weight_decay, **settings)
        return torch.optim.Adam(groups, **settings)

    def _stop_gently(self) -> None:
        self._stop = True
        self.reporter.line("stopping after this step, and saving")


def _bare(network: nn.Module) -> nn.Module:
    """The network itself, without what Fabric wraps it in."""
    return getattr(network, "module", network)


@contextmanager
def _trainable_only(method: Method, phase: Phase, frozen: Sequence[nn.Module]) -> Iterator[None]:
    """Let gradients reach the phase's networks but for frozen parts, which also spares computing the others."""
    for name, network in method.networks.items():
        network.requires_grad_(name in phase.networks)
    for part in frozen:
        part.requires_grad_(False)
    try:
        yield
    finally:
        method.networks.requires_grad_(True)
