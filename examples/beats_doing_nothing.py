"""Ask one question of a model, for a script or a scheduled job: does it beat the best trivial baseline?

python examples/beats_doing_nothing.py runs/hubble --data unseen/ || echo "not good enough"
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import tintype


def main() -> None:
    """Print the mean PSNR of every contender and the verdict; exit with 1 unless the model is better."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="run folder or model file")
    parser.add_argument("--data", type=Path, help="folder of pictures; default: the test pictures of the run")
    args = parser.parse_args()

    scores = tintype.evaluate(args.model, args.data)
    for row in scores.rows:
        print(f"{row.psnr.mean:6.2f} dB  {row.name}")
    print(scores.verdict)
    sys.exit(not any(comparison.outcome == "better" for comparison in scores.comparisons))


if __name__ == "__main__":
    main()
