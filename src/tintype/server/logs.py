"""One line of JSON for each request, with neither names nor pictures, hints or tokens in it; and its metrics."""

from __future__ import annotations

import json
import logging
import secrets
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tintype.server.metrics import Metrics

CLIENT_GONE = 499
"""What the log says of a request whose client has gone before it was answered."""

_LOG = logging.getLogger("tintype.server")


@final
@dataclass(slots=True)
class Record:
    """What is known of a request in the end."""

    id: str
    model: str | None = None
    width: int | None = None
    """Of the result, as the height is."""
    height: int | None = None
    queue_ms: float | None = None
    gone: bool = False
    """Nobody waits for the answer."""
    error: str | None = None
    """Where a defect showed itself."""


def record_of(scope: Scope) -> Record:
    """The record of the request that is being answered."""
    record: Record = scope["tintype.record"]
    return record


def describe_defect(error: BaseException) -> str:
    """Kind and place of an error that nobody expected, without its text, which may hold parts of a request."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return " < ".join([type(error).__name__, *(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))])


@final
class Watching:
    """The outermost part of the app: gives each request its id, counts it and logs it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = Record(secrets.token_hex(8))
        scope["tintype.record"] = record
        start, status, received, sent, complete = time.monotonic(), 0, 0, 0, False

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def send_counted(message: Message) -> None:
            nonlocal status, sent, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", record.id.encode())]
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
                complete = not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive_counted, send_counted)
        finally:
            seconds = time.monotonic() - start
            status = CLIENT_GONE if record.gone or not complete else status
            route = _route(scope)
            self._metrics.answered(route, status, seconds, received, sent)
            line = {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "id": record.id,
                "method": scope["method"] if scope["method"] in _METHODS else "other",
                "route": route,
                "status": status,
                "ms": round(1000 * seconds, 1),
                "bytes_in": received,
                "bytes_out": sent,
                "width": record.width,
                "height": record.height,
                "model": record.model,
                "queue_ms": record.queue_ms,
                "error": record.error,
            }
            _LOG.info("%s", json.dumps({name: value for name, value in line.items() if value is not None}))


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _route(scope: Scope) -> str:
    """The route as it was written down, not as it was asked for: that could be anything, and without end."""
    path: Any = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) and path else "other"


@final
class JsonLines(logging.Formatter):
    """Lines of the server as they are, and what libraries say as JSON too."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        if record.name == _LOG.name:
            return record.getMessage()
        said = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": record.levelname.lower()}
        text = " ".join(record.getMessage().split())
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({describe_defect(record.exc_info[1])})"
        return json.dumps({**said, "logger": record.name, "message": text})


def log_to_stderr() -> None:
    """Send what the server and its libraries say to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    for name, level in ((_LOG.name, logging.INFO), ("uvicorn", logging.WARNING), ("asyncio", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
