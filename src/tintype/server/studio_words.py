"""What the studio says in its pages: one line for an error, one for each note, and nothing of the server's folders."""

from __future__ import annotations

import html
import logging
import os
import re
import tempfile
from collections.abc import Callable
from typing import TypeVar

from tintype.errors import TintypeError
from tintype.inference.memory import is_out_of_memory
from tintype.inference.one import StoppedError, Turns
from tintype.server.service import ServedModel, Service

Made = TypeVar("Made")

_LOG = logging.getLogger("tintype.server")
_DEFECT = "that is a defect of Tintype; the log of the server says more"


def said(*lines: str) -> str:
    """Lines for the page, as HTML."""
    return "".join(f'<p class="said" role="status">{html.escape(line)}</p>' for line in lines)


def problem(error: Exception) -> str:
    """What went wrong, in a line for the page, as HTML.

    Errors that nobody foresaw go to the log of the server.
    """
    if isinstance(error, StoppedError):
        text = "the server is stopping"
    elif isinstance(error, TintypeError):
        text = without_folders(" ".join(str(error).split()))
    elif is_out_of_memory(error):
        text = "the picture needs more memory than there is; reduce it first"
    else:
        _LOG.error("studio: %s", type(error).__name__, exc_info=error)
        text = _DEFECT
    return f'<p class="problem" role="alert">{html.escape(text)}</p>'


def without_folders(text: str) -> str:
    """A message in which temporary files are called by their names alone."""
    for root in {tempfile.gettempdir(), os.path.realpath(tempfile.gettempdir())}:
        text = re.sub(rf"{re.escape(root)}[/\\](?:[^/\\\s:]+[/\\])*", "", text)
    return text


def in_turn(service: Service, model: ServedModel, work: Callable[[Turns], Made]) -> Made:
    """Do work when its turn comes in the queue that the studio shares with the API.

    Args:
        service: Whose queue it is.
        model: What it is done with.
        work: What is to be done; told when to stop.

    Raises:
        QueueFullError: Too much is waiting.
        StoppingError: The server is stopping.
    """
    return service.run(lambda job: work(service.turns(model, job)), 0).future.result()


def models_by_label(service: Service) -> dict[str, ServedModel]:
    """All models in all their directions, by what the page calls them; the default one first."""
    return {
        name if len(directions) == 1 else f"{name}, {direction[0].upper()} to {direction[1].upper()}": model
        for name, directions in service.models.items()
        for direction, model in directions.items()
    }
