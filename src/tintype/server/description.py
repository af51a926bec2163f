"""What the OpenAPI description says beyond what types say: bodies that are files, every status, headers, examples."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from tintype.server.answers import Problem, TranslateFields
from tintype.server.auth import OPEN
from tintype.server.bodies import FORM, PICTURE_TYPES
from tintype.server.problems import MEDIA_TYPE
from tintype.server.service import MEDIA_TYPES
from tintype.server.settings import ServerSettings

_FILE = {"type": "string", "format": "binary"}

_SAID: dict[int, str] = {
    400: "The request is no HTTP that makes sense.",
    401: "The token is missing or wrong.",
    403: "The request came from a page of another origin, or for another host.",
    408: "The body did not arrive in time.",
    413: "The body, the picture or its result is larger, or takes longer, than is allowed.",
    415: "The body is of a type that is not read, or no picture that can be read.",
    422: "A parameter is unknown, makes no sense, or would have no effect on this model.",
    429: "Too many requests at a time; try again after `Retry-After` seconds.",
    500: "A defect of the server, or a model that fails.",
    503: "The server is stopping.",
}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    described: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        described[status] = {"description": _SAID[status], "content": content}
    if 400 in described:
        described[400]["content"]["text/plain"] = {"schema": {"type": "string"}}  # before it reaches the app
    if 401 in described:
        described[401]["headers"] = {"WWW-Authenticate": _header("How to give the token.")}
    if 429 in described:
        described[429]["headers"] = {"Retry-After": _header("Seconds until there is room.", "integer")}
    return described


def _header(description: str, kind: str = "string") -> dict[str, Any]:
    return {"description": description, "required": True, "schema": {"type": kind}}


_TRANSLATED = {
    "description": "The translated picture, or JSON with it.",
    "headers": {
        name: {**_header(said, kind), "required": False}  # not with JSON, which says it inside
        for name, said, kind in (
            ("X-Tintype-Model", "Name of the model.", "string"),
            ("X-Tintype-Width", "Of the result.", "integer"),
            ("X-Tintype-Height", "Of the result.", "integer"),
            ("X-Tintype-Provenance", "How it was made, in one line.", "string"),
            ("X-Tintype-Notes", "What the user should hear: a JSON list of strings.", "string"),
            ("X-Tintype-Queue-Ms", "Milliseconds that it has waited.", "number"),
            ("X-Tintype-Work-Ms", "Milliseconds that the work took.", "number"),
        )
    },
    "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/TranslateAnswer"}},
        **{media_type: {"schema": _FILE} for media_type in MEDIA_TYPES.values()},
    },
}


def _form() -> dict[str, Any]:
    fields = TranslateFields.model_json_schema()["properties"]
    files = {
        "picture": {**_FILE, "description": "The picture, as a file."},
        "reference": {**_FILE, "description": "Another picture, whose colours are to be used; for colourisers."},
    }
    properties = {**files, **fields}
    return {"type": "object", "required": ["picture"], "properties": properties, "additionalProperties": False}


TRANSLATE: dict[str, Any] = {
    "tags": ["pictures"],
    "operation_id": "translate",
    "responses": {200: _TRANSLATED, **_problems(400, 401, 403, 408, 413, 415, 422, 429, 500, 503)},
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                **{media_type: {"schema": _FILE} for media_type in PICTURE_TYPES},
                FORM: {"schema": _form()},
            },
        }
    },
}
MODELS: dict[str, Any] = {"tags": ["models"], "operation_id": "models", "responses": _problems(401, 403)}
HEALTH: dict[str, Any] = {
    "tags": ["operation"],
    "responses": {
        **_problems(403),
    },
}
READY: dict[str, Any] = {
    "tags": ["operation"],
    "responses": {
        **_problems(403),
        503: {
            "description": _SAID[503],
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}},
        },
    },
}
METRICS: dict[str, Any] = {
    "tags": ["operation"],
    "operation_id": "metrics",
    "responses": {
        200: {"description": "Text of Prometheus.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **_problems(401, 403),
    },
}


def describe_app(app: FastAPI, settings: ServerSettings) -> None:
    """Complete what FastAPI makes of the routes."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            schemas = document["components"]["schemas"]
            schemas.setdefault("Problem", Problem.model_json_schema())
            if settings.token is not None:
                _protect(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # the way that FastAPI documents


def _protect(document: dict[str, Any]) -> None:
    """Say which routes need the token."""
    schemes = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "basic": {"type": "http", "scheme": "basic", "description": "Any name, the token as the password."},
    }
    document["components"]["securitySchemes"] = schemes
    for path, item in document["paths"].items():
        if path not in OPEN:
            for operation in item.values():
                operation["security"] = [{"bearer": []}, {"basic": []}]
