"""Opening what `method.teacher` names for a training, and setting its scores beside those of the student."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch

from tintype.errors import ModelFileError, RecipeError
from tintype.inference.bundled import model_path
from tintype.inference.modelfile import ModelCard
from tintype.inference.torch_runtime import load_network
from tintype.inference.translator import Translator
from tintype.methods.summary import summarise
from tintype.methods.teacher import Teacher
from tintype.recipe import Recipe
from tintype.training.held_out import trained_on
from tintype.training.machine import lay_out_channels_last
from tintype.training.rundir import RunDir

ROW = "teacher"
"""What its row is called in a table of scores."""


def open_teacher(recipe: Recipe, device: torch.device) -> Teacher | None:
    """The teacher of a recipe on the device of the training; None: it has none.

    Raises:
        ModelFileError: There is no such model, or it is damaged.
        RecipeError: It makes something else of other pictures than the student.
        UsageError: No bundled model is called so.
    """
    path = teacher_path(recipe)
    if path is None:
        return None
    network, card = load_network(path)
    _require_same_task(recipe, card, path)
    network = network.eval().requires_grad_(False).to(device)
    if recipe.training.channels_last:
        lay_out_channels_last(network, device)
    return Teacher(network, _sha256(path))


def teacher_path(recipe: Recipe) -> Path | None:
    """The file that `method.teacher` stands for; None: the method has no teacher.

    Raises:
        ModelFileError: There is none.
        UsageError: No bundled model is called so.
    """
    given = getattr(recipe.method, "teacher", "")
    if not given:
        return None
    path = model_path(given, ".safetensors").expanduser()
    file = path / "model.safetensors" if path.is_dir() else path
    if file.suffix != ".safetensors" or not file.is_file():
        raise ModelFileError(
            f"{path}: is no teacher; method.teacher takes a finished run of one direction, a .safetensors "
            "file or bundled"
        )
    return file


def _require_same_task(recipe: Recipe, card: ModelCard, path: Path) -> None:
    theirs = card.recipe
    for field, ours, others in (
        ("codec", recipe.codec.model_dump(), theirs.codec.model_dump()),
        ("data.size", recipe.data.size, theirs.data.size),
        ("its inputs", ", ".join(recipe.inputs), ", ".join(card.inputs)),
    ):
        if ours != others:
            raise RecipeError(
                f"method.teacher={path}: {field}: {others} there and {ours} here; give a teacher of the same"
            )
    if "noise" in recipe.inputs:
        raise RecipeError("method.teacher: has no meaning with generator.noise=input, where a source has many results")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@final
@dataclass(frozen=True, slots=True)
class TeacherBeside:
    """A teacher at the end of a training.

    Attributes:
        translator: To judge it on the pictures that the student is judged on.
        record: What the scores say of it.
        notes: Sentences for those who read the scores.
    """

    translator: Translator
    record: dict[str, Any]
    notes: tuple[str, ...]


def teacher_beside(recipe: Recipe, judged: set[str]) -> TeacherBeside | None:
    """The teacher of a recipe beside its student; None: it has none.

    Args:
        recipe: Of the student.
        judged: Content hashes of the pictures that both are judged on.
    """
    path = teacher_path(recipe)
    if path is None:
        return None
    translator = Translator(path)
    student, teacher = _macs(recipe), _macs(translator.card.recipe)
    notes = [
        f"The student takes {student / teacher:.0%} of its teacher's multiply-adds ({student / 1e6:,.0f} M of "
        f"{teacher / 1e6:,.0f} M for a picture)."
    ]
    seen = trained_on(RunDir(path.parent))
    if seen is None:
        notes.append("The teacher does not list its training pictures; scores on any of those would flatter it.")
    elif common := len(seen & judged):
        notes.append(f"The teacher has seen {common} of these {len(judged)} pictures, which flatters it.")
    record = {
        "file": path.name,
        "sha256": _sha256(path),
        "recipe": translator.card.recipe.name,
        "step": translator.card.step,
        "macs": teacher,
        "macs_of_student": student,
        "ratio": student / teacher,
    }
    return TeacherBeside(translator, record, tuple(notes))


def _macs(recipe: Recipe) -> int:
    """Multiplications with addition that a generator carries out for a picture of the recipe's size."""
    return next(one.macs for one in summarise(recipe) if one.name == "generator")
