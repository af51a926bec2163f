"""The options of `tintype serve`; like `cli.py`, without logic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="[NAME=]MODEL",
            help="What to serve, and what requests call it; repeatable; default: all that come with Tintype.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; one that others reach needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    token: Annotated[
        str | None, typer.Option(envvar="TINTYPE_TOKEN", help="What requests must carry; better set TINTYPE_TOKEN.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Requests in work at a time; default: cores.")] = None,
    queue: Annotated[int, typer.Option(min=0, help="Requests that may wait beside those.")] = 32,
    max_bytes: Annotated[str, typer.Option(metavar="SIZE", help="Of the body of a request.")] = "64MiB",
    max_pixels: Annotated[float, typer.Option(metavar="N", help="Of a picture and of its result.")] = 64e6,
    time_limit: Annotated[
        float, typer.Option(metavar="SECONDS", help="For a body to arrive, and again for the work on it.")
    ] = 60.0,
    studio: Annotated[
        bool | None, typer.Option(help="A page in the browser; default: where tintype[studio] is installed.")
    ] = None,
    runs: Annotated[Path | None, typer.Option(metavar="DIR", help="Run folders whose curves the studio shows.")] = None,
    blind_test: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A page of tintype blind, which the studio offers.")
    ] = None,
) -> None:
    """Serve models over HTTP until a signal to stop, on which everything that was accepted is still answered."""
    from tintype.command_serve import run_server

    run_server(
        models or [],
        host=host,
        port=port,
        token=token,
        workers=workers,
        queue=queue,
        max_bytes=max_bytes,
        max_pixels=max_pixels,
        time_limit=time_limit,
        studio=studio,
        runs=runs,
        blind_test=blind_test,
    )
