"""The part of the page that takes colours from a person: hints at points of the picture, and a reference picture.

A click sets a hint; so do the fields for its place, for whoever uses the keyboard.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import gradio as gr

from tintype.errors import UsageError
from tintype.image.file import open_picture
from tintype.inference.hints import Hint, hex_colour
from tintype.inference.palette import Palette, palette_of
from tintype.server.service import ServedModel, Service
from tintype.server.studio_visit import Visits
from tintype.server.studio_words import in_turn, problem

_MOST_HINTS = 100  # that a list can show
_FIRST_COLOUR = "#3f6fb5"
_NO_HINTS = "This model takes no hints: it was not trained with them."


@final
@dataclass(frozen=True, slots=True)
class Wishes:
    """What the page holds of a visitor's colours.

    Attributes:
        hints: A state: the hints, in the order in which they were set.
        reference: A state: the palette of the reference picture, or None.
        canvas: The picture to click on, with the hints drawn on it.
        listed: The hints by name, to be chosen for removal.
        tools: All of the hints' controls, hidden for models that take none.
        unasked: What is said in their place.
        palette: The controls of the reference, hidden likewise.
        changes: Events after which the picture looks otherwise.
    """

    hints: gr.State
    reference: gr.State
    canvas: gr.Image
    listed: gr.CheckboxGroup
    tools: gr.Accordion
    unasked: gr.Markdown
    palette: gr.Accordion
    changes: list[Any]

    @property
    def shown(self) -> list[Any]:
        """What `draw` changes."""
        return [self.canvas, self.listed]

    @property
    def offered(self) -> list[Any]:
        """What `offer` changes."""
        return [self.tools, self.unasked, self.palette]


def wishes_of(
    service: Service,
    visits: Visits,
    key: gr.State,
    status: gr.HTML,
    models: Mapping[str, ServedModel],
    model: gr.Dropdown,
) -> Wishes:
    """Make the controls and what they do.

    Args:
        service: Whose queue the work goes through.
        visits: Where the picture is.
        key: A state: whose picture it is.
        status: Where errors are told.
        models: By label.
        model: The control that holds the label.
    """
    hints, reference = gr.State(()), gr.State(None)
    first = next(iter(models.values()))
    takes, chroma = "hints" in first.card.inputs, first.translator.codec.predicts_chroma
    with gr.Accordion("Set colours at points: hints", open=False, elem_id="hints", visible=takes) as tools, gr.Row():
        with gr.Column(scale=3, min_width=280):
            canvas = gr.Image(
                label="Click to set the chosen colour there",
                type="filepath",
                interactive=False,
                buttons=[],
                elem_id="canvas",
            )
        with gr.Column(scale=2, min_width=240):
            colour = gr.ColorPicker(_FIRST_COLOUR, label="Colour", elem_id="hint-colour")
            with gr.Row():
                x = gr.Number(label="x, px", precision=1, minimum=0, min_width=90, elem_id="hint-x")
                y = gr.Number(label="y, px", precision=1, minimum=0, min_width=90, elem_id="hint-y")
            add = gr.Button("Add hint", size="sm", elem_id="hint-add")
            listed = gr.CheckboxGroup([], label="Hints: tick to remove", elem_id="hint-list")
            with gr.Row():
                remove = gr.Button("Remove", size="sm", min_width=90, elem_id="hint-remove")
                undo = gr.Button("Undo", size="sm", min_width=90, elem_id="hint-undo")
                clear = gr.Button("Clear", size="sm", min_width=90, elem_id="hint-clear")
    unasked = gr.Markdown(_NO_HINTS, elem_classes="quiet", visible=chroma and not takes)
    with gr.Accordion("Take the colours of another picture", open=False, elem_id="palette", visible=chroma) as palette:
        other = gr.File(label="Reference picture, in colour", height=120, elem_id="reference")

    def add_at(key: str | None, hints: tuple[Hint, ...], x: float | None, y: float | None, colour: str) -> Any:  # noqa: ANN401
        try:
            info = visits.get(key).picture.info
            if x is None or y is None or not (0 <= x <= info.width and 0 <= y <= info.height):
                raise UsageError(f"give a point in the picture, of {info.width} x {info.height} pixels")
            if len(hints) >= _MOST_HINTS:
                raise UsageError(f"there are {len(hints):,} hints, which is the most; remove some first")
            return (*hints, Hint(float(x), float(y), colour_of(colour))), gr.skip()
        except Exception as error:
            return gr.skip(), problem(error)

    def add_click(key: str | None, hints: tuple[Hint, ...], colour: str, event: gr.SelectData) -> Any:  # noqa: ANN401
        try:
            scale = visits.get(key).marked_scale
        except Exception as error:
            return gr.skip(), problem(error)
        across, down = event.index
        return add_at(key, hints, (across + 0.5) * scale, (down + 0.5) * scale, colour)

    def take_reference(path: str | None, label: str) -> Any:  # noqa: ANN401
        if path is None:
            return None, gr.skip()
        try:
            picture = open_picture(Path(path), service.reading)
            return in_turn(service, models[label], lambda _: palette_of(picture)), gr.skip()
        except Exception as error:
            return None, problem(error)

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    changes = [
        canvas.select(add_click, [key, hints, colour], [hints, status], **quiet),
        add.click(add_at, [key, hints, x, y, colour], [hints, status], **quiet),
        remove.click(_without, [hints, listed], hints, **quiet),
        undo.click(lambda hints: hints[:-1], hints, hints, **quiet),
        clear.click(lambda: (), None, hints, **quiet),
        gr.on([other.upload, other.clear], take_reference, [other, model], [reference, status], **quiet),
    ]
    return Wishes(hints, reference, canvas, listed, tools, unasked, palette, changes)


def draw(visits: Visits, key: str | None, hints: Sequence[Hint], model: ServedModel) -> tuple[Any, Any]:
    """The picture to click on and the list of hints; nothing where the model takes none."""
    if key is None or "hints" not in model.card.inputs:
        return gr.update(value=None), gr.update(choices=[], value=[])
    visit = visits.get(key)
    with visit.lock:
        path = visit.mark(hints)
    return gr.update(value=str(path)), gr.update(choices=_names(hints), value=[])


def offer(model: ServedModel) -> tuple[Any, Any, Any]:
    """Show what the model can make use of."""
    takes, codec = "hints" in model.card.inputs, model.translator.codec
    return (
        gr.update(visible=takes),
        gr.update(visible=codec.predicts_chroma and not takes),
        gr.update(visible=codec.predicts_chroma),
    )


def wanted(
    model: ServedModel, hints: tuple[Hint, ...], reference: Palette | None
) -> tuple[tuple[Hint, ...], Palette | None]:
    """What of it the model can make use of."""
    return (
        hints if "hints" in model.card.inputs else (),
        reference if model.translator.codec.predicts_chroma else None,
    )


def colour_of(text: str) -> tuple[float, float, float]:
    """What a colour picker of Gradio gives, `#rrggbb` or `rgba(r, g, b, a)` with numbers up to 255, in [0, 1].

    Raises:
        UsageError: It is something else.
    """
    text = text.strip()
    if re.fullmatch(r"#[0-9a-fA-F]{6}(?:[0-9a-fA-F]{2})?", text):
        return hex_colour(text)
    number = r"(\d{1,3}(?:\.\d{0,20})?)"
    found = re.fullmatch(rf"rgba?\(\s*{number}[\s,]+{number}[\s,]+{number}[^)]{{0,20}}\)", text, re.ASCII)
    red, green, blue = (float(channel) / 255 for channel in found.groups()) if found else (-1.0, -1.0, -1.0)
    if not all(0 <= channel <= 1 for channel in (red, green, blue)):
        raise UsageError("the colour is none; choose one like #3366cc")
    return red, green, blue


def _names(hints: Sequence[Hint]) -> list[str]:
    return [f"{number}: {hint}" for number, hint in enumerate(hints, 1)]


def _without(hints: tuple[Hint, ...], names: list[str]) -> tuple[Hint, ...]:
    """The hints that are not among those chosen by name."""
    return tuple(hint for hint, name in zip(hints, _names(hints), strict=True) if name not in names)
