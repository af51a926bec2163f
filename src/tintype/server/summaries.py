"""Cards of models in short."""

from __future__ import annotations

from collections.abc import Mapping

from tintype.recipe.schema import Direction
from tintype.server.answers import ModelSummary
from tintype.server.service import ServedModel


def summarise(name: str, directions: Mapping[Direction, ServedModel]) -> ModelSummary:
    """What is served under a name."""
    translator = next(iter(directions.values())).translator
    card, codec = translator.card, translator.codec
    recipe = card.recipe
    return ModelSummary(
        name=name,
        recipe=recipe.name,
        description=recipe.description,
        kind=recipe.method.kind,
        codec=recipe.codec.kind,
        directions=list(directions),
        inputs=list(card.inputs),
        predicts_colour=codec.predicts_chroma,
        makes_many=card.makes_many,
        scale=codec.scale,
        step=card.step,
        images_seen=card.images_seen,
        strength=card.strength,
        runtime=translator.runtime.name,
        scores=card.scores,
    )
