"""What may reach Gradio: the few paths that the page of the studio uses, bounded uploads, and no path or address.

Gradio offers far more than a page needs, such as fetching addresses for a visitor, and takes files by their path on the
server. Whatever is not named here is not there; a request for work may name files that were uploaded and no others.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_API = "/gradio_api"
_GET = ("/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt", "/blind-test")
_GET_API = ("/queue/data", "/startup-events", "/upload_progress", "/app_id", "/theme.css")
_GET_BELOW = ("/assets/", "/static/", "/svelte/", f"{_API}/heartbeat/")
_POST_API = ("/queue/join", "/upload", "/cancel", "/reset")
_FILE = f"{_API}/file="
_LASTING = (f"{_API}/heartbeat/", f"{_API}/queue/data")
_LOOK_S = 0.25

_MAX_REQUEST = 2**20
"""Bytes of a request for work: settings, and the names of files."""
_MOST_NESTED = 12

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
"""What a browser may load for the page: nothing from elsewhere. Gradio writes scripts into its page and makes some."""


@final
class Gate:
    """Middleware in front of the studio; other paths of the app pass as they are.

    Args:
        app: The app behind it.
        prefix: Where the studio is mounted.
        folder: Where Gradio keeps what was uploaded and what it hands out.
        max_bytes: Of one upload.
        held_bytes: Of all files in the folder together.
        has_ended: Whether the server is only waiting for visitors to go; open pages would keep it for ever.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        prefix: str,
        folder: Path,
        max_bytes: int,
        held_bytes: int,
        has_ended: Callable[[], bool] = lambda: False,
    ) -> None:
        self._app, self._prefix, self._folder = app, prefix, folder
        self._max_bytes, self._held_bytes, self._has_ended = max_bytes, held_bytes, has_ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        place = self._place(scope)
        if place is None:
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http" or not _is_open(scope["method"], place):
            await _refuse(404, "there is no such page", scope, receive, send)
            return
        if scope["method"] == "POST":
            if place == f"{_API}/upload" and (problem := self._upload_problem(scope)):
                await _refuse(413, problem, scope, receive, send)
                return
            if place == f"{_API}/queue/join":
                body = await _body(receive)
                if body is None or not self._names_uploads_only(body):
                    await _refuse(400, "the request is none that the page makes", scope, receive, send)
                    return
                receive = _again(body, receive)
        if place.startswith(_LASTING):
            await self._until_end(self._app(scope, receive, _guarded(send)))
        else:
            await self._app(scope, receive, _guarded(send))

    async def _until_end(self, answer: Awaitable[None]) -> None:
        """Give an answer that lasts as long as the page is open, and end it when the server does."""
        task = asyncio.ensure_future(answer)
        try:
            while not (await asyncio.wait({task}, timeout=_LOOK_S))[0]:
                if self._has_ended():
                    return
            task.result()
        finally:
            task.cancel()

    def _place(self, scope: Scope) -> str | None:
        """The path below the studio; None: another part of the app."""
        if scope["type"] not in ("http", "websocket"):
            return None
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path != self._prefix and not path.startswith(f"{self._prefix}/"):
            return None
        return path.removeprefix(self._prefix)

    def _upload_problem(self, scope: Scope) -> str:
        length = dict(scope["headers"]).get(b"content-length", b"")
        if not length.isdigit():
            return "the upload does not say how long it is"
        if int(length) > self._max_bytes:
            return f"the upload is larger than the {self._max_bytes // 2**20:,} MiB that are allowed"
        if int(length) + _size(self._folder) > self._held_bytes:
            return "too many pictures are being worked on; try again in some minutes"
        return ""

    def _names_uploads_only(self, body: bytes) -> bool:
        """Whether all files that a request for work names lie in the folder of uploads."""
        try:
            paths = list(_paths(json.loads(body), _MOST_NESTED))
        except (ValueError, RecursionError):
            return False
        folder = self._folder.resolve()
        return all(
            isinstance(path, str) and "\0" not in path and Path(path).resolve().is_relative_to(folder) for path in paths
        )


def _is_open(method: str, place: str) -> bool:
    if method == "POST":
        return place.startswith(_API) and place.removeprefix(_API) in _POST_API
    if method not in ("GET", "HEAD"):
        return False
    if place.startswith(_FILE):  # of an address Gradio would fetch the content
        return place.removeprefix(_FILE).startswith("/") or place.removeprefix(_FILE)[1:3] in (":/", ":\\")
    known = place in ("", "/", *_GET) or (place.startswith(_API) and place.removeprefix(_API) in _GET_API)
    return known or place.startswith(_GET_BELOW)


def _paths(value: Any, depth: int) -> Iterator[Any]:  # noqa: ANN401  whatever JSON holds
    """All that stands under the key `path`.

    Raises:
        ValueError: It is nested more deeply than any request of the page.
    """
    if depth == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        yield from (entry for key, entry in value.items() if key == "path" and entry is not None)
        value = list(value.values())
    if isinstance(value, list):
        for entry in value:
            yield from _paths(entry, depth - 1)


def _size(folder: Path) -> int:
    """Bytes of all files below a folder, those that vanish meanwhile left out."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size
        except OSError:
            continue
    return total


async def _body(receive: Receive) -> bytes | None:
    """The whole body of a request; None: it is too long, or the visitor has gone."""
    parts, length = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        if length > _MAX_REQUEST:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read, once more; then what comes after it."""
    bodies = [body]

    async def next_message() -> Message:
        if bodies:
            return {"type": "http.request", "body": bodies.pop(), "more_body": False}
        return await receive()

    return next_message


def _guarded(send: Send) -> Send:
    """Answers that tell the browser to load nothing from elsewhere."""

    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", []))
            names = {name.lower() for name, _ in headers}
            for name, value in (
                (b"content-security-policy", POLICY),
                (b"x-content-type-options", "nosniff"),
                (b"referrer-policy", "same-origin"),
            ):
                if name not in names:
                    headers.append((name, value.encode()))
            message = {**message, "headers": headers}
        await send(message)

    return send_guarded


async def _refuse(status: int, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    await PlainTextResponse(reason, status_code=status)(scope, receive, send)
