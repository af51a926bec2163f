"""How often the 95 % interval of a mean holds the true mean, over many made sets; bar: 92 to 98 % of 1,000.

    python benchmarks/interval_coverage.py [--sets 1000]

Sets of 20, 50 and 200 values: normal ones, skewed ones (exponential to either side, chi-squared, lognormal), ones with
heavy tails. Two in brackets show where the method ends: a lognormal of skewness 6.2, and gains of which one in ten is a
large loss, so that 12 % of sets of 20 hold none and cannot know. About one minute.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from tintype.metrics import bootstrap_interval

COUNTS = (20, 50, 200)


def losses_among_gains(rng: np.random.Generator, size: int) -> np.ndarray:
    """Gains in dB, normal around 1, with one picture in ten that loses 1 to 6 dB more."""
    return rng.normal(1, 1, size) - (rng.random(size) < 0.1) * rng.uniform(1, 6, size)


DISTRIBUTIONS: dict[str, tuple[Callable[[np.random.Generator, int], np.ndarray], float]] = {
    "normal": (lambda rng, n: rng.normal(size=n), 0),
    "exponential": (lambda rng, n: rng.exponential(size=n), 1),
    "exponential, mirrored": (lambda rng, n: -rng.exponential(size=n), -1),
    "chi-squared, 1 degree": (lambda rng, n: rng.normal(size=n) ** 2, 1),
    "lognormal, sigma 0.5": (lambda rng, n: rng.lognormal(0, 0.5, n), np.exp(0.125)),
    "Student, 5 degrees": (lambda rng, n: rng.standard_t(5, n), 0),
    "(rare large losses)": (losses_among_gains, 1 - 0.35),
    "(lognormal, sigma 1)": (lambda rng, n: rng.lognormal(0, 1, n), np.exp(0.5)),
}


def main() -> None:
    """Print the shares, a line for each distribution."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=1000)
    sets = parser.parse_args().sets
    print(f"{'distribution':<24}" + "".join(f"{count:>8}" for count in COUNTS))
    for name, (draw, truth) in DISTRIBUTIONS.items():
        cells = []
        for count in COUNTS:
            rng = np.random.default_rng(count)
            intervals = [bootstrap_interval(draw(rng, count), seed=seed) for seed in range(sets)]
            cells.append(np.mean([i.low <= truth <= i.high for i in intervals if i.low is not None]))
        print(f"{name:<24}" + "".join(f"{100 * cell:7.1f}%" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
