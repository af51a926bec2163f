"""The app: routes, and what every request passes on its way to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from tintype import __version__
from tintype.server.answers import Health, ModelList, TranslateAnswer, TranslateQuery
from tintype.server.auth import Gate
from tintype.server.description import HEALTH, METRICS, MODELS, READY, TRANSLATE, describe_app
from tintype.server.logs import Watching
from tintype.server.metrics import Metrics
from tintype.server.page import docs_router
from tintype.server.problems import RefusedError, problem_response
from tintype.server.service import Service
from tintype.server.settings import ServerSettings
from tintype.server.studio import STUDIO_PATH, StudioSettings, mount_studio
from tintype.server.summaries import summarise
from tintype.server.translating import answer_request, first_line

_DESCRIPTION = """Colours black-and-white pictures, or translates them otherwise, with models that Tintype has trained.

What a model predicts is a guess, and every result says so in its file. A picture is read by its content, whatever its
type or name says; nothing of it is kept."""


def create_app(models: Mapping[str, Path], settings: ServerSettings, studio: StudioSettings | None = None) -> FastAPI:
    """The server as an ASGI app.

    Args:
        models: A run folder or model file by the name that requests call it; the first is the default.
        settings: Limits and sizes.
        studio: What the page in the browser shows; None: there is none.

    Raises:
        ModelFileError: A model is missing, damaged, or not made by Tintype.
        MissingExtraError: One is a `.safetensors` file and torch is not installed; or Gradio is not, for the studio.
        UsageError: One translates no pictures, or there is none; or what the studio is to show is not there.
    """
    metrics = Metrics()
    service = Service(models, settings, metrics.joined)
    metrics.watch(service.queue)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.queue.close()

    app = FastAPI(
        title="Tintype",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        separate_input_output_schemas=False,
    )
    app.state.service = service
    _add_routes(app, service, metrics, "docs" if studio is None else f"{STUDIO_PATH[1:]}/")
    app.include_router(docs_router())
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    if studio is not None:
        mount_studio(app, service, studio)
    app.add_middleware(Gate, token=settings.token, host=settings.host, queue=service.queue)
    app.add_middleware(Watching, metrics=metrics)
    describe_app(app, settings)
    return app


def _add_routes(app: FastAPI, service: Service, metrics: Metrics, front: str) -> None:
    @app.post("/v1/translate", response_model=TranslateAnswer, **TRANSLATE)
    async def translate(request: Request, fields: Annotated[TranslateQuery, Query()]) -> Response:
        """Translate one picture.

        The picture is the body, or the file `picture` of a form. Everything else may be given in the query or as
        fields of the form. What would have no effect on the model is refused.
        """
        return await answer_request(request, fields, service)

    @app.get("/v1/models", **MODELS)
    async def models() -> ModelList:
        """The models that are served, in short."""
        return ModelList(models=[summarise(name, directions) for name, directions in service.models.items()])

    @app.get("/healthz", **HEALTH)
    async def healthz() -> Health:
        """Whether the server is alive. Needs no token."""
        return Health(status="stopping" if service.queue.stopping else "ok")

    @app.get("/readyz", **READY)
    async def readyz(response: Response) -> Health:
        """Whether the server takes new work: 503 while it is stopping. Needs no token."""
        if service.queue.stopping:
            response.status_code = 503
        return await healthz()

    @app.get("/metrics", response_class=Response, **METRICS)
    async def show_metrics() -> Response:
        """Figures for Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        return Response(status_code=307, headers={"Location": front})


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    match error.status_code:
        case 404:
            refused = RefusedError(404, "not_found", "there is nothing at this address; /docs lists what there is")
        case 405:
            refused = RefusedError(405, "method_not_allowed", "this address does not take that method", error.headers)
        case status:
            refused = RefusedError(status, "bad_request", error.detail, error.headers)
    return problem_response(refused)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem_response(RefusedError(422, "invalid", first_line(error.errors())))
