"""A trained network that another learns from beside the truth (distillation, Hinton et al. 2015)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tintype.errors import RunError
from tintype.methods.method import Batch


@dataclass(frozen=True, slots=True)
class Teacher:
    """A network in evaluation mode, without gradients, and the sha256 of its file, by which a checkpoint knows it."""

    network: nn.Module
    sha256: str

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Mean absolute error of a student's output `n c h w` to what the teacher makes of the same batch."""
        with torch.no_grad():
            wanted = self.network(batch.source, **batch.told)
        return F.l1_loss(output, wanted.to(output.dtype))


def teacher_memory(teacher: Teacher | None) -> dict[str, Any]:
    """What a checkpoint keeps of a teacher: which one it is, and none of its weights."""
    return {} if teacher is None else {"teacher": teacher.sha256}


def require_teacher(memory: dict[str, Any], teacher: Teacher | None) -> None:
    """Refuse to go on with another teacher than a checkpoint was trained with.

    Raises:
        RunError: It is another one, or only one of the two has any.
    """
    before, now = memory.get("teacher"), None if teacher is None else teacher.sha256
    if before != now:
        words = [f"sha256 {one[:16]}" if one else "none" for one in (before, now)]
        raise RunError(
            f"method.teacher: the run was trained with another teacher ({words[0]}; now {words[1]}); give that one, or "
            "train into a new --out"
        )
