"""Write the card of a model that comes with Tintype: what was measured goes between sections that people wrote.

    python benchmarks/model_card.py NAME --scores SCORES.json [--scores MORE.json ...]

reads `benchmarks/model_cards/NAME.md` and the model's files, and writes `src/tintype/models/NAME.md`. In the text,
`<!-- model -->` becomes the table of how the model was made, `<!-- test -->` what it scored at the end of its run, and
`<!-- scores -->` the tables of files that `benchmarks/colouriser_bars.py --json` or `tintype evaluate --json` wrote.
Any other `<!-- ... -->` is a section that somebody has still to write: nothing is written then.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tintype.inference.bundled import BUNDLED, FOLDER, bundled_model
from tintype.inference.modelfile import ModelCard, read_card, read_safetensors
from tintype.metrics.interval import Interval
from tintype.metrics.scores import Row

TEMPLATES = Path(__file__).parent / "model_cards"
MODEL = "**this model**"


def main() -> None:
    """Write the card, or say what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=BUNDLED)
    parser.add_argument("--scores", type=Path, action="append", default=[])
    asked = parser.parse_args()
    text = (TEMPLATES / f"{asked.name}.md").read_text(encoding="utf-8")
    parts = {
        "model": model_table(asked.name),
        "test": test_table(read_card(bundled_model(asked.name))),
        "scores": "\n\n".join(table for file in asked.scores for table in tables_of(file)),
    }
    for marker, made in parts.items():
        text = text.replace(f"<!-- {marker} -->", made) if made else text
    if missing := re.findall(r"<!-- (.*?) -->", text, re.DOTALL):
        sys.exit("\n".join(["still to be written:", *missing]))
    path = FOLDER / f"{asked.name}.md"
    path.write_text(text, encoding="utf-8")
    print(path)


def model_table(name: str) -> str:
    """How a model was made and what its files are."""
    graph, weights = bundled_model(name), bundled_model(name, ".safetensors")
    state, card = read_safetensors(weights)
    recipe = card.recipe
    used = read_card(graph)
    if (used.recipe, used.step, used.direction) != (card.recipe, card.step, card.direction):
        sys.exit(f"{graph} and {weights} are not of one model: export the graph again")
    count = sum(value.size for key, value in state.items() if key.endswith(("weight", "bias")))
    rows = {
        "recipe": f"`{recipe.name}` (digest {recipe.digest})",
        "network": f"{recipe.generator.kind}, {count / 1e6:.1f} million weights",
        "sees": f"luminance, the shorter side of a picture reduced to {recipe.data.size} px",
        "predicts": f"chroma at {recipe.codec_chroma_size} px, joined with the full luminance of the picture",
        "hints": "taken: colours at points (`--hint`)" if recipe.takes_hints else "not taken",
        "strength 1": f"{recipe.inference.boldness:g} times what the network predicts",
        "seed": recipe.training.seed,
        "trained": f"{card.step:,} steps of {recipe.training.batch_size}, {card.images_seen:,} pictures seen in all",
        "with": f"Tintype {card.tintype_version}",
        "split": f"digest {(card.split or {}).get('digest', 'unknown')}",
        **{f"`{path.name}`": file_of(path) for path in (graph, weights)},
    }
    return markdown(["", ""], [[key, str(value)] for key, value in rows.items()])


def file_of(path: Path) -> str:
    """Size and SHA-256 of a file."""
    return f"{path.stat().st_size / 1e6:.1f} MB, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}..."


def test_table(card: ModelCard) -> str:
    """What the end of the run measured on its own test pictures."""
    protocol = card.scores["protocol"]
    rows = TypeAdapter(tuple[Row, ...]).validate_python(card.scores["rows"])
    return f"{protocol['judged']} coloured pictures at {protocol['size']} px:\n\n{row_table(rows)}"


def tables_of(file: Path) -> list[str]:
    """The tables of a file of scores, each under the name of its pictures."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if "rows" in found:
        rows = TypeAdapter(tuple[Row, ...]).validate_python(found["rows"])
        return [f"{file.stem}:\n\n{row_table(rows)}"]
    return [f"{name}:\n\n{folder_table(rows)}" for name, rows in found.items()]


COLUMNS = ["", "PSNR, dB", "mean gain over grey, dB", "pooled gain, dB", "CIEDE2000", "colourfulness of the truth's"]


def row_table(rows: tuple[Row, ...]) -> str:
    """Scores of `tintype evaluate`, the model first."""
    lines = []
    for row in rows:
        title = MODEL + row.name.removeprefix("model") if row.name.startswith("model") else row.name
        colour = "" if row.colourfulness_ratio is None else f"{row.colourfulness_ratio:.0%}"
        pooled = f"{row.pooled_gain:+z.2f}"
        lines.append([title, f"{row.psnr.mean:.2f}", in_words(row.gain), pooled, f"{row.ciede2000.mean:.2f}", colour])
    return markdown(COLUMNS, lines)


def folder_table(rows: dict[str, Any]) -> str:
    """Scores of `colouriser_bars.py` on one folder, the model first."""
    lines = []
    for number, (title, row) in enumerate(rows.items()):
        gains = (in_words(Interval(**row[key])) for key in ("mean_gain", "pooled_gain"))
        psnr, difference = f"{row['psnr']:.2f}", f"{row['ciede2000']:.2f}"
        lines.append([title if number else MODEL, psnr, *gains, difference, f"{row['colourfulness']:.0%}"])
    return markdown(COLUMNS, lines)


def in_words(interval: Interval) -> str:
    """A gain with its interval."""
    ends = "" if interval.low is None else f" [{interval.low:+z.2f}, {interval.high:+z.2f}]"
    return f"{interval.mean:+z.2f}{ends}"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
