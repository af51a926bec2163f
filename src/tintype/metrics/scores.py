"""The result of an evaluation as data and JSON, and which results may be compared.

How the figures come about is in `summary.py`, what they say in words in `verdict.py`, how they are printed in
`table.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import TypeAdapter

from tintype.errors import UsageError
from tintype.metrics.interval import Interval

COMPARED = (
    "size",
    "crop",
    "resize_kernel",
    "scale",
    "reduction",
    "grey",
    "direction",
    "split",
    "split_digest",
    "pictures",
    "pictures_digest",
    "judged",
    "coloured_threshold",
    "psnr_cap_db",
    "interval",
)
"""Entries of `Scores.protocol` that must agree before figures may be compared."""

NETWORKS = ("features", "lpips", "luma")
"""Entries that say what single figures were measured with or on; they must agree where both scores have the figure."""

FACTOR_ON_PREDICTED = "factor on the predicted chroma"
FACTOR_ON_REDRAWN = "factor on the chroma of the redrawn picture, whose luminance stays"
"""What strength means, in `Scores.protocol`: where networks predict chroma only, and where they redraw pictures."""

Outcome = Literal["better", "undecided", "no better"]


@dataclass(frozen=True, slots=True)
class Figures:
    """What is measured on one output against its truth; `more` by name, which says all that a figure depends on."""

    psnr: float
    ssim: float
    ciede2000: float
    colourfulness: float
    more: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PictureScores:
    """One picture: mean Lab chroma and colourfulness of its truth, and the figures of each contender by name."""

    name: str
    coloured: bool
    chroma: float
    truth_colourfulness: float
    figures: dict[str, Figures]


@dataclass(frozen=True, slots=True)
class Row:
    """One contender over the judged pictures.

    `strength` is None for trivial baselines; where several models are judged as one, each at a strength of its own, it
    is their mean, and `strengths` holds them all. `colourfulness_difference` is output minus truth;
    `colourfulness_ratio` compares the means, None where the truth has no colour at all. `gain` is the mean over
    pictures of the gain in PSNR over the reference, `pooled_gain` the gain of the squared errors of all pictures
    pooled; both in dB. `more` holds further figures by name.
    """

    name: str
    strength: float | None
    psnr: Interval
    ssim: Interval
    ciede2000: Interval
    colourfulness: Interval
    colourfulness_difference: Interval
    colourfulness_ratio: float | None
    gain: Interval
    pooled_gain: float
    strengths: tuple[float, ...] = ()
    more: dict[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A row of the model against another row: paired differences, model minus the other one, and what they show."""

    name: str
    strength: float
    baseline: str
    difference: Interval
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class GreyPictures:
    """Pictures whose truth is grey, in a task that colours: PSNR and mean Lab chroma of what the model made of them."""

    count: int
    psnr: float
    invented_chroma: float


@dataclass(frozen=True, slots=True)
class DialPoint:
    """The model at one strength: mean gain over grey copy in dB, and colourfulness as a fraction of the truth's."""

    strength: float
    gain: float
    colourfulness_ratio: float | None


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two versions of each of a number of pictures are; PSNR in dB."""

    pictures: int
    psnr: Interval
    ssim: Interval


@dataclass(frozen=True, slots=True)
class Consistency:
    """What can be said of one direction of a two-way translator without pairs.

    `cycle`: pictures of the source domain, and what the other direction makes of their translations; None where that
    is not at hand. `identity`: pictures of the target domain, and what the model makes of them; None where numbers of
    channels differ. `change`: pictures of the source domain and their translations; the lower, the more is changed.
    """

    cycle: Likeness | None
    identity: Likeness | None
    change: Likeness | None


@dataclass(frozen=True, slots=True)
class RealismRow:
    """KID of a contender's pictures to the truths, and the Fréchet distance where that was asked for; both times 1."""

    name: str
    strength: float | None
    kid: Interval
    frechet: float | None = None


@dataclass(frozen=True, slots=True)
class Realism:
    """How near the pictures of each contender are, as a set, to the truths; lower is nearer.

    `protocol` names the feature network, its weights and its resizing. The comparisons are paired differences of KID,
    the model's minus that of the reference baseline or of another run.
    """

    protocol: str
    pictures: int
    rows: tuple[RealismRow, ...]
    against_reference: tuple[Comparison, ...]
    against_runs: tuple[Comparison, ...] = ()


@dataclass(frozen=True, slots=True)
class Scores:
    """A complete evaluation; the layout of `scores.json`.

    `rows` hold the model first, then the trivial baselines, then other runs (`run NAME`), over the judged pictures: in
    a task that colours those whose truth has colour, otherwise all; none where no picture is judged. `reference` names
    the baseline that gains count from. `comparisons` are in dB and against the trivial baseline of the highest mean
    PSNR, `against_runs` against each of the other runs. `protocol["scores"]` is a digest of all that must agree before
    two scores may be compared. `panels` is left to whoever draws them. `consistency` is there for translators of two
    directions; pictures without partners have nothing else.
    """

    protocol: dict[str, Any]
    pictures: int
    coloured: int
    grey: int
    reference: str
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]
    grey_pictures: GreyPictures | None
    dial: tuple[DialPoint, ...]
    verdict: str
    notes: tuple[str, ...]
    per_picture: tuple[PictureScores, ...]
    panels: tuple[dict[str, Any], ...] = ()
    consistency: Consistency | None = None
    against_runs: tuple[Comparison, ...] = ()
    realism: Realism | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; in `per_picture` the figures of each contender stand beside the picture's name."""
        data = TypeAdapter(Scores).dump_python(self, mode="json")
        for picture in data["per_picture"]:
            for name, figures in picture.pop("figures").items():
                picture[name] = {key: value for key, value in figures.items() if key != "more" or value}
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Scores:
        """The scores that `to_dict` was taken from, exactly.

        Raises:
            pydantic.ValidationError: A ValueError; the data are something else.
        """
        own = set(PictureScores.__dataclass_fields__)
        per_picture = []
        for entry in data["per_picture"]:
            figures = {key: value for key, value in entry.items() if key not in own}
            per_picture.append({**{key: value for key, value in entry.items() if key in own}, "figures": figures})
        return TypeAdapter(cls).validate_python({**data, "per_picture": per_picture})

    def with_notes(self, notes: Iterable[str]) -> Scores:
        """The same scores with further notes: sentences on what a reader must know to judge the figures."""
        return replace(self, notes=(*self.notes, *notes))


def digest_of(protocol: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits that stand for the entries of a protocol that are `COMPARED`, and for the networks."""
    compared = {key: protocol[key] for key in (*COMPARED, *NETWORKS) if key in protocol}
    return hashlib.sha256(json.dumps(compared, sort_keys=True).encode()).hexdigest()[:8]


def require_comparable(a: Scores, b: Scores) -> None:
    """Refuse to compare scores that were not made by one protocol, or are not of the same pictures.

    Raises:
        UsageError: They differ in an entry of the protocol; the message names the first one.
    """
    if found := first_difference(_whole_protocol(a), _whole_protocol(b), (*COMPARED, *NETWORKS)):
        key, one, other = found
        raise UsageError(
            f"scores of different protocols cannot be compared: {key.replace('_', ' ')} is {one} in the one and "
            f"{other} in the other; score both on the same pictures in the same way"
        )


def first_difference(
    one: Mapping[str, Any], other: Mapping[str, Any], keys: Iterable[str] = COMPARED
) -> tuple[str, Any, Any] | None:
    """The first of these entries in which two protocols differ, and what it is in either; None where they agree.

    Protocols of models that know a single direction do not name it: it is A to B. An entry of `NETWORKS` that one of
    them lacks is no difference.
    """
    for key in keys:
        absent = "ab" if key == "direction" else "not recorded"
        values = one.get(key, absent), other.get(key, absent)
        if values[0] != values[1] and not (key in NETWORKS and absent in values):
            return key, *values
    return None


def _whole_protocol(scores: Scores) -> Mapping[str, Any]:
    """With the features of realism, which earlier versions did not repeat there."""
    return scores.protocol if scores.realism is None else {**scores.protocol, "features": scores.realism.protocol}


CONSISTENCY_LABELS = {
    "cycle": "there and back (cycle)",
    "identity": "already there (identity)",
    "change": "translation against source (change)",
}
"""Fields of `Consistency` and what people are told that they are."""

CONSISTENCY_CAVEAT = (
    "Cycle and identity say that content is kept, not that a translation is good: changing nothing would be perfect."
)
"""Stands wherever a consistency is shown."""
