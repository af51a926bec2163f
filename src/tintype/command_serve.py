"""What `tintype serve` does and prints; `cli_serve.py` holds its options, `server` the work."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tintype.arguments import byte_count
from tintype.errors import MissingExtraError, UsageError
from tintype.inference.bundled import BUNDLED, WORD
from tintype.inference.modelfile import find_model
from tintype.server.settings import ServerSettings
from tintype.server.studio import StudioSettings

_MODULES = ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "fastapi_offline")


def run_server(
    models: Sequence[str],
    *,
    host: str,
    port: int,
    token: str | None,
    workers: int | None,
    queue: int,
    max_bytes: str,
    max_pixels: float,
    time_limit: float,
    studio: bool | None,
    runs: Path | None,
    blind_test: Path | None,
) -> None:
    """Serve until a signal to stop.

    Raises:
        MissingExtraError: The server's libraries are not installed.
        UsageError: An option makes no sense, or the address cannot be listened at.
        ModelFileError: A model is missing, damaged, or not made by Tintype.
    """
    if not (math.isfinite(max_pixels) and max_pixels >= 1):
        raise UsageError(f"--max-pixels {max_pixels}: give a number of pixels, as in 64e6")
    if not 0 < time_limit < math.inf:
        raise UsageError(f"--time-limit {time_limit}: give a number of seconds above 0")
    named = models_by_name(models)
    settings = ServerSettings(
        host=host,
        port=port,
        token=token,
        workers=workers or 0,
        queue=queue,
        max_bytes=byte_count("--max-bytes", max_bytes),
        max_pixels=int(max_pixels),
        time_limit=time_limit,
    )
    try:
        from tintype.server.auth import check_binding
        from tintype.server.run import serve
    except ModuleNotFoundError as error:
        if error.name not in _MODULES:
            raise
        raise MissingExtraError(f'the server needs {error.name}: pip install "tintype[serve]"') from error
    check_binding(host, token)
    shown = studio_settings(studio, runs, blind_test)

    def ready(address: str) -> None:
        page = "" if shown is None else f", the studio at {address}/studio/"
        print(f"serving {', '.join(named)} at {address}; what can be asked is at {address}/docs{page}", flush=True)  # noqa: T201

    with _own_temporary_folder() as folder:
        serve(named, settings, ready, at_once=lambda: shutil.rmtree(folder, ignore_errors=True), studio=shown)


def studio_settings(wanted: bool | None, runs: Path | None, blind_test: Path | None) -> StudioSettings | None:
    """What the studio shows; None: there is none.

    Args:
        wanted: Whether there is to be one; None: where Gradio is installed, or something is to be shown in it.
        runs: See `StudioSettings`.
        blind_test: Likewise.

    Raises:
        UsageError: Something is to be shown, and no studio is wanted.
    """
    shows = runs is not None or blind_test is not None
    if wanted is False and shows:
        raise UsageError("--runs and --blind-test are for the studio; leave out --no-studio")
    if wanted is None:
        wanted = shows or find_spec("gradio") is not None
    return StudioSettings(runs=runs, blind_test=blind_test) if wanted else None


def models_by_name(given: Sequence[str]) -> dict[str, Path]:
    """Models by what requests call them: the NAME of NAME=MODEL, or else the name of the run folder or file.

    Where none is given, they are those that come with Tintype.

    Raises:
        ModelFileError: A model is not there.
        UsageError: Two have the same name.
    """
    models: dict[str, Path] = {}
    for one in given or [f"{WORD}:{name}" for name in BUNDLED]:
        name, equals, path = one.partition("=")
        if not equals or Path(one).exists():
            name, path = "", one
        file = find_model(path)
        own = file.parent.name if file.stem in ("model", "model_ab", "model_ba") and file.parent.name else file.stem
        name = name or own
        if name in models:
            raise UsageError(f"--model {one}: there is another model called {name}; give NAME=MODEL")
        models[name] = Path(path)
    return models


@contextmanager
def _own_temporary_folder() -> Iterator[str]:
    """Put all temporary files, those of libraries too, into a folder that is gone in the end."""
    before = os.environ.get("TMPDIR"), tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="tintype-serve-") as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        try:
            yield folder
        finally:
            tempfile.tempdir = before[1]
            if before[0] is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before[0]
