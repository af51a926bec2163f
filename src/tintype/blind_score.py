"""How well people tell a model's pictures from real ones: answers of one or many persons, pooled.

Everything is said with the interval that its number of persons and pictures allows:

* One person: Wilson's interval (1927) over the pictures; for the difference of two rates Newcombe's (1998, method 10).
* Several: persons and pictures are both a sample of those that might have been asked and shown, so both are drawn
  anew, each for itself, in a percentile bootstrap (Owen 2007, "The pigeonhole bootstrap"). Where all answers are alike
  drawing anew shows nothing; there Wilson's interval stands, over as many answers as there are persons or pictures,
  whichever are more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, median
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from tintype.blind_answers import CONTROLS, Answers, Kind, read_answers
from tintype.errors import InputError, UsageError

_RESAMPLES = 4000
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class KindRate:
    """How often pictures of a kind were called real: the fooling rate, where they are not."""

    kind: Kind
    pictures: int
    called_real: Estimate


@dataclass(frozen=True, slots=True)
class PictureRate:
    """One picture over all persons; `called_real` has Wilson's interval over persons."""

    id: str
    kind: Kind
    name: str
    persons: int
    called_real: Estimate
    median_seconds: float


@dataclass(frozen=True, slots=True)
class PersonRate:
    """One person over all pictures; intervals are Wilson's, over pictures."""

    session: str
    nickname: str
    fooling_rate: Estimate
    real_called_real: Estimate
    controls_called_real: Estimate | None
    accuracy: float
    d_prime: float
    median_seconds: float


@dataclass(frozen=True, slots=True)
class BlindScores:
    """A human test, judged.

    `fooling_rate` is the share of the model's pictures that were called real, and `difference` how much more often real
    ones were. `accuracy` is the mean of the shares of real pictures and of the model's pictures that were told rightly;
    guessing gives 0.5. `d_prime` is z(real called real) - z(fooling rate), of counts to which half an answer was added
    on either side (Hautus 1995): 0 for guessing.
    """

    digest: str
    model: str
    model_digest: str
    data: str
    size: int
    exposure: float | None
    strength: float
    persons: int
    interval: str
    fooling_rate: Estimate
    difference: Estimate
    accuracy: Estimate
    d_prime: float
    kinds: tuple[KindRate, ...]
    per_picture: tuple[PictureRate, ...]
    per_person: tuple[PersonRate, ...]
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        plain: dict[str, Any] = TypeAdapter(BlindScores).dump_python(self, mode="json")
        return plain


def score_files(paths: Sequence[Path], *, seed: int = 0) -> BlindScores:
    """Scores of one test from the files that its persons saved.

    Raises:
        UsageError: No file is given.
        InputError: A file is damaged, answers another test than the first one, or is of a session that was given
            already.
    """
    if not paths:
        raise UsageError("--score: name the files that were saved at the end of the test")
    read: list[Answers] = []
    sessions: dict[str, Path] = {}
    for path in paths:
        answers = read_answers(path)
        if read and answers.digest != read[0].digest:
            raise InputError(
                f"{path}: answers test {answers.digest}, but {paths[0]} answers test {read[0].digest}; "
                "score each test by itself"
            )
        if answers.session in sessions:
            raise InputError(
                f"{path}: is of the same session as {sessions[answers.session]}; give each person's file once"
            )
        sessions[answers.session] = path
        read.append(answers)
    return score_answers(read, seed=seed)


def score_answers(people: Sequence[Answers], *, seed: int = 0) -> BlindScores:
    """Scores of one test; all answers must be to that test, which `score_files` makes sure of.

    Args:
        people: At least one.
        seed: Of the bootstrap; the same arguments give the same intervals.
    """
    test = people[0].test
    said = [{answer.id: answer for answer in person.answers} for person in people]
    real = np.array([[one[item.id].said == "real" for item in test.items] for one in said], dtype=np.float64)
    seconds = np.array([[one[item.id].ms / 1000 for item in test.items] for one in said])
    kinds = [item.kind for item in test.items]
    of = {kind: real[:, [k == kind for k in kinds]] for kind in dict.fromkeys(("real", "model", *kinds))}
    difference = difference_interval(of["real"], of["model"], seed=seed)
    accuracy = Estimate(_halfway(difference.mean), _halfway(difference.low), _halfway(difference.high))
    fooling = rate_interval(of["model"], seed=seed)
    per_person = tuple(
        _person(person, {kind: answers[number] for kind, answers in of.items()}, seconds[number])
        for number, person in enumerate(people)
    )
    per_picture = tuple(
        PictureRate(item.id, item.kind, item.name, len(people), wilson(column), median(times))
        for item, column, times in zip(test.items, real.T, seconds.T.tolist(), strict=True)
    )
    return BlindScores(
        digest=test.digest,
        model=test.model,
        model_digest=test.model_digest,
        data=test.data,
        size=test.size,
        exposure=test.exposure,
        strength=test.strength,
        persons=len(people),
        interval=(
            f"95 %, bootstrap over persons and pictures, {_RESAMPLES} resamples, seed {seed}"
            if len(people) > 1
            else "95 %, Wilson over pictures: it says nothing of other persons"
        ),
        fooling_rate=fooling,
        difference=difference,
        accuracy=accuracy,
        d_prime=d_prime(of["real"], of["model"]),
        kinds=tuple(KindRate(kind, x.shape[1], rate_interval(x, seed=seed)) for kind, x in of.items()),
        per_picture=per_picture,
        per_person=per_person,
        verdict=_verdict(fooling, difference, accuracy, len(people)),
    )


def _halfway(difference: float) -> float:
    """The mean of two shares told rightly, of how much more often real ones were called real."""
    return (1 + difference) / 2


def wilson(successes: np.ndarray) -> Estimate:
    """Mean of zeros and ones with Wilson's 95 % interval."""
    return _wilson(float(successes.mean()), successes.size)


def _wilson(rate: float, count: int) -> Estimate:
    scale = 1 + _Z**2 / count
    centre = (rate + _Z**2 / (2 * count)) / scale
    half = _Z / scale * math.sqrt(rate * (1 - rate) / count + _Z**2 / (4 * count**2))
    return Estimate(rate, max(0.0, centre - half) if rate else 0.0, min(1.0, centre + half) if rate < 1 else 1.0)


def rate_interval(answers: np.ndarray, *, seed: int = 0) -> Estimate:
    """Mean of zeros and ones `persons pictures` with the interval that the module describes."""
    persons, pictures = answers.shape
    rate = float(answers.mean())
    if persons == 1 or rate in (0, 1):
        return _wilson(rate, max(persons, pictures))
    return _interval(rate, _resampled(answers, np.random.default_rng(seed)))


def difference_interval(first: np.ndarray, second: np.ndarray, *, seed: int = 0) -> Estimate:
    """Difference of the means of two arrays `persons pictures` of the same persons but other pictures."""
    a, b = float(first.mean()), float(second.mean())
    if len(first) == 1 or (a in (0, 1) and b in (0, 1)):
        x, y = (_wilson(rate, max(answers.shape)) for rate, answers in ((a, first), (b, second)))
        low = a - b - math.hypot(a - x.low, y.high - b)
        high = a - b + math.hypot(x.high - a, b - y.low)
        return Estimate(a - b, max(-1.0, low), min(1.0, high))
    return _interval(a - b, _resampled(first, np.random.default_rng(seed), second))


def _resampled(answers: np.ndarray, random: np.random.Generator, minus: np.ndarray | None = None) -> np.ndarray:
    """Means over persons and pictures that are drawn anew; `minus` is subtracted, for the same draw of persons."""
    persons = len(answers)
    drawn = random.multinomial(persons, [1 / persons] * persons, size=_RESAMPLES) / persons

    def means(x: np.ndarray) -> np.ndarray:
        count = x.shape[1]
        pictures = random.multinomial(count, [1 / count] * count, size=_RESAMPLES) / count
        return ((drawn @ x) * pictures).sum(axis=1)

    return means(answers) if minus is None else means(answers) - means(minus)


def _interval(mean: float, resampled: np.ndarray) -> Estimate:
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Estimate(mean, float(low), float(high))


def d_prime(real: np.ndarray, made: np.ndarray) -> float:
    """z(hits) - z(false alarms) of zeros and ones, half an answer added on either side (log-linear; Hautus 1995)."""
    rates = ((float(x.sum()) + 0.5) / (x.size + 1) for x in (real, made))
    hits, false_alarms = (NormalDist().inv_cdf(rate) for rate in rates)
    return hits - false_alarms


def _person(person: Answers, of: dict[Kind, np.ndarray], seconds: np.ndarray) -> PersonRate:
    controls = [of[kind] for kind in CONTROLS if kind in of]
    return PersonRate(
        session=person.session[:8],
        nickname=person.nickname,
        fooling_rate=wilson(of["model"]),
        real_called_real=wilson(of["real"]),
        controls_called_real=wilson(np.concatenate(controls)) if controls else None,
        accuracy=float((1 + of["real"].mean() - of["model"].mean()) / 2),
        d_prime=d_prime(of["real"], of["model"]),
        median_seconds=float(np.median(seconds)),
    )


def _verdict(fooling: Estimate, difference: Estimate, accuracy: Estimate, persons: int) -> str:
    who = "One person" if persons == 1 else f"{persons} persons"
    low, high = difference.low, difference.high
    lead = f"{who} took {_percent(fooling)} of the model's pictures for real"
    figure = f"{_percent(accuracy)} told rightly, guessing gives 50 %"
    if low > 0:
        return f"{lead} and told them from real ones better than by guessing: {figure}."
    if high < 0:
        return f"{lead}, more often than real ones: {figure}."
    return f"{lead}; whether they can be told from real ones is undecided: {figure}."


def _percent(interval: Estimate) -> str:
    return f"{100 * interval.mean:.0f} % [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"


def format_blind(scores: BlindScores) -> str:
    """The scores as plain text, the verdict as the last line."""
    exposure = "until the answer" if scores.exposure is None else f"for {scores.exposure:g} s"
    kinds = [("called real", "pictures", "share")]
    kinds += [(_LABELS[row.kind], str(row.pictures), _percent(row.called_real)) for row in scores.kinds]
    people = [("person", "fooled by the model", "real ones", "controls", "told rightly", "d'", "seconds")]
    people += [
        (
            one.nickname or one.session,
            _percent(one.fooling_rate),
            _percent(one.real_called_real),
            _percent(one.controls_called_real) if one.controls_called_real else "none",
            f"{100 * one.accuracy:.0f} %",
            f"{one.d_prime:z.2f}",
            f"{one.median_seconds:.1f}",
        )
        for one in scores.per_person
    ]
    made = [one for one in scores.per_picture if one.kind == "model"]
    ranked = sorted(made, key=lambda one: (-one.called_real.mean, one.id))
    pictures = [("the model's pictures", "called real")]
    pictures += [(one.name, f"{one.called_real.mean * one.persons:.0f} of {one.persons}") for one in ranked]
    return "\n".join(
        [
            f"test {scores.digest}: {scores.model} ({scores.model_digest}), strength {scores.strength:g}, "
            f"{scores.size} px, shown {exposure}; {scores.data}",
            f"intervals: {scores.interval}",
            "",
            *_table(kinds),
            "",
            *_table(people),
            "",
            *_table(pictures),
            "",
            f"d' {scores.d_prime:z.2f} (0: guessing); "
            f"real ones were called real more often by {_points(scores.difference)}",
            scores.verdict,
        ]
    )


_LABELS: dict[Kind, str] = {
    "real": "real",
    "model": "of the model (fooling rate)",
    "grey copy": "control: grey copy",
    "random chroma": "control: random chroma",
    "identity": "control: identity",
}


def _points(interval: Estimate) -> str:
    low, high = interval.low, interval.high
    return f"{100 * interval.mean:z.0f} [{100 * low:z.0f}, {100 * high:z.0f}] percentage points"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]


def picture_rows(scores: BlindScores) -> Iterable[tuple[object, ...]]:
    """One row for each picture, a head first, for CSV; names that spreadsheets would run get an apostrophe."""
    yield ("id", "kind", "name", "persons", "called_real", "low", "high", "median_seconds")
    for one in scores.per_picture:
        name = f"'{one.name}" if one.name[:1] in "=+-@" and one.name else one.name
        rate = one.called_real
        figures = (round(x, 4) for x in (rate.mean, rate.low, rate.high, one.median_seconds))
        yield (one.id, one.kind, name, one.persons, *figures)
