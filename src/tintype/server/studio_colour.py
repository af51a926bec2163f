"""The tab for one picture: before and after, strength, samples, uncertainty, and the file to keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from tintype.image.file import PICTURE_SUFFIXES
from tintype.inference.hints import Hint
from tintype.inference.options import TranslateOptions
from tintype.inference.palette import Palette
from tintype.server.service import ServedModel, Service
from tintype.server.studio_hints import draw, offer, wanted, wishes_of
from tintype.server.studio_visit import Look, Made, Visit, Visits
from tintype.server.studio_words import in_turn, models_by_label, problem, said

MOST_SAMPLES = 6
_MOST_STRENGTH = 2
_MOST_SEED = 2**32 - 1
_EMPTY = "Drop a picture: a photograph, a scan, TIFF of 16 bits, FITS. It is worked on by this server and sent nowhere."
PICTURE_TYPES = sorted({"." + suffix.rpartition(".")[2] for suffix in PICTURE_SUFFIXES})
"""Suffixes as the file chooser of a browser takes them."""


def colour_tab(service: Service, visits: Visits) -> None:
    """The tab."""
    models = models_by_label(service)
    first = next(iter(models.values()))
    options = TranslateOptions(reading=service.reading, time_limit=service.settings.time_limit)
    key = gr.State(None)
    with gr.Row(elem_classes="workbench"):
        with gr.Column(scale=7, min_width=320):
            upload = gr.File(label="Picture", file_types=PICTURE_TYPES, height=132, elem_id="upload")
            pair = gr.ImageSlider(
                label="Before and after",
                type="filepath",
                interactive=False,
                buttons=["fullscreen"],
                max_height=640,
                visible=False,
                elem_id="pair",
            )
            divider = gr.Slider(
                0, 100, 50, step=1, label="Divider between before and after, %", visible=False, elem_id="divider"
            )
            status = gr.HTML(said(_EMPTY), elem_id="status")
            download = gr.DownloadButton("Download the result", variant="primary", visible=False, elem_id="download")
            samples = gr.Gallery(
                label="Samples: choose one to see it above",
                columns=3,
                object_fit="contain",
                height="auto",
                allow_preview=False,
                visible=False,
                interactive=False,
                buttons=[],
                elem_id="samples",
            )
            spread = gr.Image(
                label="Uncertainty of the predicted colours",
                type="filepath",
                interactive=False,
                visible=False,
                buttons=["fullscreen"],
                elem_id="spread",
            )
        with gr.Column(scale=3, min_width=300):
            model = gr.Dropdown(list(models), value=next(iter(models)), label="Model", elem_id="model")
            strength = gr.Slider(0, _MOST_STRENGTH, 1, step=0.05, label="Strength of colour", elem_id="strength")
            strength.visible = first.translator.codec.predicts_chroma
            with gr.Group(visible=first.card.makes_many) as many:
                seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=_MOST_SEED, elem_id="seed")
                count = gr.Slider(1, MOST_SAMPLES, 1, step=1, label="Samples side by side", elem_id="count")
            wishes = wishes_of(service, visits, key, status, models, model)
            unsure = gr.Button("Show how sure the model is", visible=False, elem_id="unsure")

    settings = [key, model, strength, seed, wishes.hints, wishes.reference, count]
    shown = [pair, divider, status, download, samples, spread]

    def look_of(
        label: str, strength: float, seed: float | None, hints: tuple[Hint, ...], reference: Palette | None
    ) -> Look:
        chosen = models[label]
        return Look(
            chosen,
            float(strength) if chosen.translator.codec.predicts_chroma else 1.0,
            int(seed or 0) if chosen.card.makes_many else None,
            *wanted(chosen, hints, reference),
        )

    def show(key: str | None, *values: Any) -> Iterator[Any]:  # noqa: ANN401  of the settings
        """The result, then one sample after the other."""
        if key is None:
            yield _nothing()
            return
        try:
            *asked, count = values
            visit, look = visits.get(key), look_of(*asked)
            with visit.lock:
                made = in_turn(service, look.model, partial(visit.make, look, options))
            wanted = int(count) if look.seed is not None else 1
            yield _result(visit, made, look, gr.skip() if wanted > 1 else gr.update(visible=False, value=None))
            made_samples: list[tuple[str, str]] = []
            for number in range(wanted if wanted > 1 else 0):
                one = replace(look, seed=(look.seed or 0) + number)
                with visit.lock:
                    path = in_turn(service, look.model, partial(visit.make_sample, one, options))
                made_samples.append((str(path), f"seed {one.seed}"))
                gallery = gr.update(visible=True, value=made_samples)
                yield gr.skip(), gr.skip(), gr.skip(), gr.skip(), gallery, gr.skip()
        except Exception as error:
            yield gr.skip(), gr.skip(), problem(error), gr.skip(), gr.skip(), gr.skip()

    def drop(path: str | None, key: str | None) -> tuple[Any, ...]:
        """Take in a picture and show it as it is, while the network works on it."""
        if path is None:
            return None, (), *_nothing()
        try:
            key, visit = visits.begin(Path(path), options, key)
        except Exception as error:
            return None, (), *_nothing(problem(error))
        info = visit.picture.info
        facts = f"{visit.file.name}: {info.width} x {info.height} pixels, {info.bits} bits. The network is working."
        pair = gr.update(visible=True, value=(str(visit.before), str(visit.before)))
        rest = (gr.update(interactive=False), gr.update(visible=False, value=None), gr.update(visible=False))
        return key, (), pair, gr.update(visible=True), said(facts), *rest

    def choose_model(label: str, key: str | None) -> tuple[Any, ...]:
        chosen = models[label]
        strength = gr.update(visible=chosen.translator.codec.predicts_chroma)
        return strength, gr.update(visible=chosen.card.makes_many), _unsure(chosen, key), *offer(chosen)

    def choose_sample(seed: float | None, event: gr.SelectData) -> int:
        return int(seed or 0) + int(event.index)

    def map_uncertainty(key: str | None, *asked: Any) -> tuple[Any, Any]:  # noqa: ANN401  of the settings
        try:
            visit, look = visits.get(key), look_of(*asked)
            with visit.lock:
                path = in_turn(service, look.model, partial(visit.make_uncertainty, look))
            return gr.update(visible=True, value=str(path)), gr.skip()
        except Exception as error:
            return gr.update(visible=False), problem(error)

    def marks(key: str | None, hints: tuple[Hint, ...], label: str) -> tuple[Any, ...]:
        try:
            return *draw(visits, key, hints, models[label]), gr.skip()
        except Exception as error:
            return gr.skip(), gr.skip(), problem(error)

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    newest: dict[str, Any] = {**quiet, "trigger_mode": "always_last"}
    marked = [*wishes.shown, status]

    dropped = gr.on([upload.upload, upload.clear], drop, [upload, key], [key, wishes.hints, *shown], **quiet)
    dropped.then(show, settings, shown, **quiet)
    dropped.then(marks, [key, wishes.hints, model], marked, **quiet)
    dropped.then(lambda label, key: _unsure(models[label], key), [model, key], unsure, **quiet)
    gr.on([strength.input, seed.input, count.input], show, settings, shown, **newest)
    chosen = model.input(choose_model, [model, key], [strength, many, unsure, *wishes.offered], **quiet)
    chosen.then(show, settings, shown, **quiet)
    chosen.then(marks, [key, wishes.hints, model], marked, **quiet)
    for change in wishes.changes:
        change.then(marks, [key, wishes.hints, model], marked, **quiet)
        change.then(show, settings, shown, **quiet)
    samples.select(choose_sample, seed, seed, **quiet).then(
        lambda *asked: next(show(*asked, 1))[:4], settings[:-1], shown[:4], **quiet
    )
    unsure.click(map_uncertainty, settings[:-1], [spread, status], **{**quiet, "show_progress": "minimal"})
    divider.input(lambda place: gr.update(slider_position=place), divider, pair, **newest)


def _result(visit: Visit, made: Made, look: Look, gallery: Any) -> tuple[Any, ...]:  # noqa: ANN401
    info = visit.picture.info
    scale = look.model.translator.codec.scale
    facts = [f"{made.file.name}: {scale * info.width} x {scale * info.height} pixels, {info.bits} bits in the original"]
    return (
        gr.update(visible=True, value=(str(visit.before), str(made.shown))),
        gr.update(visible=True),
        said(*facts, *made.notes),
        gr.update(visible=True, interactive=True, value=str(made.file)),
        gallery,
        gr.update(visible=False, value=None),
    )


def _nothing(status: str = "") -> tuple[Any, ...]:
    """No picture is there."""
    gone = gr.update(visible=False, value=None)
    return gone, gr.update(visible=False), status or said(_EMPTY), gone, gone, gone


def _unsure(model: ServedModel, key: str | None) -> Any:  # noqa: ANN401  an update of Gradio's
    codec = model.translator.codec
    return gr.update(visible=key is not None and codec.scale == 1 and codec.target_channels != 1)
