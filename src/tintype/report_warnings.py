"""Sentences of warning about a training, from its curves alone: each threshold has a name and a reason.

A warning is a reason to look, never a verdict; where a curve is too short to say anything, nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tintype.report_events import Curve, Events

FEWEST_LINES = 20
"""Log lines below which curves are not judged: too few to tell a trend from the pictures of the day."""

LINES_PER_WINDOW = 20
"""Windows that curves are smoothed by hold one in so many of the log lines."""

WON_ACCURACY = 0.98
"""Right judgements on both kinds from which a discriminator has won: the generator's gradient through the others is
nearly nothing. Chance is 0.5, games in balance lie between 0.6 and 0.9."""

WON_STRETCH = 0.25
"""Part of the steps that this must last without a break: early leads, which most games make up for, are shorter."""

WON_LOSS = 0.05
"""For runs whose accuracy was not logged: what a discriminator pays, as a part of what one that knows nothing would.
Cross-entropy at 5 % of ln 2 is a mean probability of 0.966 for what is right."""

STARVED_GRADIENT = 0.01
"""Part of its first level at which a generator's gradient counts as collapsed: a hundred times smaller, where that of
a healthy game moves by less than ten."""

PARTED_DB = 0.5
"""Fall of the validation PSNR after its best from which train and validation have parted, while that of training
pictures rose: twice what means of three validations scatter by."""

FEWEST_VALIDATIONS = 6
"""Twice the three that are averaged at either end."""

DIVERGED_RECONSTRUCTION = 3.0
"""Times its best level that an L1, cycle or identity term must end at: late levels of healthy runs lie within 1.5."""

DIVERGED_DISCRIMINATOR = 10.0
"""Times its first level, that of one that knows nothing, that the discriminator's loss must end at."""


@dataclass(frozen=True, slots=True)
class Game:
    """What a discriminator pays in one step as long as it knows nothing; None where there is no game."""

    ignorance: float | None = None

    @classmethod
    def of(cls, method: object) -> Game:
        """From the method section of a recipe, which may be anything."""
        spec: dict[str, Any] = method if isinstance(method, dict) else {}
        weight = spec.get("lambda_discriminator", 0.5)
        both = {"vanilla": 2 * float(np.log(2)), "lsgan": 0.5, "hinge": 2.0, "margin": 0.24}
        kind = spec.get("adversarial", "lsgan" if spec.get("kind") in ("cyclegan", "cut") else "vanilla")
        known = isinstance(weight, int | float) and 0 < weight < 1e6 and isinstance(kind, str) and kind in both
        return cls(weight * both[kind] if known else None)


def training_warnings(events: Events, game: Game) -> list[str]:
    """All that a training's curves warn of."""
    return [*_diverged(events), *_won(events, game), *_starved(events), *_parted(events)]


def _diverged(events: Events) -> list[str]:
    if events.diverged:
        return [f"The training stopped because it diverged: {events.diverged}."]
    found = []
    for name, curve in events.terms.items():
        if len(curve) >= FEWEST_LINES and _reconstructs(name):
            level = _smooth(curve)
            best = float(level.min())
            if best > 0 and level[-1] > DIVERGED_RECONSTRUCTION * best:
                found.append(
                    f"The loss {_name(name)} diverged: it ended at {level[-1]:.3g}, {level[-1] / best:.1f} times its "
                    f"best, {best:.3g} at step {_step(curve, int(level.argmin()))}; lower optimiser.lr."
                )
    for suffix, curve in _discriminators(events).items():
        level = _smooth(curve) if len(curve) >= FEWEST_LINES else np.zeros(1)
        if level[0] > 0 and level[-1] > DIVERGED_DISCRIMINATOR * level[0]:
            found.append(
                f"The loss of the discriminator{_of(suffix)} diverged: it ended at {level[-1]:.3g}, "
                f"{level[-1] / level[0]:.0f} times where it began; lower optimiser.discriminator_lr."
            )
    return found


def _reconstructs(name: str) -> bool:
    """Whether a loss term says how far pictures are from what they should be, which should not rise for long."""
    return name.startswith("g/") and "adversarial" not in name and "kl_" not in name


def _won(events: Events, game: Game) -> list[str]:
    found = []
    cure = "so the generator learnt little from it: lower optimiser.discriminator_lr or weaken the discriminator."
    for suffix, loss in _discriminators(events).items():
        real, fake = (events.health.get(f"d/accuracy_{kind}{suffix}", {}) for kind in ("real", "fake"))
        both = {step: min(real[step], fake[step]) for step in real if step in fake}
        if len(both) >= FEWEST_LINES:
            if stretch := _longest(both, _smooth(both) >= WON_ACCURACY):
                share = np.mean([value for step, value in both.items() if stretch[0] <= step <= stretch[1]])
                found.append(
                    f"The discriminator{_of(suffix)} has won: from step {stretch[0]:,} to {stretch[1]:,} it judged "
                    f"real and generated pictures rightly at least {_percent(float(share))} of the time, {cure}"
                )
        elif len(loss) >= FEWEST_LINES and (
            stretch := _longest(loss, _smooth(loss) <= WON_LOSS * (game.ignorance or 0.0))
        ):
            found.append(
                f"The discriminator{_of(suffix)} has won: from step {stretch[0]:,} to {stretch[1]:,} its loss lay "
                f"below {100 * WON_LOSS:.0f} % of what one that knows nothing pays, {cure}"
            )
    return found


def _starved(events: Events) -> list[str]:
    curve = events.health.get("g/gradient", {})
    if len(curve) < FEWEST_LINES:
        return []
    level = _smooth(curve)
    if level[0] > 0 and level[-1] < STARVED_GRADIENT * level[0]:
        return [
            f"The generator's gradient collapsed from {level[0]:.2g} to {level[-1]:.2g}: it has stopped learning, "
            "which is fine only where its loss can fall no further."
        ]
    return []


def _parted(events: Events) -> list[str]:
    train, validation = events.validation.get("train_psnr", {}), events.validation.get("psnr", {})
    steps = sorted(train.keys() & validation.keys())
    if len(steps) < FEWEST_VALIDATIONS:
        return []
    kept, learnt = (_means_of_three([curve[step] for step in steps]) for curve in (validation, train))
    best = int(kept.argmax())
    fall, rise = kept[best] - kept[-1], learnt[-1] - learnt[best]
    if fall < PARTED_DB or rise <= 0:
        return []
    chosen = events.best_step
    shipped = f", and the model is that of step {chosen:,}" if chosen is not None else ""
    return [
        f"Train and validation parted: since about step {steps[best + 1]:,} the PSNR of validation pictures fell by "
        f"{fall:.2f} dB while that of training pictures rose by {rise:.2f} dB, so the network learnt its pictures by "
        f"heart{shipped}."
    ]


def _discriminators(events: Events) -> dict[str, Curve]:
    """Loss on real and generated pictures together of each discriminator, by the end of its terms' names."""
    found = {}
    for name, real in events.terms.items():
        if name.startswith("d/real"):
            suffix = name.removeprefix("d/real")
            fake = events.terms.get(f"d/fake{suffix}", {})
            found[suffix] = {step: real[step] + fake[step] for step in real if step in fake}
    return found


def _smooth(curve: Curve) -> np.ndarray:
    """Running means of a curve in the order of its steps, over whole windows."""
    values = np.array([curve[step] for step in sorted(curve)])
    window = max(3, len(values) // LINES_PER_WINDOW)
    return np.convolve(values, np.full(window, 1 / window), "valid")


def _longest(curve: Curve, holds: np.ndarray) -> tuple[int, int] | None:
    """First and last step of the longest unbroken stretch in which something holds, if it is long enough."""
    steps = sorted(curve)
    window = len(steps) - len(holds) + 1
    edges = np.flatnonzero(np.diff(np.concatenate([[0], holds.astype(np.int8), [0]])))
    best = max(zip(edges[::2], edges[1::2], strict=True), key=lambda pair: pair[1] - pair[0], default=None)
    if best is None:
        return None
    first, last = steps[best[0]], steps[best[1] + window - 2]  # of the first window and of the last one
    return (first, last) if last - first >= WON_STRETCH * (steps[-1] - steps[0]) else None


def _means_of_three(values: Sequence[float]) -> np.ndarray:
    return np.convolve(values, np.full(3, 1 / 3), "valid")


def _step(curve: Curve, place: int) -> str:
    return f"{sorted(curve)[place]:,}"


def _percent(share: float) -> str:
    return f"{100 * min(share, 0.999):.1f} %"


def _name(term: str) -> str:
    return term[:40]


def _of(suffix: str) -> str:
    return f" of {suffix.removeprefix('_').upper()[:20]}" if suffix else ""
