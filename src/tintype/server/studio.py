"""The studio: a page in the browser for whoever wants to see what a model does, mounted in the app of the server.

Needs `tintype[studio]`. Gradio draws it; what the page may ask of Gradio is decided by `studio_gate`.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from tintype.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from tintype.server.service import Service

STUDIO_PATH = "/studio"
"""Where the studio is mounted."""

_HELD_BYTES = 4 * 2**30
_ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" fill="#999"/>
<path d="M16 0h10a6 6 0 0 1 6 6v20a6 6 0 0 1-6 6H16z" fill="#6366f1"/></svg>"""
_QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SHARE": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_SSR_MODE": "False",
    "GRADIO_MCP_SERVER": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
"""What keeps Gradio, and what it brings, from asking anything of anyone outside."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StudioSettings:
    """What whoever starts the server allows visitors to see, and how much of them is held."""

    runs: Path | None = None
    """A run folder, or a folder of run folders, whose curves are shown."""
    blind_test: Path | None = None
    """The page of a human test that `tintype blind` wrote."""
    batch_files: int = 100
    """Pictures of one batch."""
    batch_bytes: int = 512 * 2**20
    """Of all pictures of one batch together, unpacked."""
    visitors: int = 32
    """Whose pictures are held at a time."""
    idle_s: float = 1800
    """Seconds after which the picture of a visitor who does nothing is forgotten."""


def mount_studio(app: FastAPI, service: Service, settings: StudioSettings | None = None) -> None:
    """Put the studio into an app, at `STUDIO_PATH`; its temporary files are gone when the app has ended.

    Args:
        app: The app.
        service: Models, and the queue that all work goes through.
        settings: What visitors may see.

    Raises:
        MissingExtraError: Gradio is not installed.
        UsageError: A folder or page that is to be shown is not there.
    """
    settings = settings or StudioSettings()
    _check(settings)
    folder = tempfile.TemporaryDirectory(prefix="tintype-studio-")
    uploads, visits = Path(folder.name, "uploads"), Path(folder.name, "visits")
    for path in (uploads, visits):
        path.mkdir()
    os.environ.update(_QUIET, GRADIO_TEMP_DIR=str(uploads))  # read when Gradio is imported, and later
    try:
        import gradio
    except ModuleNotFoundError as error:
        folder.cleanup()
        raise MissingExtraError('the studio needs Gradio: pip install "tintype[studio]"') from error
    from tintype.server.studio_gate import Gate
    from tintype.server.studio_page import make_page, page_options
    from tintype.server.studio_visit import Visits

    held = Visits(visits, settings.visitors, settings.idle_s)
    if settings.blind_test is not None:
        _serve_blind_test(app, settings.blind_test)
    gradio.mount_gradio_app(
        app,
        make_page(service, held, settings),
        STUDIO_PATH,
        allowed_paths=[],
        blocked_paths=[str(visits)],
        max_file_size=service.settings.max_bytes,
        **page_options(),
    )
    app.add_middleware(
        Gate,
        prefix=STUDIO_PATH,
        folder=uploads,
        max_bytes=max(service.settings.max_bytes, settings.batch_bytes) + 2**20,
        held_bytes=_HELD_BYTES,
        has_ended=lambda: service.queue.stopping and service.queue.idle,
    )
    _serve_small_files(app)
    _clean_at_end(app, folder)


def _check(settings: StudioSettings) -> None:
    if settings.runs is not None and not settings.runs.is_dir():
        raise UsageError(f"{settings.runs}: there is no such folder; give a run folder or a folder of run folders")
    if settings.blind_test is not None and not settings.blind_test.is_file():
        raise UsageError(f"{settings.blind_test}: there is no such file; give a page that `tintype blind` wrote")


def _serve_blind_test(app: FastAPI, page: Path) -> None:
    """Serve the page of a human test, which brings its own policy and asks for nothing."""
    from fastapi.responses import HTMLResponse

    @app.get(f"{STUDIO_PATH}/blind-test", include_in_schema=False)
    def blind_test() -> HTMLResponse:
        return HTMLResponse(page.read_bytes())


def _serve_small_files(app: FastAPI) -> None:
    """What Gradio's page asks for at the top of the server: its icon, and what a phone calls it on its screen."""
    from fastapi.responses import Response

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> Response:
        return Response(_ICON, media_type="image/svg+xml")

    @app.get("/manifest.json", include_in_schema=False)
    def manifest() -> dict[str, Any]:
        return {"name": "Tintype studio", "short_name": "Tintype", "start_url": f"{STUDIO_PATH}/", "display": "browser"}


def _clean_at_end(app: FastAPI, folder: tempfile.TemporaryDirectory[str]) -> None:
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:  # noqa: ANN401  as Starlette has it
        try:
            async with inner(app) as state:
                yield state
        finally:
            folder.cleanup()

    app.router.lifespan_context = lifespan
