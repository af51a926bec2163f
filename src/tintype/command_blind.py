"""What `tintype blind` does and prints: the page of a human test, and the scores of what people answered."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from tintype.arguments import chosen_direction, counted, print_or_write
from tintype.atomic import atomic_path
from tintype.console import Reporter
from tintype.errors import UsageError


def make(
    inputs: Sequence[Path],
    model: Path | None,
    *,
    data: Path | None,
    out: Path,
    direction: str | None,
    size: int | None,
    count: int,
    practice: int,
    controls: float,
    exposure: float | None,
    strength: float,
    seed: int,
) -> None:
    """Write the page and say what is on it."""
    if len(inputs) + (model is not None) != 1:
        hint = "; to score files of answers add --score" if any(path.suffix == ".json" for path in inputs) else ""
        raise UsageError(f"blind: give one model, a run folder or a model file{hint}")
    wanted_direction = chosen_direction(direction)
    from tintype.blind import Wanted, write_blind

    wanted = Wanted(count, practice, controls, exposure, strength, seed)
    with Reporter() as say:
        say.begin("making pictures", count + practice)
        made = write_blind(
            model or inputs[0], out, data, wanted, direction=wanted_direction, size=size, progress=say.update
        )
    for note in made.notes:
        print(note, file=sys.stderr)  # noqa: T201
    kinds = [item.kind for item in made.test.items]
    parts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(sorted(kinds, key=_ORDER.index)))
    print(  # noqa: T201
        f"{made.path}: test {made.test.digest}, {counted(len(kinds), 'picture')} of {made.test.size} px ({parts}), "
        f"{made.test.practice} for practice, {made.size_bytes / 1e6:.1f} MB"
    )
    print("next: open it in a browser, save the answers, then: tintype blind --score FILES")  # noqa: T201


_ORDER = ("real", "model", "grey copy", "random chroma", "identity")


def score(files: Sequence[Path], json_file: Path | None, csv_file: Path | None) -> None:
    """Print the scores of one or several persons; write them as JSON and CSV where that is asked for."""
    from tintype.blind_score import format_blind, picture_rows, score_files

    scores = score_files(files)
    if csv_file is not None:
        with atomic_path(csv_file) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(picture_rows(scores))
    print_or_write(scores.to_dict(), format_blind(scores), json_file)
