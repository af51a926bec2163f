"""Figures of samples in words and tables, as plain text cells, for the console, `scores.json` and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tintype.metrics.classification import percent
from tintype.metrics.interval import Interval
from tintype.metrics.motion import MotionRow
from tintype.metrics.samples import DiscriminatorFigures, SampleRow
from tintype.metrics.verdict import thousandfold

_NONE = "-"


@dataclass(frozen=True, slots=True)
class SampleScores:
    """A complete evaluation of models that make pictures from noise; the layout of their `scores.json`.

    Attributes:
        protocol: What figures were measured on and with.
        pictures: Test pictures, and samples of each model.
        rows: The model's, that of real pictures, and those of other runs (`run NAME`).
        motion: How clips move: the model's, real ones, real frames that stand still, and other runs'; none of pictures.
        discriminator: On real and generated pictures that it has not seen; None where it is not at hand.
        in_training: Its accuracy on what it was trained on, `real` and `fake`.
        classes: How many the judging classifier knows of those of the set; 0: it knows others.
        notes: Sentences on what a reader must know to judge the figures.
    """

    protocol: dict[str, Any]
    pictures: int
    rows: tuple[SampleRow, ...]
    motion: tuple[MotionRow, ...]
    discriminator: DiscriminatorFigures | None
    in_training: dict[str, float]
    classes: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "protocol": self.protocol,
            "pictures": self.pictures,
            "discriminator": None if self.discriminator is None else asdict(self.discriminator),
            "discriminator_in_training": self.in_training,
            "samples": [asdict(row) for row in self.rows],
            **({"motion": [asdict(row) for row in self.motion]} if self.motion else {}),
            "tables": self.tables,
            "verdict": self.verdict,
            "notes": list(self.notes),
        }

    @property
    def tables(self) -> list[dict[str, Any]]:
        """See `sample_tables` and `motion_table`."""
        tables = sample_tables(self.discriminator, self.in_training, self.rows, self.classes)
        return [*tables, motion_table(self.motion)] if self.motion else tables

    @property
    def verdict(self) -> str:
        """See `sample_verdict` and `motion_verdict`."""
        return sample_verdict(self.rows) + (f" {motion_verdict(self.motion)}" if self.motion else "")


def format_sample_scores(scores: SampleScores) -> str:
    """Tables, notes and verdict as text for the console."""
    return "\n".join([*map(_as_text, scores.tables), *scores.notes, scores.verdict])


def sample_tables(
    judged: DiscriminatorFigures | None,
    in_training: Mapping[str, float],
    rows: Sequence[SampleRow],
    classes: int,
) -> list[dict[str, Any]]:
    """Tables with `title`, `caption`, `head` and `rows`: the samples beside real pictures, and the discriminator.

    Args:
        judged: The discriminator on real and generated pictures that it has not seen; None leaves its table out.
        in_training: Its accuracy on what it was trained on, `real` and `fake`.
        rows: The model's, the reference's, and those of other runs.
        classes: How many the judging classifier knows; 0 leaves them out.
    """
    lines: list[tuple[str, list[str]]] = [
        ("pictures", [f"{row.pictures:,}" for row in rows]),
        ("KID x 1000 to test pictures", [_interval(thousandfold(row.kid), 2) for row in rows]),
        ("precision", [f"{row.precision:.3f}" for row in rows]),
        ("recall", [f"{row.recall:.3f}" for row in rows]),
    ]
    if classes:
        lines += [
            ("of the class asked for", [_NONE if row.accuracy is None else percent(row.accuracy) for row in rows]),
            (
                f"classes covered, of {classes}",
                [_NONE if row.covered is None else str(row.covered) for row in rows],
            ),
            ("distance of class shares", [_figure(row.class_distance, 3) for row in rows]),
        ]
    caption = "Real pictures: others, beside the test pictures."
    if any(row.nearest is not None for row in rows):
        lines += [
            ("distance to the nearest training picture", [_figure(row.nearest, 3) for row in rows]),
            (
                "nearer than 99 % of test pictures",
                [_NONE if row.copies is None else f"{row.copies:.1%}" for row in rows],
            ),
        ]
        caption = (
            "Real pictures: training pictures beside test pictures, and for the last two lines test pictures beside "
            "training pictures."
        )
    named = {"model": "model", "real": "real pictures"}
    samples = {
        "title": "Samples",
        "caption": caption,
        "head": ["", *(named.get(row.name, row.name) for row in rows)],
        "rows": [[name, *cells] for name, cells in lines],
    }
    if judged is None:
        return [samples]
    figures = [
        ("loss", _figure(judged.loss, 4), _figure(judged.loss_real, 4), _figure(judged.loss_fake, 4)),
        ("accuracy", *(f"{value:.4f}" for value in (judged.accuracy, judged.accuracy_real, judged.accuracy_fake))),
        ("precision", _figure(judged.precision, 4), "", ""),
        ("recall", _figure(judged.recall, 4), "", ""),
        ("F1", _figure(judged.f1, 4), "", ""),
    ]
    if in_training:
        kinds = [_figure(in_training.get(kind), 4) for kind in ("real", "fake")]
        figures.append(("accuracy in training, at most the last 5 epochs", "", *kinds))
    discriminator = {
        "title": "Discriminator",
        "caption": f"On {judged.pictures:,} real and as many generated pictures that it has not seen; real is "
        "positive. What it says depends on it as much as on the samples.",
        "head": ["", "both", "on real", "on generated"],
        "rows": [list(line) for line in figures],
    }
    return [samples, discriminator]


def motion_table(rows: Sequence[MotionRow]) -> dict[str, Any]:
    """A table like those of `sample_tables`: how clips move, beside real ones and a picture that stands still."""
    lines = [
        ("clips", [f"{row.clips:,}" for row in rows]),
        ("change from frame to frame", [f"{row.change:.4f}" for row in rows]),
        ("speed, pixels a frame", [f"{row.speed:.2f} ± {row.speed_spread:.2f}" for row in rows]),
        ("turning, pixels a frame", [f"{row.turning:.2f}" for row in rows]),
        ("change of the picture that moves", [f"{row.deforming:.4f}" for row in rows]),
    ]
    named = {"model": "model", "real": "real clips", "still": "a still picture"}
    return {
        "title": "Motion",
        "caption": "Real clips: made of test pictures; a still picture: their first frames. Best is what real clips "
        "have, neither less nor more. Speed: of the centre of brightness, with its standard deviation over clips; "
        "turning: how much its velocity changes. The last line follows the picture, which should stay as it is.",
        "head": ["", *(named.get(row.name, row.name) for row in rows)],
        "rows": [[name, *cells] for name, cells in lines],
    }


def motion_verdict(rows: Sequence[MotionRow]) -> str:
    """What the motion of the model's clips beside real ones comes to, in a sentence."""
    model, real, *_ = rows
    return (
        f"Clips move by {model.speed:.2f} px a frame, real ones by {real.speed:.2f}; what moves changes by "
        f"{model.deforming:.4f} a frame on the way, in real ones by {real.deforming:.4f}."
    )


def sample_verdict(rows: Sequence[SampleRow]) -> str:
    """What the figures of the model's row beside those of real pictures, and of other runs, come to, in sentences."""
    model, real, *others = rows
    words = [
        f"Samples of the model have a KID x 1000 of {_thousands(model)} to test pictures, where real ones have "
        f"{_thousands(real)}; {model.precision:.0%} of them lie among real pictures, and {model.recall:.0%} of those "
        "among the samples."
    ]
    if model.accuracy is not None:
        truth = f", of real ones {real.accuracy.mean:.1%}" if real.accuracy is not None else ""
        words.append(f"{model.accuracy.mean:.1%} are told as the class that was asked for{truth}.")
    if model.copies is not None and model.copies > 0.05:
        words.append(f"{model.copies:.0%} of them are nearer to a training picture than 99 % of test pictures are.")
    words += [
        f"Its KID {_beside(model.kid, other.kid)} that of {other.name} ({_thousands(other)})." for other in others
    ]
    return " ".join(words)


def _thousands(row: SampleRow) -> str:
    """KID of a row times 1,000."""
    return f"{thousandfold(row.kid).mean:z.2f}"


def _beside(one: Interval, other: Interval) -> str:
    """How a figure whose lower values are better stands beside another one, by their intervals."""
    if one.high is not None and other.low is not None and one.high < other.low:
        return "is lower, so better, than"
    if one.low is not None and other.high is not None and one.low > other.high:
        return "is higher, so worse, than"
    return "cannot be told apart from"


def _interval(value: Interval, decimals: int) -> str:
    if value.low is None or value.high is None:
        return f"{value.mean:z.{decimals}f}"
    return f"{value.mean:z.{decimals}f} [{value.low:z.{decimals}f}, {value.high:z.{decimals}f}]"


def _figure(value: float | None, decimals: int) -> str:
    return _NONE if value is None else f"{value:.{decimals}f}"


def _as_text(table: dict[str, Any]) -> str:
    """A table for the console."""
    rows = [table["head"], *table["rows"]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([table["title"], *lines])
