"""What a run shows of itself while it trains: validation scores and sample panels, through the `Translator`.

Both use a fixed set of validation pictures, held in memory.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from tintype import __version__
from tintype.data.dataset import PairedData
from tintype.evaluation import COLOURED_THRESHOLD, BaselineConstants
from tintype.image.codec import build_codec
from tintype.image.file import write_image
from tintype.image.grid import panel
from tintype.inference.modelfile import ModelCard
from tintype.inference.torch_runtime import TorchRuntime
from tintype.inference.translator import Translator
from tintype.metrics.colour import ciede2000, colourfulness, mean_chroma
from tintype.metrics.fidelity import psnr, ssim
from tintype.recipe.schema import Recipe
from tintype.training.rundir import RunDir

_VALIDATION_PICTURES = 64
"""At most so many are scored at each validation, evenly spaced over the set; the final scores use all."""


class Preview:
    """Scores and draws a network during training."""

    def __init__(self, recipe: Recipe, data: PairedData, run: RunDir, device: torch.device) -> None:
        self.recipe, self.run, self.device = recipe, run, device
        size = recipe.evaluation.size or recipe.data.size
        self._pairs = list(data.pictures("validation", size, limit=_VALIDATION_PICTURES))
        codec = build_codec(recipe)
        self._colourises = codec.predicts_chroma or (codec.source_channels == 1 and codec.target_channels == 3)
        coloured = [pair for pair in self._pairs if mean_chroma(pair.target) >= COLOURED_THRESHOLD]
        self._judged = (coloured or self._pairs) if self._colourises else self._pairs
        self._samples = self._judged[: recipe.training.sample_count]
        self._truth_colourfulness = float(np.mean([colourfulness(pair.target) for pair in self._judged] or [0.0]))
        self._copies = [psnr(_as_colour(pair.source), pair.target) for pair in self._judged]

    def validate(self, network: nn.Module, step: int) -> dict[str, float] | None:
        """Mean scores over the validation pictures (those with colour, in a task that colours); None without any."""
        if not self._judged:
            return None
        translator = self._translator(network, step)
        rows = []
        for pair in self._judged:
            output = translator.predict(pair.source).render()
            rows.append([metric(output, pair.target) for metric in (psnr, ssim, ciede2000)] + [colourfulness(output)])
        means = np.mean(rows, axis=0).tolist()
        scores = dict(zip(("psnr", "ssim", "ciede2000", "colourfulness"), means, strict=True))
        baseline = "grey_copy_psnr" if self._colourises else "identity_psnr"
        return scores | {"truth_colourfulness": self._truth_colourfulness, baseline: float(np.mean(self._copies))}

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


def panel_name(number: int, name: str) -> str:
    """A file name for picture `name` (which may have folders in it) as number `number` of a list."""
    return f"{number:02d}-{Path(name).stem}.png"


def _as_colour(picture: np.ndarray) -> np.ndarray:
    return np.repeat(picture, 3, axis=-1) if picture.shape[-1] == 1 else picture
