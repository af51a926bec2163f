"""The tab of the models: what each one's card says, its scores beside the trivial baselines', and its written card."""

from __future__ import annotations

import html
from pathlib import Path

import gradio as gr
from pydantic import ValidationError

from tintype.inference.modelfile import ModelCard
from tintype.report_scores import Interval, Row, Scores
from tintype.server.service import ServedModel, Service
from tintype.server.studio_words import models_by_label

_MAX_CARD_TEXT = 200_000
_CAPTION = "95 % intervals in small type. Baselines need no model at all."
_COLUMNS = (
    ("gain", "Gain over {reference}, dB", 2),
    ("psnr", "PSNR, dB", 2),
    ("ssim", "SSIM", 3),
    ("ciede2000", "CIEDE2000", 2),
    ("colourfulness_ratio", "Colourfulness, part of the truth's", 2),
)
"""Field of a row, its name for reading, and its decimal places."""


def scores_tab(service: Service) -> None:
    """The tab."""
    models = models_by_label(service)
    with gr.Row():
        chosen = gr.Dropdown(list(models), value=next(iter(models)), label="Model", elem_id="card-model")
    card = gr.HTML(_card_of(next(iter(models.values()))))
    text = gr.Markdown(_text_of(next(iter(models.values()))))

    def show(label: str) -> tuple[str, str]:
        return _card_of(models[label]), _text_of(models[label])

    chosen.change(show, chosen, [card, text], api_visibility="private", show_progress="hidden")


def _card_of(model: ServedModel) -> str:
    """Facts and scores, as HTML."""
    return f"<section>{_facts(model.card, model.path)}{_scores(model.card)}</section>"


def _facts(card: ModelCard, path: Path) -> str:
    recipe = card.recipe
    rows = [
        ("File", f"{path.name}, {path.stat().st_size / 2**20:.1f} MiB"),
        ("Recipe", recipe.name + (f": {recipe.description}" if recipe.description else "")),
        ("Training", f"{card.step:,} steps, {card.images_seen:,} pictures seen"),
        ("Size at which the network works", f"{recipe.data.size} px"),
        ("Calibrated strength", f"{card.strength:g}"),
        ("Results of a picture", "many, one a seed" if card.makes_many else "one"),
    ]
    lines = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in rows)
    return f'<dl class="facts">{lines}</dl>'


def _scores(card: ModelCard) -> str:
    try:
        scores = Scores.model_validate(card.scores)
    except ValidationError:
        return '<p class="problem">The scores of this model have an unknown layout.</p>'
    if not scores.rows:
        return '<p class="said">No scores stand in this model file: it was not judged on pictures with a truth.</p>'
    columns = [column for column in _COLUMNS if any(getattr(row, column[0]) is not None for row in scores.rows)]
    head = "".join(
        f'<th scope="col">{html.escape(name.format(reference=scores.reference))}</th>' for _, name, _ in columns
    )
    body = "".join(
        f'<tr class="{"model" if row.is_model else "baseline"}"><th scope="row">{html.escape(row.label)}</th>'
        + "".join(f"<td>{_cell(row, field, places)}</td>" for field, _, places in columns)
        + "</tr>"
        for row in scores.rows
    )
    return (
        '<div class="wide"><table class="scores">'
        f'<caption>{_CAPTION}</caption><thead><tr><th scope="col">Contender</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(row: Row, field: str, places: int) -> str:
    value: Interval | None = getattr(row, field)
    if value is None:
        return ""
    text = f"{value.mean:.{places}f}"
    if value.low is not None and value.high is not None:
        text += f" <small>{value.low:.{places}f} to {value.high:.{places}f}</small>"
    return text.replace("-", "\u2212")


def _text_of(model: ServedModel) -> str:
    """The text that lies beside the model file, under its name with the suffix .md; empty where there is none."""
    path = model.path.with_suffix(".md")
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(_MAX_CARD_TEXT).decode(errors="replace")
