"""Training a recipe in a run folder, from nothing or from where it stopped; `train` is the whole of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import torch
from lightning_fabric import Fabric

from tintype.console import Reporter
from tintype.data.dataset import PictureSet, open_data
from tintype.errors import DataError, RecipeMismatchError, UsageError
from tintype.methods import Method, build_method
from tintype.recipe import Recipe, load_recipe
from tintype.training.machine import keep_memory
from tintype.training.outcome import conclude
from tintype.training.preview import build_preview
from tintype.training.rundir import RunDir
from tintype.training.schedule import idle_settings, schedule_notes, total_steps
from tintype.training.start import start_from
from tintype.training.trainer import Trainer

__all__ = ["train"]


def train(
    recipe: str | Path | Recipe, out: str | Path, overrides: Iterable[str] = (), *, reporter: Reporter | None = None
) -> bool:
    """Train a recipe; called again with the same recipe and folder it goes on exactly where it stopped.

    At the end the run folder holds the model in both formats and its scores on the test pictures.

    Args:
        recipe: Name of a built-in recipe, a YAML file or a recipe.
        out: The run folder; made if need be.
        overrides: `section.field=value` strings.
        reporter: Where progress goes; default: standard error.

    Returns:
        True if the run reached its end, False if it was interrupted and saved.

    Raises:
        RecipeError: The recipe is malformed.
        DataError: Its pictures cannot be used, or are not those that the run began with.
        RunError: The folder holds another run, or something else.
        OutputError: Something cannot be written.
        NonFiniteLossError: Training diverged; the last checkpoint lies before it.
        OutOfMemoryError: The device's memory is too small.
    """
    resolved = load_recipe(recipe, overrides)
    run = RunDir(out)
    with reporter or Reporter() as say:
        old = run.check(resolved)
        say.begin("reading pictures", None)
        data = open_data(resolved, progress=say.update)
        say.end()
        if old is not None and total_steps(resolved, data.count) < total_steps(old, data.count):
            raise RecipeMismatchError(
                f"{run.root}: is a run of {total_steps(old, data.count)} steps, "
                f"{total_steps(resolved, data.count)} asked; a run can be made longer, not shorter"
            )
        keep_memory()
        fabric = make_fabric(resolved)
        torch.manual_seed(resolved.training.seed)
        method = build_method(resolved)
        started = [] if run.last.exists() else start_from(method, resolved)
        run.make()  # only now: what is refused until here leaves nothing behind
        with run.locked():
            run.remove_unfinished()
            _keep_split(run, data, new=old is None)
            run.write_recipe(resolved)
            return _train(resolved, method, data, run, fabric, say, started)


def _train(
    recipe: Recipe, method: Method, data: PictureSet, run: RunDir, fabric: Fabric, say: Reporter, started: list[str]
) -> bool:
    run.write_environment(str(fabric.device), torch.get_num_threads())
    counts = ", ".join(f"{len(getattr(data.split, part))} {part}" for part in ("train", "validation", "test"))
    say.line(f"{recipe.name}: {counts} pictures; {total_steps(recipe, data.count)} steps on {fabric.device}")
    notes = [f"{name}: left out, {reason}" for name, reason in data.cache.unreadable]
    notes += [
        *started,
        *data.cache.notes,
        *data.split.notes,
        *idle_settings(recipe),
        *schedule_notes(recipe, data.count),
    ]
    for note in notes:
        say.line(f"note: {note}")

    trainer = Trainer(recipe, method, data, run, fabric, say, build_preview(recipe, data, run, fabric.device))
    if run.last.exists():
        trainer.resume()
        say.line(f"going on from step {trainer.step}")
    if not trainer.fit(notes):
        say.line(f"stopped at step {trainer.step} of {trainer.total}, saved; the same command goes on from here")
        return False
    conclude(trainer, notes)
    return True


def _keep_split(run: RunDir, data: PictureSet, new: bool) -> None:
    """Write the split into a new run; refuse to go on with other pictures than the run began with."""
    recorded = None if new else run.read_split()
    if recorded is None:
        files = zip(data.cache.items, data.cache.fingerprints, strict=True)
        run.write_split(data.split, {item.name: fingerprint.sha256 for item, fingerprint in files})
    elif recorded[0].digest != data.split.digest:
        raise DataError(
            f"{data.recipe.data.path}: the pictures changed since {run.root} began "
            f"(split {recorded[0].digest} then, {data.split.digest} now); restore them or train into a new --out"
        )


def make_fabric(recipe: Recipe) -> Fabric:
    """Device and precision that the recipe asks for.

    Raises:
        UsageError: The device is not there.
    """
    wanted = recipe.training.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UsageError("training.device=cuda, but torch finds no CUDA device; use training.device=auto or cpu")
    if wanted == "mps" and not torch.backends.mps.is_available():
        raise UsageError("training.device=mps, but torch finds no such device; use training.device=auto or cpu")
    precision: Literal["bf16-mixed", "32-true"] = "bf16-mixed" if recipe.training.precision == "bf16" else "32-true"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice about launchers and devices that were not asked for
        return Fabric(accelerator=wanted, devices=1, precision=precision)
