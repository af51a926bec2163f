"""Chroma enlarged along edges against plain enlarging: mean CIEDE2000 and PSNR over validation pictures of a run.

    python benchmarks/edges.py RUN FOLDER --size 256 --pictures 40

`true`: the pictures' own chroma, reduced to 64 px; `model`: what the run's model predicts. Differences are guided minus
plain with a 95 % interval over pictures; below 0 in CIEDE2000 the guided way is better.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from tintype.image import color
from tintype.image.array_picture import ArrayPicture
from tintype.image.codec import on_picture
from tintype.image.file import read_image
from tintype.image.guided import GuidedResizing
from tintype.image.resize import resize
from tintype.inference.translator import Sizing, Translator
from tintype.metrics.colour import ciede2000, mean_chroma
from tintype.metrics.fidelity import psnr
from tintype.metrics.interval import bootstrap_interval

TRUE_PX = 64


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=256, help="shorter side of the pictures")
    parser.add_argument("--pictures", type=int, default=40)
    options = parser.parse_args()
    names = json.loads((options.run / "split.json").read_text())["validation"][: options.pictures]
    translator = Translator(options.run)
    figures: dict[str, list[list[float]]] = {"true": [], "model": []}
    for name in names:
        picture = read_image(options.folder / name).pixels
        scale = options.size / min(picture.shape[:2])
        picture = np.clip(resize(picture, *(round(side * scale) for side in picture.shape[:2])), 0, 1)
        if picture.shape[2] == 3 and mean_chroma(picture) >= 2:
            for kind, results in {"true": from_truth(picture), "model": from_model(translator, picture)}.items():
                figures[kind].append([f(result, picture) for f in (ciede2000, psnr) for result in results])
    print(f"{len(figures['true'])} pictures of {options.size} px, {options.run}")
    for kind, rows in figures.items():
        plain_error, guided_error, plain_psnr, guided_psnr = np.array(rows).T
        error, ratio = interval(guided_error - plain_error), interval(guided_psnr - plain_psnr)
        print(f"{kind:6} CIEDE2000 {plain_error.mean():.3f} -> {guided_error.mean():.3f} ({error})", end="  ")
        print(f"PSNR {plain_psnr.mean():.2f} -> {guided_psnr.mean():.2f} dB ({ratio})")


def from_truth(picture: np.ndarray) -> list[np.ndarray]:
    """The picture with its own chroma, reduced and enlarged plainly and along edges."""
    lab = on_picture(color.rgb_to_lab, picture)
    height, width = lab.shape[:2]
    scale = TRUE_PX / min(height, width)
    small = resize(lab, round(height * scale), round(width * scale))
    guided = GuidedResizing(small[..., 1:], small[..., 0], height, width).rows(0, lab[..., 0])
    return [
        on_picture(color.lab_to_display, np.concatenate([lab[..., :1], chroma], axis=2))
        for chroma in (resize(small[..., 1:], height, width, "cubic"), guided)
    ]


def from_model(translator: Translator, picture: np.ndarray) -> list[np.ndarray]:
    """What the model makes of the picture, chroma enlarged plainly and along edges."""
    strength, open_picture = translator.card.strength, ArrayPicture(picture)
    return [
        translator.translate(open_picture, strength=strength, settings=Sizing(edges=edges)).pixels()
        for edges in (False, True)
    ]


def interval(differences: np.ndarray) -> str:
    """Mean and interval in words."""
    found = bootstrap_interval(differences)
    return f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


if __name__ == "__main__":
    main()
