"""The page of the studio as a whole: its tabs, and how it looks."""

from __future__ import annotations

from importlib import resources
from typing import Any

import gradio as gr

from tintype import __version__
from tintype.server.service import Service
from tintype.server.studio import StudioSettings
from tintype.server.studio_batch import batch_tab
from tintype.server.studio_blind import blind_tab
from tintype.server.studio_colour import colour_tab
from tintype.server.studio_runs import runs_tab
from tintype.server.studio_scores import scores_tab
from tintype.server.studio_visit import Visits

_SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_SYSTEM_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
_TIDY_S = (300, 1800)
"""How often uploaded files and copies of results are looked at, and the age at which they go."""
_MOST_WAITING = 64
_MOST_SESSIONS = 500
"""Pages whose settings are remembered; each holds a key, hints and a palette."""


def make_page(service: Service, visits: Visits, settings: StudioSettings) -> gr.Blocks:
    """All tabs; nothing in them is offered to programs, for which there is the API."""
    with gr.Blocks(title="Tintype studio", analytics_enabled=False, fill_width=True, delete_cache=_TIDY_S) as page:
        gr.HTML(
            f'<header class="studio-title"><h1>Tintype studio</h1><span>version {__version__}</span></header>',
            padding=False,
        )
        with gr.Tabs():
            with gr.Tab("Picture", id="picture"):
                colour_tab(service, visits)
            with gr.Tab("Batch", id="batch"):
                batch_tab(service, settings)
            with gr.Tab("Runs", id="runs"):
                runs_tab(settings.runs)
            with gr.Tab("Blind test", id="blind"):
                blind_tab(settings.blind_test is not None)
            with gr.Tab("Models", id="models"):
                scores_tab(service)
    page.state_session_capacity = _MOST_SESSIONS
    page.queue(max_size=_MOST_WAITING, api_open=False, default_concurrency_limit=2)
    return page


def page_options() -> dict[str, Any]:
    """How the page looks and what Gradio adds to it, as `mount_gradio_app` takes it."""
    theme = gr.themes.Base(
        primary_hue="indigo",
        neutral_hue="slate",
        radius_size="md",
        font=_SYSTEM_FONTS,
        font_mono=_SYSTEM_MONO,
    )
    style = (resources.files("tintype") / "templates" / "studio.css").read_text(encoding="utf-8")
    return {
        "theme": theme,
        "css": style,
        "footer_links": [],
        "run_history": False,
        "show_error": False,
        "ssr_mode": False,
        "mcp_server": False,
        "enable_monitoring": False,
        "pwa": False,
    }
