"""What a run writes into its model files about them."""

from __future__ import annotations

from torch import nn

from tintype import __version__
from tintype.inference.modelfile import ModelCard
from tintype.metrics.baselines import BaselineConstants
from tintype.recipe.schema import Direction, Recipe


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
