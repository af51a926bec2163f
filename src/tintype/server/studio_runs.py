"""The tab of the runs: curves and panels of a run folder while it trains, or after."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from tintype.report_events import Curve, Events
from tintype.server.studio_curves import GrowingRun, drawn, find_runs
from tintype.server.studio_words import said

_EVERY_S = 4.0
_HOW = """
### Curves and panels of a run while it trains

Start the server with the folder that your runs lie in, or with one run folder:

```
tintype serve --model MODEL --runs FOLDER
```
"""
_COLUMNS = ["step", "value", "curve"]


def runs_tab(folder: Path | None) -> None:
    """The tab; `folder`: what the server was started with."""
    if folder is None:
        gr.Markdown(_HOW)
        return
    growing: dict[str, GrowingRun] = {}
    lock = threading.Lock()
    names = list(find_runs(folder))
    seen = gr.State(None)
    with gr.Row():
        chosen = gr.Dropdown(names, value=names[0] if names else None, label="Run", elem_id="run", scale=4)
        refresh = gr.Button("Look for new runs", elem_id="run-refresh", scale=1)
    state = gr.HTML(said("No run has been read yet." if names else "There are no runs in this folder yet."))
    with gr.Row():
        validation = _plot("Validation", "dB, or as the score says")
        losses = _plot("Losses, weighted", "loss")
    with gr.Row():
        health = _plot("Health of the training", "value")
        rate = _plot("Learning rate", "rate")
    panels = gr.Gallery(
        label="Newest samples",
        columns=2,
        object_fit="contain",
        height="auto",
        interactive=False,
        buttons=["fullscreen"],
        elem_id="run-samples",
    )
    timer = gr.Timer(_EVERY_S)

    def run_of(name: str | None) -> GrowingRun | None:
        """The run of a name, if it is one that lies in the folder."""
        path = find_runs(folder).get(name or "")
        if path is None:
            return None
        with lock:
            return growing.setdefault(name or "", GrowingRun(path))

    def show(name: str | None, seen: tuple[Any, ...] | None) -> tuple[Any, ...]:
        run = run_of(name)
        if run is None:
            return gr.skip(), said("Choose a run."), *(gr.skip() for _ in range(5))
        run.read_on()
        samples = run.samples()
        now = (name, run.events.step, run.events.ended, len(run.events.notes), [path.name for path, _ in samples])
        if now == seen:
            return tuple(gr.skip() for _ in range(7))
        events = run.events
        scores = {key: curve for key, curve in events.validation.items() if "psnr" in key} or events.validation
        shown = [(str(path), title) for path, title in samples]
        return (
            now,
            _state(run),
            _points(scores),
            _points(_totals(events)),
            _points(events.health),
            _points({"learning rate": events.lr} if events.lr else {}),
            gr.update(value=shown, visible=bool(shown)),
        )

    def look() -> Any:  # noqa: ANN401  an update of Gradio's
        return gr.update(choices=list(find_runs(folder)))

    shown = [seen, state, validation, losses, health, rate, panels]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    gr.on([timer.tick, chosen.change], show, [chosen, seen], shown, **quiet)
    refresh.click(look, None, chosen, **quiet)


def _plot(title: str, unit: str) -> gr.LinePlot:
    return gr.LinePlot(
        x="step",
        y="value",
        color="curve",
        title=title,
        y_title=unit,
        color_title=" ",
        height=260,
        min_width=300,
        buttons=["fullscreen"],
    )


def _points(curves: dict[str, Curve]) -> pd.DataFrame | None:
    """Curves as a chart takes them; None: there are none, of which Gradio would draw a chart that stays empty."""
    return pd.DataFrame(drawn(curves), columns=_COLUMNS) if curves else None


def _totals(events: Events) -> dict[str, Curve]:
    """The terms of the losses, and their sums where there are several."""
    sums = {f"{phase}, sum": events.sum_of(phase) for phase in ("g", "d")}
    return {**events.terms, **{name: curve for name, curve in sums.items() if curve}}


def _state(run: GrowingRun) -> str:
    """Where a run stands, in a line, and the last that it noted."""
    events, wanted = run.events, run.steps_wanted
    of = f" of {wanted:,}" if wanted else ""
    how = "has ended" if events.ended else "is training, or was stopped"
    line = f"Step {events.step:,}{of}; {how}." + (f" Trained on {events.device}." if events.device else "")
    lines = [line]
    if events.best_step is not None:
        lines.append(f"Best validation at step {events.best_step:,}.")
    if events.diverged:
        lines.append(f"Diverged: {events.diverged}")
    lines += [f"Step {step:,}: {text}" for step, text in events.notes[-2:]]
    return said(*lines)
