"""What a run shows of itself while it trains: validation scores and sample panels, through the `Translator`.

Both use a fixed set of validation pictures, held in memory. Networks come by the suffix of their file: one "" for
methods of one direction, "_ab" and "_ba" for those of two.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import nn

from tintype import __version__
from tintype.consistency import judge_consistency, reproduced
from tintype.data.dataset import Pair, PictureSet, Single
from tintype.data.source import ENDS, Domain
from tintype.image.codec import build_codec
from tintype.image.file import write_image
from tintype.image.grid import panel
from tintype.inference.classifier import Classifier
from tintype.inference.modelfile import ModelCard
from tintype.inference.torch_runtime import TorchRuntime
from tintype.inference.translator import Translator
from tintype.judging import Rivals, Task
from tintype.metrics.baselines import BaselineConstants
from tintype.metrics.classification import judge_logits
from tintype.metrics.colour import mean_chroma
from tintype.metrics.fidelity import psnr
from tintype.metrics.summary import COLOURED_THRESHOLD
from tintype.recipe.schema import BACK, Direction, Recipe
from tintype.training.rundir import RunDir

_VALIDATION_PICTURES = 64
"""At most so many are scored at each validation, evenly spaced over the set; the final scores use all."""

_VALIDATION_LABELS = 2000
"""The same for pictures that are told apart, at a small size."""
_TRAINING_PICTURES = 16
"""At most so many are scored beside them, to see where memory begins: `train_psnr`."""

_VALIDATION_CYCLES = 16
"""The same for pictures that go there and back, two large networks each."""

Networks = dict[str, nn.Module]


class Preview(Protocol):
    """Scores and draws networks during training."""

    def validate(self, networks: Networks, step: int) -> dict[str, float] | None:
        """Mean scores over validation pictures; None without any."""
        ...

    def draw(self, networks: Networks, step: int) -> list[str]:
        """Write panels; returns their paths in the run folder."""
        ...


def build_preview(recipe: Recipe, data: PictureSet, run: RunDir, device: torch.device) -> Preview:
    """The preview that fits the recipe's method."""
    match recipe.method.kind:
        case "pix2pix" | "regression":
            return PairedPreview(recipe, data, run, device)
        case "cyclegan" | "cut" | "unit":
            return UnpairedPreview(recipe, data, run, device)
        case "classifier":
            return ClassifierPreview(recipe, data, device)


class NoPreview:
    """Of the processes that leave validation and samples to another one."""

    def validate(self, networks: Networks, step: int) -> None:
        """Nothing."""

    def draw(self, networks: Networks, step: int) -> list[str]:
        """Nothing."""
        return []


class PairedPreview:
    """One direction: source, generated, truth."""

    def __init__(self, recipe: Recipe, data: PictureSet, run: RunDir, device: torch.device) -> None:
        self.recipe, self.run, self.device = recipe, run, device
        size = recipe.evaluation.size or recipe.data.size
        self._judged = _judged(recipe, list(data.pictures("validation", size, limit=_VALIDATION_PICTURES)))
        self._learnt = _judged(recipe, list(data.pictures("train", size, limit=_TRAINING_PICTURES)))
        self._samples = self._judged[: recipe.training.sample_count]

    def validate(self, networks: Networks, step: int) -> dict[str, float] | None:
        """Scores over the validation pictures (those with colour, in a task that colours)."""
        translator = _translator(self.recipe, networks[""], "ab", step, self.device)
        return paired_scores(translator, self._judged, self._learnt)

    def draw(self, networks: Networks, step: int) -> list[str]:
        """A panel of source, generated and truth."""
        if not self._samples:
            return []
        translator = _translator(self.recipe, networks[""], "ab", step, self.device)
        rows = [[pair.source, translator.predict(pair.source).render(), pair.target] for pair in self._samples]
        return [_write(self.run, f"step-{step:06d}.png", rows, ["source", f"step {step:,}", "truth"])]


class UnpairedPreview:
    """One direction or both: real and translated; both ways also reconstructed and, where channels allow it, identity.

    Truths stand beside them where there are any.
    """

    def __init__(self, recipe: Recipe, data: PictureSet, run: RunDir, device: torch.device) -> None:
        self.recipe, self.run, self.device = recipe, run, device
        size, count = recipe.evaluation.size or recipe.data.size, recipe.training.sample_count
        pairs = list(data.pictures("validation", size, limit=_VALIDATION_PICTURES))
        self._judged = _judged(recipe, pairs)
        self._learnt = _judged(recipe, list(data.pictures("train", size, limit=_TRAINING_PICTURES))) if pairs else []
        self._domains: dict[Domain, list[Single]] = {"A": [], "B": []}
        self._truths: dict[Domain, list[np.ndarray]] = {"A": [], "B": []}
        if pairs:
            self._domains["A"] = [Single(pair.name, pair.source) for pair in self._judged]
            self._domains["B"] = [Single(pair.name, pair.target) for pair in self._judged]
            self._truths["A"] = [pair.target for pair in self._judged]
            self._truths["B"] = [pair.source for pair in self._judged]
        else:
            for domain, pictures in self._domains.items():
                pictures += data.domain(domain, "validation", size, limit=max(count, _VALIDATION_CYCLES))
        self._count = count

    def validate(self, networks: Networks, step: int) -> dict[str, float] | None:
        """Cycle and identity of each direction; paired scores of A to B where pictures have partners."""
        scores: dict[str, float] = {}
        translators = self._translators(networks, step)
        for direction, translator in translators.items():
            sources, targets = (self._domains[one][:_VALIDATION_CYCLES] for one in ENDS[direction])
            if not sources and not targets:
                continue
            result = judge_consistency(translator, translators.get(BACK[direction]), sources, targets, resamples=2)
            for name, likeness in (("cycle", result.cycle), ("identity", result.identity), ("change", result.change)):
                if likeness is not None:
                    scores[f"{name}_{direction}_psnr"] = likeness.psnr.mean
        scores |= paired_scores(translators["ab"], self._judged, self._learnt) or {}
        return scores or None

    def draw(self, networks: Networks, step: int) -> list[str]:
        """A panel for each direction."""
        translators, files = self._translators(networks, step), []
        for direction, ahead in translators.items():
            (domain, other), back = ENDS[direction], translators.get(BACK[direction])
            labels = [f"{domain}, real", f"to {other}, step {step:,}", f"back to {domain}", f"{domain}, identity"]
            rows = []
            for number, single in enumerate(self._domains[domain][: self._count]):
                row = [single.picture, ahead.predict(single.picture).render()]
                if back is not None:
                    row.append(back.predict(row[1]).render())
                    if (same := reproduced(back, single.picture)) is not None:
                        row.append(same)
                rows.append([*row, *self._truths[domain][number : number + 1]])
            if rows:
                labels = labels[: len(rows[0]) - bool(self._truths[domain])]
                if self._truths[domain]:
                    labels.append("truth")
                suffix = f"_{direction}" if back is not None else ""
                files.append(_write(self.run, f"step-{step:06d}{suffix}.png", rows, labels))
        return files

    def _translators(self, networks: Networks, step: int) -> dict[Direction, Translator]:
        return {
            way: _translator(self.recipe, network, way, step, self.device)
            for way, network in zip(self.recipe.directions, networks.values(), strict=True)
        }


class ClassifierPreview:
    """How many validation pictures are told apart, beside the class that most training pictures have."""

    def __init__(self, recipe: Recipe, data: PictureSet, device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        self._judged = list(data.labelled("validation", recipe.data.size, limit=_VALIDATION_LABELS))
        self._train_counts = data.class_counts("train")

    def validate(self, networks: Networks, step: int) -> dict[str, float] | None:
        """`accuracy`, `cross_entropy` in nats, and `most_frequent_class`, the accuracy of always saying that one."""
        if not self._judged:
            return None
        network = networks[""]
        classifier = Classifier(TorchRuntime(network, self.device), make_card(self.recipe, network, step))
        _, logits = classifier(one.picture for one in self._judged)
        judged = judge_logits(logits, np.array([one.number for one in self._judged]), self._train_counts)
        return {
            "accuracy": judged.accuracy.mean,
            "cross_entropy": judged.cross_entropy,
            "most_frequent_class": judged.most_frequent.mean,
        }

    def draw(self, networks: Networks, step: int) -> list[str]:
        """Nothing: there is no picture to show."""
        return []


def paired_scores(translator: Translator, pairs: list[Pair], learnt: list[Pair]) -> dict[str, float] | None:
    """Mean scores over pairs beside the reference baseline, and PSNR over learnt pairs; None without pairs."""
    if not pairs:
        return None
    task = Task(translator)
    scored = [task.score(pair, Rivals(), {"model": 1.0}, dial_strengths=()).picture for pair in pairs]
    metrics = ("psnr", "ssim", "ciede2000", "colourfulness")
    scores = {name: float(np.mean([getattr(one.figures["model"], name) for one in scored])) for name in metrics}
    if learnt:
        scores["train_psnr"] = float(np.mean([_psnr(task, pair) for pair in learnt]))
    scores["truth_colourfulness"] = float(np.mean([one.truth_colourfulness for one in scored]))
    reference = float(np.mean([one.figures[task.reference].psnr for one in scored]))
    return scores | {f"{task.reference.replace(' ', '_')}_psnr": reference}


def _psnr(task: Task, pair: Pair) -> float:
    return psnr(task.shown(task.translator.predict(pair.source).render()), task.shown(pair.target))


def _judged(recipe: Recipe, pairs: list[Pair]) -> list[Pair]:
    """In a task that colours, the pairs whose truth has colour, if there are any."""
    if not build_codec(recipe).colourises:
        return pairs
    return [pair for pair in pairs if mean_chroma(pair.target) >= COLOURED_THRESHOLD] or pairs


def _write(run: RunDir, name: str, rows: list[list[np.ndarray]], labels: list[str]) -> str:
    path = run.samples / name
    write_image(path, panel(rows, labels))
    return path.relative_to(run.root).as_posix()


def _translator(
    recipe: Recipe, network: nn.Module, direction: Direction, step: int, device: torch.device
) -> Translator:
    return Translator.from_runtime(TorchRuntime(network, device), make_card(recipe, network, step, direction))


def make_card(
    recipe: Recipe,
    network: nn.Module,
    step: int,
    direction: Direction = "ab",
    baselines: BaselineConstants | None = None,
) -> ModelCard:
    """The card of a network of a recipe after `step` steps."""
    return ModelCard(
        tintype_version=__version__,
        recipe=recipe,
        direction=direction,
        step=step,
        images_seen=step * recipe.training.batch_size,
        multiple_of=network.multiple_of,
        output_stride=network.output_stride,
        tiling=network.tiling,
        receptive_radius_px=network.receptive_radius_px,
        baselines=baselines,
    )
