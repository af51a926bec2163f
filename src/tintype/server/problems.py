"""What went wrong as an answer: every error has one status, and a body of one shape."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import final

from fastapi.responses import Response

from tintype.errors import ImageError, LimitError, OutOfMemoryError, OutputError, UsageError
from tintype.server.answers import Code, Problem
from tintype.server.jobs import QueueFullError, StoppingError

MEDIA_TYPE = "application/problem+json"
LONGEST_DETAIL = 1000


@final
class RefusedError(Exception):
    """A request that is answered with a problem.

    Attributes:
        problem: The body of the answer.
        headers: Of the answer, beside those that all have.
    """

    def __init__(self, status: int, code: Code, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.problem = problem(status, code, detail)
        self.headers = dict(headers or {})


def problem(status: int, code: Code, detail: str) -> Problem:
    """The body of an answer that says what went wrong."""
    title = HTTPStatus(status).phrase
    return Problem(title=title, status=status, code=code, detail=" ".join(detail.split())[:LONGEST_DETAIL])


def problem_response(refused: RefusedError) -> Response:
    """The answer itself."""
    body = refused.problem.model_dump_json()
    return Response(body, refused.problem.status, headers=refused.headers, media_type=MEDIA_TYPE)


def refusal(error: Exception) -> RefusedError:
    """How an error is answered. What is the fault of the request has a status from 400 to 499."""
    said = str(error)
    match error:
        case RefusedError():
            return error
        case QueueFullError():
            return RefusedError(429, "queue_full", said, {"Retry-After": str(error.retry_after)})
        case StoppingError():
            return RefusedError(503, "stopping", said, {"Connection": "close"})
        case LimitError() | OutOfMemoryError():
            return RefusedError(413, "too_large", said)
        case ImageError():
            return RefusedError(415, "unreadable_picture", said)
        case UsageError():
            return RefusedError(422, "invalid", said)
        case OutputError() if not _is_of_the_system(error):
            return RefusedError(422, "invalid", said)
    return RefusedError(500, "internal", "something went wrong in the server; its log says what")


def _is_of_the_system(error: BaseException | None) -> bool:
    """Whether an error came from the operating system, as that of a full disk does."""
    while error is not None:
        if isinstance(error, OSError):
            return True
        error = error.__cause__
    return False
