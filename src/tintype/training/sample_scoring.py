"""Scores of generators from noise: as many samples as there are test pictures, held against these by their features.

At the end of a run, and in `tintype evaluate`, from model files alone; what the discriminator says takes a checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
import torch
from torch import nn

from tintype import losses
from tintype.data.dataset import PictureSet
from tintype.errors import CheckpointError, DataError
from tintype.image.codec import build_codec
from tintype.inference.modelfile import ModelCard
from tintype.inference.sampling import Sampler
from tintype.inference.torch_runtime import evaluating
from tintype.metrics.classifier import ClassifierFeatures
from tintype.metrics.features import FeatureName, open_features
from tintype.metrics.motion import MotionRow, motion_row, stills, stopped
from tintype.metrics.sample_tables import SampleScores
from tintype.metrics.samples import (
    Described,
    DiscriminatorFigures,
    SampleRow,
    discriminator_figures,
    nearest_distances,
    sample_row,
)
from tintype.networks import build_discriminator
from tintype.recipe.schema import Recipe
from tintype.training.checkpoint import load_checkpoint
from tintype.training.journal import read_events
from tintype.training.rundir import RunDir
from tintype.training.schedule import steps_per_epoch

FEWEST = 4
"""Test pictures that take part in a score at least."""

_JUDGED = 10_000
"""Real pictures, and as many generated ones, that figures are measured on at most."""

_JUDGED_CLIPS = 2_000
"""The same of clips, which are larger."""

_COMPARED = 2_000
"""Of these, how many are compared with all training pictures."""

_REMEMBERED = 60_000 * 28 * 28
"""Values of training pictures that are compared with at most; of larger sets as many pictures as that makes."""

_LAST_EPOCHS = 5
"""Over which the accuracy of the discriminator in training is averaged."""

HALVES = (
    "The training pictures are not at hand: every second picture is the real one that samples are held beside, and "
    "nothing is said of nearest training pictures."
)


def single_pictures(recipe: Recipe, made: np.ndarray) -> np.ndarray:
    """What a classifier is shown, `n h w c`: of clips `n h w t` one frame each, cut out around what moves."""
    return made if recipe.frames == 1 else stills(made, recipe.data.window)


@final
class SampleJudging:
    """Real pictures of a part of a set, and samples of models that are held against them.

    Args:
        data: The set.
        part: train, validation or test.
        training: What the model learnt from; None: half of the pictures stand for it where real ones are needed.
        features: The network that judges; default: as the recipe says.

    Raises:
        DataError: There are too few pictures.
        InputError: Weights of the network are not there and cannot be fetched.
    """

    def __init__(
        self, data: PictureSet, part: str, training: PictureSet | None, features: FeatureName | None = None
    ) -> None:
        recipe = data.recipe
        name: FeatureName = features or recipe.evaluation.features
        self._data, self._part, self._whole = data, part, training is not None
        self._network, self._knows = open_features(name), name == recipe.evaluation.features == "fashion"
        share, most = 1 if training else 2, _JUDGED if recipe.frames == 1 else _JUDGED_CLIPS
        needed, found = share * FEWEST, len(getattr(data.split, part))
        if found < needed:
            raise DataError(f"{recipe.data.path}: {found} pictures are too few to judge by, {needed} are needed")
        pictures, labels = data.stack(part, share * most)
        half = slice(0, len(pictures) // share * share, share)
        self.whole, self.test_labels = pictures[half], labels[half]
        # Of clips, single pictures are judged as those of other models are, and their motion beside that.
        self._test = single_pictures(recipe, self.whole)
        self._remembered: np.ndarray | None = None
        if training is None:
            self._real, numbers, classes = single_pictures(recipe, pictures[1::2]), labels[1::2], data.classes
        else:
            known, numbers = training.stack("train", max(self.count, _REMEMBERED // self.whole[0].size))
            self._remembered = single_pictures(recipe, known)
            every = np.linspace(0, len(numbers) - 1, min(self.count, len(numbers))).astype(int)
            self._real, numbers, classes = self._remembered[every], numbers[every], training.classes
        self._real_labels = numbers if classes else None

    @property
    def count(self) -> int:
        """Test pictures, and samples of each model."""
        return len(self.whole)

    def rows(
        self, samplers: Mapping[str, Sampler]
    ) -> tuple[list[SampleRow], list[MotionRow], tuple[np.ndarray, np.ndarray] | None]:
        """A row for each model, that of real pictures behind the first one; the same of motion where there are clips.

        Returns:
            The rows of both, those of motion with real clips that stand still too, and, where the training pictures are
            at hand, some samples of the first model with the training picture nearest to each, `n h w c` each.
        """
        recipe = self._data.recipe
        test_far, _ = self._nearest(self._test)
        test = self._described(self._test, None, test_far)
        rows: list[SampleRow] = []
        motion: list[MotionRow] = []
        shown = None
        for name, sampler in samplers.items():
            whole = sampler(self.count)
            made = single_pictures(recipe, whole)
            if recipe.frames > 1:
                motion.append(motion_row(name, whole, recipe.data.window))
            far, nearest = self._nearest(made)
            asked = sampler.labels(self.count) if sampler.classes else None
            rows.append(sample_row(name, self._described(made, asked, far), test))
            if len(rows) == 1:
                if self._remembered is not None and nearest is not None:
                    shown = made[: len(nearest)], self._remembered[nearest]
                # How near test pictures are to training pictures is what a model's distances are to be held against.
                rows.append(sample_row("real", self._described(self._real, self._real_labels, test_far), test))
                if recipe.frames > 1:
                    named = {"real": self.whole, "still": stopped(self.whole)}
                    motion += [motion_row(name, clips, recipe.data.window) for name, clips in named.items()]
        return rows, motion, shown

    def scores(
        self,
        rows: list[SampleRow],
        motion: list[MotionRow],
        judged: tuple[DiscriminatorFigures, dict[str, float]] | None,
        notes: list[str],
        split_name: str = "",
    ) -> SampleScores:
        """Rows, and what the discriminator says, with all that a reader must know of them."""
        data = self._data
        protocol: dict[str, Any] = {
            "size": data.recipe.data.size,
            "split": split_name or self._part,
            "split_digest": data.split.digest,
            "features": self._network.protocol,
            "samples": "of seed 0",
        }
        if not self._whole:
            notes = [*notes, HALVES]
        classes = self._network.classes if self._knows and isinstance(self._network, ClassifierFeatures) else 0
        figures, in_training = judged or (None, {})
        return SampleScores(
            protocol, self.count, tuple(rows), tuple(motion), figures, in_training, classes, tuple(notes)
        )

    def _nearest(self, pictures: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
        if self._remembered is None:
            return None, None
        return nearest_distances(pictures[:_COMPARED], self._remembered)

    def _described(self, pictures: np.ndarray, labels: np.ndarray | None, far: np.ndarray | None) -> Described:
        if isinstance(self._network, ClassifierFeatures):
            features, logits = self._network.describe(pictures)
            return Described(features, logits, labels, far) if self._knows else Described(features, None, None, far)
        return Described(self._network(np.broadcast_to(pictures, (*pictures.shape[:3], 3))), None, None, far)


def judge_discriminator(
    network: nn.Module, recipe: Recipe, sampler: Sampler, judging: SampleJudging
) -> DiscriminatorFigures:
    """What a discriminator says of real and generated pictures, in model space as it was trained on them."""
    method = recipe.method
    assert method.kind == "gan"
    codec, device, count = build_codec(recipe), next(network.parameters()).device, judging.count
    real = codec.encode_target(np.ascontiguousarray(judging.whole.transpose(0, 3, 1, 2)))
    called, lost = [], []
    border = losses.border(method.adversarial)
    for pictures, labels, loss in (
        (real, judging.test_labels, losses.real_loss),
        (sampler.outputs(count), sampler.labels(count), losses.fake_loss),
    ):
        logits = []
        with evaluating(network), torch.inference_mode():
            for start in range(0, len(pictures), 256):
                here = slice(start, start + 256)
                x = torch.from_numpy(np.ascontiguousarray(pictures[here], dtype=np.float32)).to(device)
                told = (torch.from_numpy(labels[here]).to(device),) if method.labels == "projection" else ()
                judged = network(x, *told).float()
                logits.append(judged[:, 0] if judged.ndim == 2 else judged.mean(dim=(1, 2, 3)))  # of patches
        whole = torch.cat(logits)
        called.append((whole > border).cpu().numpy())
        lost.append(float(loss(whole, method.adversarial)))
    return discriminator_figures(called[0], called[1], lost[0], lost[1])


def accuracy_in_training(run: RunDir, recipe: Recipe, pictures: int, last: int) -> dict[str, float]:
    """The discriminator's accuracy on what it was trained on, `real` and `fake`: mean over the epochs up to a step.

    Args:
        run: Whose journal says it.
        recipe: Of the run.
        pictures: Training pictures.
        last: The step.
    """
    start = last - _LAST_EPOCHS * steps_per_epoch(recipe, pictures)
    logged = [one for one in read_events(run.events) if one["event"] == "log" and start < one["step"] <= last]
    found = {}
    for kind in ("real", "fake"):
        values = [one["health"][f"d/accuracy_{kind}"] for one in logged if f"d/accuracy_{kind}" in one["health"]]
        if values:
            found[kind] = float(np.mean(values))
    return found


def discriminator_of(run: RunDir, card: ModelCard) -> nn.Module | None:
    """The discriminator beside which a run's model was trained to its step; None where it is not at hand."""
    try:
        content = load_checkpoint(run.last)
        if content["step"] != card.step:
            return None
        network = build_discriminator(card.recipe, build_codec(card.recipe).target_channels)
        network.load_state_dict(content["networks"]["discriminator"])
    except (CheckpointError, KeyError, RuntimeError):
        return None
    return network
