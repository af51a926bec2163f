"""Training a recipe in a run folder, from nothing or from where it stopped; `train` is the whole of it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

import torch
from lightning_fabric import Fabric

from tintype.console import Reporter
from tintype.data.dataset import PictureSet, open_data
from tintype.errors import DataError, RecipeMismatchError
from tintype.methods import Method, Pix2Pix, Regression, build_method
from tintype.recipe import Recipe, load_recipe
from tintype.training.backbones import with_architecture
from tintype.training.held_out import combined_digest
from tintype.training.journal import read_started
from tintype.training.machine import keep_memory
from tintype.training.outcome import conclude
from tintype.training.preview import NoPreview, build_preview
from tintype.training.processes import Team, is_main, make_fabric
from tintype.training.rundir import RunDir
from tintype.training.schedule import idle_settings, schedule_notes, total_steps
from tintype.training.start import start_from
from tintype.training.teacher import open_teacher
from tintype.training.trainer import Trainer

__all__ = ["make_fabric", "train"]


def train(
    recipe: str | Path | Recipe, out: str | Path, overrides: Iterable[str] = (), *, reporter: Reporter | None = None
) -> bool:
    """Train a recipe; called again with the same recipe and folder it goes on exactly where it stopped.

    At the end the run folder holds the model in both formats and its scores on the test pictures. Where torchrun
    started several processes, each calls this, and they train together; the one of rank 0 alone writes and talks.

    Args:
        recipe: Name of a built-in recipe, a YAML file or a recipe.
        out: The run folder; made if need be.
        overrides: `section.field=value` strings.
        reporter: Where progress goes; default: standard error.

    Returns:
        True if the run reached its end, False if it was interrupted and saved.

    Raises:
        RecipeError: The recipe is malformed, or the teacher has another task.
        ModelFileError: There is no such teacher, or nothing to start from.
        DataError: Its pictures cannot be used, or are not those that the run began with.
        RunError: The folder holds another run, or something else.
        OutputError: Something cannot be written.
        InputError: The published weights of an encoder are not at hand and cannot be fetched.
        NonFiniteLossError: Training diverged; the last checkpoint lies before it.
        OutOfMemoryError: The device's memory is too small.
        LostProcessError: Another process that trains with this one has ended.
    """
    resolved = load_recipe(recipe, overrides)
    run = RunDir(out)
    resolved = with_architecture(resolved, run)
    with reporter if reporter and is_main() else Reporter(quiet=not is_main()) as say:
        old = run.check(resolved) if is_main() else None
        fabric = make_fabric(resolved)
        team = Team.of(fabric)
        say.begin("reading pictures", None)
        data = team.one_a_host_first(lambda: open_data(resolved, progress=say.update))
        say.end()
        named = combined_digest(f"{name} {content}" for name, content in data.files().items()) if data.subjects else ""
        seen = {"set of pictures": data.split.digest, "naming of the pictures": named}
        team.require_equal({"recipe": _without_paths(resolved).digest, **seen})
        if old is not None and total_steps(resolved, data.count) < total_steps(old, data.count):
            raise RecipeMismatchError(
                f"{run.root}: is a run of {total_steps(old, data.count)} steps, "
                f"{total_steps(resolved, data.count)} asked; a run can be made longer, not shorter"
            )
        keep_memory()
        teacher = open_teacher(resolved, fabric.device)
        torch.manual_seed(resolved.training.seed)
        method = build_method(resolved, team if team.size > 1 else None)
        if isinstance(method, Pix2Pix | Regression):
            method.teacher = teacher
        started: list[str] = []
        if team.main:
            started = read_started(run.events) if run.last.exists() else start_from(method, resolved)
        if not team.main:
            torch.manual_seed(resolved.training.seed + team.rank)  # dropout differs from share to share of a batch
        if team.main:
            run.make()  # only now: what is refused until here leaves nothing behind
        with run.locked() if team.main else nullcontext():
            if team.main:
                run.remove_unfinished()
                _keep_split(run, data, new=old is None)
                run.write_recipe(resolved)
                run.write_environment(str(fabric.device), torch.get_num_threads(), team.size)
            return _train(resolved, method, data, run, fabric, say, started)


def _train(
    recipe: Recipe, method: Method, data: PictureSet, run: RunDir, fabric: Fabric, say: Reporter, started: list[str]
) -> bool:
    team = Team.of(fabric)
    counts = ", ".join(f"{len(getattr(data.split, part))} {part}" for part in ("train", "validation", "test"))
    counts += f" and {len(data.split.more)} more" if data.split.more else ""
    where = str(fabric.device) if team.size == 1 else f"{team.size} processes, this one on {fabric.device}"
    say.line(f"{recipe.name}: {counts} pictures; {total_steps(recipe, data.count)} steps on {where}")
    caches = [data.cache, *([] if data.more is None else [data.more])]
    notes = [f"{name}: left out, {reason}" for cache in caches for name, reason in cache.unreadable]
    notes += [
        *started,
        *(note for cache in caches for note in cache.notes),
        *data.split.notes,
        *idle_settings(recipe),
        *schedule_notes(recipe, data.count),
    ]
    for note in notes:
        say.line(f"note: {note}")

    preview = build_preview(recipe, data, run, fabric.device) if team.main else NoPreview()
    trainer = Trainer(recipe, method, data, run, fabric, say, preview)
    if team.from_main(run.last.exists):
        trainer.resume()
        say.line(f"going on from step {trainer.step}")
    finished = trainer.fit(notes, started)
    team.leave()  # what remains is the work of one
    if not finished:
        say.line(f"stopped at step {trainer.step} of {trainer.total}, saved; the same command goes on from here")
        return False
    if team.main:
        conclude(trainer, notes)
    return True


def _without_paths(recipe: Recipe) -> Recipe:
    """The recipe but for where the pictures lie, which may differ from host to host."""
    paths = {field: "" for field in ("path", "path_b", "more") if hasattr(recipe.data, field)}
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=paths)})


def _keep_split(run: RunDir, data: PictureSet, new: bool) -> None:
    """Write the split into a new run; refuse to go on with other pictures than the run began with."""
    recorded = None if new else run.read_split()
    if recorded is None:
        run.write_split(data.split, data.files())
        return
    split, files = recorded
    if split.digest != data.split.digest:
        raise DataError(
            f"{data.recipe.data.path}: the pictures changed since {run.root} began "
            f"(split {split.digest} then, {data.split.digest} now); restore them or train into a new --out"
        )
    if data.subjects and files != data.files():
        raise DataError(
            f"{data.recipe.data.path}: pictures were moved or renamed since {run.root} began, and their folders "
            "say what is in them (data.subject=folder); put them back or train into a new --out"
        )
    if sorted(files[name] for name in split.more) != sorted(data.hashes("more")):
        raise DataError(
            f"data.more: the pictures changed since {run.root} began ({len(split.more)} then, {len(data.split.more)} "
            "now); restore them or train into a new --out"
        )
