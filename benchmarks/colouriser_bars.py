"""How good a colouriser is on folders of pictures that it never saw, at strength 1, beside leaving them grey.

    python benchmarks/colouriser_bars.py MODEL FOLDER... [--size 256] [--baseline MODEL] [--strength S] [--json FILE]

Each folder is scored by itself, and all of them together. Pictures are reduced to a shorter side of `--size`, and their
centre is judged; only pictures whose truth has colour count (mean Lab chroma of at least 2). The mean gain is that of
the pictures' PSNR over grey copy; the pooled gain that of one PSNR over all their pixels, in which pictures with much
colour weigh most. Intervals are of 95 %, by resampling pictures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tintype.image.codec import on_picture
from tintype.image.file import PICTURE_SUFFIXES, read_image
from tintype.image.resize import resize
from tintype.inference.translator import Translator
from tintype.metrics.baselines import BaselineConstants, colouring_baselines
from tintype.metrics.colour import ciede2000, colourfulness, mean_chroma
from tintype.metrics.interval import Interval, bootstrap_interval
from tintype.metrics.summary import COLOURED_THRESHOLD

GREY = "grey copy"


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one way of colouring, over the pictures of a folder."""

    mean_gain: Interval
    pooled_gain: Interval
    psnr: float
    ciede2000: float
    colourfulness: float
    """Share of the truth's."""


def main() -> None:
    """Print a table for each folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=str)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--baseline", type=str, action="append", default=[])
    parser.add_argument("--strength", type=float, action="append", default=[], help="also at this strength")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    models = {name: Translator(name) for name in (asked.model, *asked.baseline)}
    constants = models[asked.model].card.baselines
    found = {
        folder.name if folder.name != "test" else str(folder): judge(
            folder, models, constants, asked.size, asked.strength
        )
        for folder in asked.folders
    }
    if len(found) > 1:
        found[" + ".join(found)] = [picture for pictures in found.values() for picture in pictures]
    tables = {name: table(pictures) for name, pictures in found.items()}
    for name, rows in tables.items():
        print(f"\n{name}: {len(found[name])} coloured pictures at {asked.size} px")
        print(f"{'':28}{'mean gain, dB':>24}{'pooled gain, dB':>24}{'PSNR':>8}{'CIEDE2000':>11}{'colour':>8}")
        for title, row in rows.items():
            print(
                f"{title[-27:]:28}{in_words(row.mean_gain):>24}{in_words(row.pooled_gain):>24}{row.psnr:8.2f}"
                f"{row.ciede2000:11.2f}{row.colourfulness:8.0%}"
            )
    if asked.json:
        asked.json.write_text(
            json.dumps({name: {title: asdict(row) for title, row in rows.items()} for name, rows in tables.items()})
        )


def judge(
    folder: Path,
    models: dict[str, Translator],
    constants: BaselineConstants | None,
    size: int,
    strengths: Sequence[float] = (),
) -> list[dict[str, np.ndarray]]:
    """For each coloured picture: mean squared error, CIEDE2000 and colourfulness of every way of colouring it."""
    codec = next(iter(models.values())).codec
    pictures = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES):
        truth = centre_of(path, size)
        if mean_chroma(truth) < COLOURED_THRESHOLD:
            continue
        source = on_picture(codec.source_of, truth)
        predicted = {name: model.predict(source) for name, model in models.items()}
        shown = {name: prediction.render() for name, prediction in predicted.items()}
        shown |= {f"{name} at {one:g}": predicted[name].render(one) for name in models for one in strengths}
        shown |= colouring_baselines(source, constants)
        pictures.append(
            {
                name: np.array([np.square(one - truth).mean(), ciede2000(one, truth), colourfulness(one)])
                for name, one in {**shown, "truth": truth}.items()
            }
        )
    return pictures


def centre_of(path: Path, size: int) -> np.ndarray:
    """The centre of a picture reduced to a shorter side of `size`, `size size 3` in [0, 1]."""
    pixels = read_image(path).pixels
    height, width = pixels.shape[:2]
    scale = size / min(height, width)
    pixels = resize(pixels, max(size, round(height * scale)), max(size, round(width * scale)))
    top, left = (pixels.shape[0] - size) // 2, (pixels.shape[1] - size) // 2
    pixels = np.clip(pixels[top : top + size, left : left + size], 0, 1)
    return pixels if pixels.shape[2] == 3 else pixels.repeat(3, axis=2)


def table(pictures: list[dict[str, np.ndarray]]) -> dict[str, Row]:
    """The figures of every way of colouring."""
    grey = np.array([picture[GREY][0] for picture in pictures])
    truth = np.mean([picture["truth"][2] for picture in pictures])
    rows = {}
    for name in pictures[0]:
        if name == "truth":
            continue
        errors, differences, colours = np.array([picture[name] for picture in pictures]).T
        psnr = -10 * np.log10(np.maximum(errors, 1e-10))
        rows[name] = Row(
            mean_gain=bootstrap_interval(psnr + 10 * np.log10(np.maximum(grey, 1e-10))),
            pooled_gain=pooled(errors, grey),
            psnr=float(psnr.mean()),
            ciede2000=float(differences.mean()),
            colourfulness=float(colours.mean() / truth),
        )
    return rows


def pooled(errors: np.ndarray, grey: np.ndarray, resamples: int = 2000) -> Interval:
    """Gain in dB of one PSNR over all pixels, with the percentiles of resampled pictures around it."""
    random = np.random.default_rng(0)
    drawn = random.integers(len(errors), size=(resamples, len(errors)))
    gains = 10 * np.log10(grey[drawn].mean(axis=1) / errors[drawn].mean(axis=1))
    low, high = np.quantile(gains, (0.025, 0.975))
    return Interval(float(10 * np.log10(grey.mean() / errors.mean())), float(low), float(high))


def in_words(interval: Interval) -> str:
    """A figure with its interval."""
    return f"{interval.mean:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}]"


if __name__ == "__main__":
    main()
