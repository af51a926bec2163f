"""How near a set of pictures is to the set of their truths, by features of a network: KID, and what it shows.

It asks another question than PSNR: not whether each picture is like its own truth, but whether all of them together
could be real ones. A cautious model may win the one and lose the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tintype.metrics.distribution import fid, kid_difference, kid_of_sets, paired_kid, paired_kid_difference
from tintype.metrics.features import FeatureNetwork, open_features
from tintype.metrics.interval import Interval
from tintype.metrics.scores import Comparison, Outcome, Realism, RealismRow
from tintype.metrics.verdict import MINIMUM_FOR_VERDICT

Features = Literal["caltech101", "inception", "dinov2", "none"]
"""Networks that realism may be judged by, and no realism."""

DEFAULT_FEATURES: Features = "caltech101"


@dataclass(frozen=True, slots=True)
class RealismBy:
    """By what realism is judged.

    Attributes:
        network: Gives the features.
        kid: KID of generated pictures `n k` to the truths `n k` of the same pictures.
        difference: KID of one such set minus that of another, and then the truths.
        frechet: Fréchet distance of two sets; None leaves it out.
    """

    network: FeatureNetwork
    kid: Callable[[np.ndarray, np.ndarray], Interval]
    difference: Callable[[np.ndarray, np.ndarray, np.ndarray], Interval]
    frechet: Callable[[np.ndarray, np.ndarray], float] | None = None


def judge_realism(
    by: RealismBy,
    features: Mapping[str, np.ndarray],
    truth: np.ndarray,
    strengths: Mapping[str, float | None],
    *,
    models: Sequence[str],
    reference: str,
    runs: Sequence[str] = (),
) -> Realism | None:
    """KID of each contender, and of the model against the reference and other runs; None for too few pictures.

    Args:
        by: What it is judged by.
        features: Of the pictures of each contender `n k`, by the name of its row.
        truth: Of the truths of the same pictures.
        strengths: Of each row.
        models: Rows of the model.
        reference: The trivial baseline that does nothing.
        runs: Rows of other runs.
    """
    if len(truth) < MINIMUM_FOR_VERDICT:
        return None
    truth = truth.astype(np.float64)

    def compare(name: str, other: str) -> Comparison:
        difference = by.difference(features[name].astype(np.float64), features[other].astype(np.float64), truth)
        return Comparison(name, strengths[name] or 0.0, other, difference, _outcome(difference))

    rows = []
    for name, values in features.items():
        own = values.astype(np.float64)
        distance = None if by.frechet is None else float(by.frechet(own, truth))
        rows.append(RealismRow(name, strengths[name], by.kid(own, truth), distance))
    return Realism(
        protocol=by.network.protocol,
        pictures=len(truth),
        rows=tuple(rows),
        against_reference=tuple(compare(name, reference) for name in models),
        against_runs=tuple(compare(name, run) for run in runs for name in models),
    )


def judge_realism_apart(
    network: FeatureNetwork, made: np.ndarray, sources: np.ndarray, targets: np.ndarray
) -> Realism | None:
    """KID of translations, and of their sources as they are, to pictures of the other domain; None for too few.

    Args:
        network: That gave the features.
        made: Features `n k` of translations.
        sources: Those of what they were made of, in the same order.
        targets: Features `m k` of real pictures of the domain that is translated to.
    """
    if min(len(made), len(targets)) < MINIMUM_FOR_VERDICT:
        return None
    difference = kid_difference(made, sources, targets)
    rows = (("model", 1.0, made), ("identity", None, sources))
    return Realism(
        protocol=network.protocol,
        pictures=len(made),
        rows=tuple(RealismRow(name, strength, kid_of_sets(own, targets)) for name, strength, own in rows),
        against_reference=(Comparison("model", 1.0, "identity", difference, _outcome(difference)),),
    )


def _outcome(difference: Interval) -> Outcome:
    """Lower is better."""
    if difference.low is None or difference.high is None:
        return "undecided"
    if difference.high < 0:
        return "better"
    return "no better" if difference.low > 0 or difference.low == difference.high == 0 else "undecided"


def open_realism(features: Features) -> RealismBy | None:
    """What realism is judged by; None for "none".

    Raises:
        TintypeError: The weights are not there and cannot be fetched.
    """
    if features == "none":
        return None
    frechet = None if features == "caltech101" else fid
    return RealismBy(open_features(features), paired_kid, paired_kid_difference, frechet)
