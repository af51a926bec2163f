"""What the run of a generator from noise shows of itself while it trains: KID, and grids of samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from tintype.data.dataset import PictureSet
from tintype.image.file import write_image
from tintype.inference.sampling import Sampler, sample_grid, strips
from tintype.inference.torch_runtime import TorchRuntime
from tintype.metrics.classifier import open_classifier
from tintype.metrics.distribution import kid
from tintype.recipe.schema import Recipe
from tintype.training.cards import make_card
from tintype.training.rundir import RunDir
from tintype.training.sample_scoring import single_pictures

_WATCHED = 2_000
"""Validation pictures, and as many generated ones, of which KID is taken during training."""

_SHOWN, _SHOWN_OF_CLASS = 64, 8
"""Pictures in a grid, or in each row where there are classes."""

_CLIPS, _CLIPS_OF_CLASS = 16, 2
"""Clips likewise, each a strip of its frames."""


class SampledPreview:
    """KID of samples to validation pictures, how often they are of their class, and grids of them."""

    def __init__(self, recipe: Recipe, data: PictureSet, run: RunDir, device: torch.device) -> None:
        self.recipe, self.run, self.device, self._classes = recipe, run, device, data.classes
        self._real: np.ndarray | None = None
        if len(data.split.validation) > 1:
            pictures, _ = data.stack("validation", _WATCHED)
            self._judge = open_classifier(recipe.evaluation.features)
            self._real, _ = self._judge.describe(single_pictures(recipe, pictures))

    def validate(self, networks: dict[str, nn.Module], step: int) -> dict[str, float] | None:
        """`kid`, and `class_accuracy` where the classifier knows the classes that samples are asked for."""
        if self._real is None:
            return None
        sampler = self._sampler(networks[""], step)
        features, logits = self._judge.describe(single_pictures(self.recipe, sampler(len(self._real))))
        size = min(500, len(self._real))
        scores = {"kid": kid(features, self._real, subsets=10, subset_size=size).mean}
        if sampler.classes and self.recipe.evaluation.features == "fashion":
            told = logits.argmax(axis=1)
            scores["class_accuracy"] = float((told == sampler.labels(len(told))).mean())
        return scores

    def draw(self, networks: dict[str, nn.Module], step: int) -> list[str]:
        """A grid of the first samples of seed 0, the same noise at every step."""
        return [draw_samples(self._sampler(networks[""], step), self.run, step)]

    def _sampler(self, network: nn.Module, step: int) -> Sampler:
        card = make_card(self.recipe, network, step).model_copy(
            update={"classes": told_classes(self.recipe, self._classes)}
        )
        return Sampler.from_runtime(TorchRuntime(network, self.device), card)


def draw_samples(sampler: Sampler, run: RunDir, step: int) -> str:
    """Write a grid of samples into a run folder; returns its path there."""
    many, of_class = (_SHOWN, _SHOWN_OF_CLASS) if sampler.frames == 1 else (_CLIPS, _CLIPS_OF_CLASS)
    made = sampler(of_class * len(sampler.classes) if sampler.classes else many)
    path = run.samples / f"step-{step:06d}.png"
    write_image(path, sample_grid(made if sampler.frames == 1 else strips(made), sampler.classes))
    return path.relative_to(run.root).as_posix()


def told_classes(recipe: Recipe, classes: Sequence[str]) -> tuple[str, ...]:
    """Names of the classes that the generator is told; none where it is told none."""
    return tuple(classes) if "label" in recipe.inputs else ()
