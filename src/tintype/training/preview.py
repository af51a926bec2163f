"""What a run shows of itself while it trains: validation scores and sample panels, through the `Translator`.

Both use a fixed set of validation pictures, held in memory.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from tintype import __version__
from tintype.data.dataset import PairedData
from tintype.evaluation import COLOURED_THRESHOLD, BaselineConstants, Task, colourises
from tintype.image.codec import build_codec
from tintype.image.file import write_image
from tintype.image.grid import panel
from tintype.inference.modelfile import ModelCard
from tintype.inference.torch_runtime import TorchRuntime
from tintype.inference.translator import Translator
from tintype.metrics.colour import mean_chroma
from tintype.recipe.schema import Recipe
from tintype.training.rundir import RunDir

_VALIDATION_PICTURES = 64
"""At most so many are scored at each validation, evenly spaced over the set; the final scores use all."""


class Preview:
    """Scores and draws a network during training."""

    def __init__(self, recipe: Recipe, data: PairedData, run: RunDir, device: torch.device) -> None:
        self.recipe, self.run, self.device = recipe, run, device
        size = recipe.evaluation.size or recipe.data.size
        pairs = list(data.pictures("validation", size, limit=_VALIDATION_PICTURES))
        coloured = [pair for pair in pairs if mean_chroma(pair.target) >= COLOURED_THRESHOLD]
        self._judged = coloured or pairs if colourises(build_codec(recipe)) else pairs
        self._samples = self._judged[: recipe.training.sample_count]

    def validate(self, network: nn.Module, step: int) -> dict[str, float] | None:
        """Mean scores over the validation pictures (those with colour, in a task that colours); None without any."""
        if not self._judged:
            return None
        task = Task(self._translator(network, step))
        scored = [task.score(pair, None, {"model": 1.0}, dial_strengths=()).picture for pair in self._judged]
        metrics = ("psnr", "ssim", "ciede2000", "colourfulness")
        scores = {name: float(np.mean([getattr(one.figures["model"], name) for one in scored])) for name in metrics}
        scores["truth_colourfulness"] = float(np.mean([one.truth_colourfulness for one in scored]))
        reference = float(np.mean([one.figures[task.reference].psnr for one in scored]))
        return scores | {f"{task.reference.replace(' ', '_')}_psnr": reference}

    def draw(self, network: nn.Module, step: int, suffix: str) -> str | None:
        """Write a panel of source, generated and truth; returns its path in the run folder, None without pictures."""
        if not self._samples:
            return None
        translator = self._translator(network, step)
        rows = [[pair.source, translator.predict(pair.source).render(), pair.target] for pair in self._samples]
        path = self.run.samples / f"step-{step:06d}{suffix}.png"
        write_image(path, panel(rows, ["source", f"step {step:,}", "truth"]))
        return path.relative_to(self.run.root).as_posix()

    def _translator(self, network: nn.Module, step: int) -> Translator:
        return Translator.from_runtime(TorchRuntime(network, self.device), make_card(self.recipe, network, step))


def make_card(recipe: Recipe, network: nn.Module, step: int, baselines: BaselineConstants | None = None) -> ModelCard:
    """The card of a network of a recipe after `step` steps."""
    return ModelCard(
        tintype_version=__version__,
        recipe=recipe,
        step=step,
        images_seen=step * recipe.training.batch_size,
        multiple_of=network.multiple_of,
        output_stride=network.output_stride,
        tiling=network.tiling,
        receptive_radius_px=network.receptive_radius_px,
        baselines=baselines,
    )
