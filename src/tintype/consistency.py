"""Scores without pairs: whether a picture survives the way there and back, and whether one that is there already stays.

Both say that content is kept, neither that a translation is good: a model that changes nothing has perfect scores.
That is why the change that it makes stands beside them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tintype import __version__
from tintype.errors import DataError
from tintype.image.codec import PictureSpace, on_picture
from tintype.metrics.features import FeatureNetwork
from tintype.metrics.fidelity import psnr, ssim
from tintype.metrics.interval import bootstrap_interval
from tintype.metrics.realism import judge_realism_apart
from tintype.metrics.scores import Consistency, Likeness, Realism, Scores
from tintype.metrics.verdict import realism_verdict

if TYPE_CHECKING:
    from tintype.inference.translator import Translator


class SinglePicture(Protocol):
    """A picture of one domain, display `h w 1|3` in [0, 1]."""

    @property
    def name(self) -> str:
        """Unique among the pictures of its domain."""
        ...

    @property
    def picture(self) -> np.ndarray:
        """What is shown to a model."""
        ...


def judge_consistency(
    model: Translator,
    back: Translator | None,
    sources: Iterable[SinglePicture],
    targets: Iterable[SinglePicture],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> Consistency:
    """Judge one direction of an unpaired translator.

    Args:
        model: The direction that is judged.
        back: The other direction; None where there is none.
        sources: Pictures of the domain that the model translates from, taken one at a time.
        targets: Pictures of the domain that it translates to.
        resamples: Bootstrap resamples for each interval.
        seed: Seed of the bootstrap.

    Raises:
        DataError: There are no pictures at all.
    """
    cycle, change, identity = [], [], []
    for one in sources:
        source = on_picture(model.codec.source_from, one.picture)
        translated = model.predict(source).render()
        change.append(_figures(source, translated))
        if back is not None:
            cycle.append(_figures(source, back.predict(translated).render()))
    for one in targets:
        if (same := reproduced(model, one.picture)) is not None:
            identity.append(_figures(on_picture(model.codec.target_from, one.picture), same))
    if not (change or identity):
        raise DataError("evaluation: no pictures to judge, at least one is needed in either domain")

    def likeness(figures: Sequence[tuple[float, float]]) -> Likeness | None:
        if not figures:
            return None
        decibels, similarity = (
            bootstrap_interval(values, resamples=resamples, seed=seed) for values in zip(*figures, strict=True)
        )
        return Likeness(len(figures), decibels, similarity)

    return Consistency(likeness(cycle), likeness(identity), likeness(change))


def judge_apart(
    network: FeatureNetwork, model: Translator, sources: Iterable[SinglePicture], targets: Iterable[SinglePicture]
) -> Realism | None:
    """How near translations are, as a set, to pictures of the other domain, beside their sources as they are.

    Args:
        network: Gives the features.
        model: The direction that is judged.
        sources: Pictures of the domain that it translates from, taken one at a time.
        targets: Pictures of the domain that it translates to.

    Returns:
        None where there are too few of either.
    """
    before, made, real = [], [], []
    for one in sources:
        source = on_picture(model.codec.source_from, one.picture)
        pair = np.stack([_coloured(source), _coloured(model.predict(source).render())])
        before_it, after_it = network(pair)
        before.append(before_it)
        made.append(after_it)
    for one in targets:
        real.append(network(_coloured(on_picture(model.codec.target_from, one.picture))[None])[0])
    return judge_realism_apart(network, np.array(made), np.array(before), np.array(real))


def scores_without_pairs(
    consistency: Consistency, pictures: int, protocol: dict[str, Any], realism: Realism | None = None
) -> Scores:
    """Scores of pictures that have no partners: no rows, and a verdict that says so.

    Args:
        consistency: What could be judged.
        pictures: Number of pictures of the source domain.
        protocol: How they were made.
        realism: How near translations are to pictures of the other domain.
    """
    sentences = ["No verdict: the pictures have no partners to be compared with."]
    if realism is not None:
        sentences.append(realism_verdict(realism))
    return Scores(
        protocol={**protocol, "tintype": __version__},
        pictures=pictures,
        coloured=0,
        grey=0,
        reference="",
        rows=(),
        comparisons=(),
        grey_pictures=None,
        dial=(),
        verdict=" ".join(sentences),
        notes=(),
        per_picture=(),
        consistency=consistency,
        realism=realism,
    )


def reproduced(model: Translator, picture: np.ndarray) -> np.ndarray | None:
    """What the network makes of a picture of the domain that it translates to; None where it cannot be shown one.

    A translator that reads its pictures in grey is given this one as it is, in colour, as in training. The halves of
    UNIT are for the pictures of one domain each, so what they make of the other's says nothing.
    """
    codec = model.codec
    if not isinstance(codec, PictureSpace) or codec.source_channels != codec.target_channels:
        return None
    if model.card.recipe.method.kind == "unit":
        return None
    twin = type(model).from_runtime(model.runtime, model.card, dataclasses.replace(codec, source=codec.target))
    return twin.predict(picture).render()


def _coloured(picture: np.ndarray) -> np.ndarray:
    """A picture `h w 1|3` as `h w 3`."""
    return np.broadcast_to(picture, (*picture.shape[:2], 3))


def _figures(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    one, other = _coloured(one), _coloured(other)
    return psnr(other, one), ssim(other, one)
