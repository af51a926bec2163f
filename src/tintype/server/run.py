"""The server as a process: it listens, and on a signal to stop it answers what it has accepted and ends."""

from __future__ import annotations

import asyncio
import math
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

import uvicorn

from tintype.errors import UsageError
from tintype.server.app import create_app
from tintype.server.jobs import WorkQueue
from tintype.server.logs import log_to_stderr
from tintype.server.settings import ServerSettings
from tintype.server.studio import StudioSettings

_HEAD_BYTES = 2**18  # of the first line and the headers of a request
_LOOK_S = 0.05
_QUIET_S = 0.3  # without a request in work, after which a stopping server ends
_KEEP_ALIVE_S = 75  # longer than proxies keep theirs, so that it is they who close
_SENDING_S = 30  # for answers that are on their way when all work is done


def serve(
    models: Mapping[str, Path],
    settings: ServerSettings,
    ready: Callable[[str], None],
    at_once: Callable[[], None],
    studio: StudioSettings | None = None,
) -> None:
    """Serve until a signal to stop; a second one ends the process at once. Main thread only.

    Args:
        models: See `create_app`.
        settings: Limits and sizes.
        ready: Told the address when requests are answered there.
        at_once: Called before a second signal ends the process.
        studio: See `create_app`.

    Raises:
        ModelFileError, MissingExtraError, UsageError: As for `create_app`.
        UsageError: The address cannot be listened at.
    """
    listener = _listen(settings.host, settings.port)
    with listener:
        app = create_app(models, settings, studio)
        log_to_stderr()
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="on",
                ws="none",
                h11_max_incomplete_event_size=_HEAD_BYTES,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=math.ceil(settings.time_limit) + _SENDING_S,
            )
        )
        asyncio.run(_serve(server, listener, app.state.service.queue, ready, at_once))


async def _serve(
    server: uvicorn.Server,
    listener: socket.socket,
    queue: WorkQueue,
    ready: Callable[[str], None],
    at_once: Callable[[], None],
) -> None:
    def heard(kind: int, frame: FrameType | None) -> None:
        if queue.stopping:
            at_once()
            os._exit(128 + kind)
        queue.stop()

    server.handle_exit = heard  # type: ignore[assignment, method-assign]  # uvicorn's own would close connections at once
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(_LOOK_S)
    if server.started:
        ready(_address(listener))
    quiet = 0.0
    while not serving.done() and quiet < _QUIET_S:
        await asyncio.sleep(_LOOK_S)
        quiet = quiet + _LOOK_S if queue.stopping and queue.idle else 0.0
    server.should_exit = True
    await serving


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UsageError(
            f"--host {host} --port {port}: cannot listen there ({reason}); choose another address"
        ) from error


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
