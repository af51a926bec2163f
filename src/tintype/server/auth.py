"""Who may ask: a token where one is set, and where none is, pages of this machine alone."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from typing import final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tintype.errors import UsageError
from tintype.server.jobs import WorkQueue
from tintype.server.problems import RefusedError, problem_response

OPEN = frozenset({"/healthz", "/readyz"})
"""Paths that need no token."""

SHORTEST_TOKEN = 16
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_CHALLENGE = 'Bearer realm="tintype", Basic realm="tintype", charset="UTF-8"'
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def check_binding(host: str, token: str | None) -> None:
    """Refuse to listen to other machines without a token, and tokens that can be guessed.

    Raises:
        UsageError: The token is missing, too short, or holds other letters than headers do.
    """
    if token is not None and not (len(token) >= SHORTEST_TOKEN and token.isascii() and token.isprintable()):
        raise UsageError(
            f"--token: needs at least {SHORTEST_TOKEN} letters of ASCII; make one with "
            'python -c "import secrets; print(secrets.token_urlsafe())"'
        )
    if token is None and not is_loopback(host):
        raise UsageError(
            f"--host {host}: other machines could use the server; set a token by --token or TINTYPE_TOKEN, "
            "or listen at 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@final
class Gate:
    """Lets requests in that may come in; all others are answered here. Adds what every answer carries.

    Without a token the header Host must name this machine: else a page from elsewhere, whose name was made to mean
    this machine, could read answers. Pages of another origin may not send anything but GET.
    """

    def __init__(self, app: ASGIApp, token: str | None, host: str, queue: WorkQueue) -> None:
        self._app, self._queue = app, queue
        self._token = None if token is None else token.encode()
        self._hosts = _LOCAL_NAMES | {host}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
        except RefusedError as refused:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await problem_response(refused)(scope, receive, self._dressed(send))
            return
        await self._app(scope, receive, self._dressed(send))

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._token is None and _name_of(host) not in self._hosts:
            raise RefusedError(
                403, "forbidden", f"Host must be one of {', '.join(sorted(self._hosts))}; set a token to allow others"
            )
        origin = headers.get("origin")
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD", "OPTIONS")
        if origin is not None and not reads and urlsplit(origin).netloc.lower() != host.lower():
            raise RefusedError(403, "forbidden", "pages of another origin may not use this server")
        if self._token is not None and scope["path"] not in OPEN:
            given = _given_token(headers.get("authorization", ""))
            if given is None or not hmac.compare_digest(given, self._token):
                raise RefusedError(
                    401,
                    "token_needed",
                    "give the token of this server: Authorization: Bearer TOKEN, or as the password in a browser",
                    {"WWW-Authenticate": _CHALLENGE},
                )

    def _dressed(self, send: Send) -> Send:
        async def send_dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if self._queue.stopping:
                    headers["Connection"] = "close"
            await send(message)

        return send_dressed


def _name_of(host: str) -> str | None:
    """The name in a header Host, without its port; None: there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _given_token(authorization: str) -> bytes | None:
    """The token of a header: that of the scheme Bearer, or the password of Basic, which browsers ask for."""
    scheme, _, rest = authorization.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip().encode(errors="replace")
        case "basic":
            try:
                return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
            except (binascii.Error, ValueError):
                return None
    return None
