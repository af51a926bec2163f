"""What `tintype demo` must reach, checked on what it left behind.

    python benchmarks/demo_bars.py [--demo demo]

Luminance: L* of every coloured test picture equals that of its grey input within rounding to 8 bits, by scikit-image.
Scores, over test pictures with colour in their truth, at strength 1: mean PSNR at most 0.3 dB below grey copy and above
mean chroma; colourfulness at least 35 % of the truth's. Ends with exit code 1 if one of them is missed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from skimage.color import rgb2lab

from tintype.image.file import read_image


def luminance(path: Path) -> np.ndarray:
    """L* of a picture, `h w`."""
    pixels = read_image(path).pixels
    return rgb2lab(np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels)[..., 0]


def main() -> None:
    """Check and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=Path, default=Path("demo"))
    folder = parser.parse_args().demo
    worst = max(
        float(np.abs(luminance(folder / "coloured" / path.name) - luminance(path)).max())
        for path in (folder / "grey").iterdir()
    )
    # rounding three channels to 1/255 moves L* by at most the step of one level of grey, which is largest at mid dark
    levels = rgb2lab(np.repeat(np.arange(256)[:, None, None] / 255, 3, axis=2))[:, 0, 0]
    step = float(np.diff(levels).max())
    scores = json.loads((folder / "run" / "scores.json").read_text())
    rows = {row["name"]: row for row in scores["rows"]}
    psnr = {name: row["psnr"]["mean"] for name, row in rows.items()}
    ratio = rows["model"]["colourfulness_ratio"]
    bars = {
        f"largest change of L* {worst:.2f}, one level of grey is up to {step:.2f}": worst <= step,
        f"PSNR {psnr['model']:.2f} dB, grey copy {psnr['grey copy']:.2f}": psnr["model"] >= psnr["grey copy"] - 0.3,
        f"PSNR {psnr['model']:.2f} dB, mean chroma {psnr['mean chroma']:.2f}": psnr["model"] > psnr["mean chroma"],
        f"colourfulness {ratio:.0%} of the truth's": ratio >= 0.35,
    }
    for text, reached in bars.items():
        print(f"{'reached' if reached else 'MISSED '}  {text}")
    raise SystemExit(not all(bars.values()))


if __name__ == "__main__":
    main()
