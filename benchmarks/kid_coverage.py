"""How often the interval of paired KID holds the true value, over many made sets of pictures' features.

    python benchmarks/kid_coverage.py [--sets 500]

Features are made as networks make them: not negative, 32 of them from 8 causes. "alike": generated and true ones share
no cause and one distribution, so the true value is 0; "weak" and "clear": the generated ones have the causes of their
truths, 5 % and 30 % duller. The true value is the mean over the largest sets, exact but for chance, as the estimate
has no bias. About a minute.
"""

from __future__ import annotations

import argparse

import numpy as np

from tintype.metrics import paired_kid

COUNTS = (20, 50, 200)
DULLNESS = {"alike": 1.0, "weak": 0.95, "clear": 0.7}
MIXING = np.random.default_rng(5).normal(size=(8, 32)) / 3


def causes(rng: np.random.Generator, count: int) -> np.ndarray:
    """What the features of pictures come from."""
    return np.abs(rng.normal(size=(count, 8))) @ MIXING


def features(rng: np.random.Generator, made_from: np.ndarray) -> np.ndarray:
    """Features with noise, cut off at 0."""
    return np.maximum(made_from + 0.5 * rng.normal(size=made_from.shape), 0)


def main() -> None:
    """Print the shares, a line for each kind of set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=500)
    sets = parser.parse_args().sets
    print(f"{'sets':<8}{'true KID':>10}" + "".join(f"{count:>8}" for count in COUNTS))
    for kind, dullness in DULLNESS.items():
        intervals = {}
        for count in COUNTS:
            rng = np.random.default_rng(count)
            intervals[count] = []
            for _ in range(sets):
                of_truth = causes(rng, count)
                of_generated = causes(rng, count) if kind == "alike" else dullness * of_truth
                intervals[count].append(paired_kid(features(rng, of_generated), features(rng, of_truth)))
        truth = 0.0 if kind == "alike" else np.mean([i.mean for i in intervals[COUNTS[-1]]])
        shares = [np.mean([(i.low or 0) <= truth <= (i.high or 0) for i in intervals[count]]) for count in COUNTS]
        print(f"{kind:<8}{truth:10.4f}" + "".join(f"{100 * share:7.1f}%" for share in shares), flush=True)


if __name__ == "__main__":
    main()
