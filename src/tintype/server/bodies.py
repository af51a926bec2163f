"""Reading the body of a request within its limits: a picture as it is, or a form with pictures and fields."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import final

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from tintype.server.problems import RefusedError

FORM = "multipart/form-data"
PICTURE_TYPES = (
    *("image/png", "image/jpeg", "image/tiff", "image/webp", "image/avif", "image/gif", "image/heic"),
    *("image/svg+xml", "application/fits", "application/octet-stream"),
)
"""Types of bodies that are named in the description; every image/* is taken, and read by its content alone."""

_FILES = frozenset({"picture", "reference"})
_FIELD_BYTES = 2**20
_MOST_FIELDS = 32
_DISCARD_BYTES, _DISCARD_S = 2**24, 5.0


@final
@dataclass(frozen=True, slots=True)
class Body:
    """What came in."""

    picture: bytes
    reference: bytes | None = None
    """Of a form, as the fields are."""
    fields: dict[str, str] = field(default_factory=dict)


def check_body(request: Request, most: int) -> int:
    """The bytes that a body may have, by its headers, before any of it is read.

    Raises:
        RefusedError: It is of a type that is not read, or too long.
    """
    media = _media_type(request)
    if media not in (FORM, "", "application/fits", "application/octet-stream") and not media.startswith("image/"):
        raise RefusedError(
            415,
            "unsupported_media_type",
            f"Content-Type {media[:80]}: send a picture as image/* or application/octet-stream, or {FORM} with a file "
            "`picture`",
        )
    length = request.headers.get("content-length")
    if length is None:
        return most
    if not (length.isascii() and length.isdigit()):
        raise RefusedError(400, "bad_request", "Content-Length is no number")
    if len(length) > 18 or int(length) > most:
        raise _too_long(most)
    return int(length)


async def read_body(request: Request, most: int, seconds: float) -> Body:
    """Read a body to its end.

    Raises:
        RefusedError: It is longer than allowed, takes too long to arrive, is empty, or is no form of the right kind.
        ClientDisconnect: The client has gone.
    """
    try:
        async with asyncio.timeout(seconds), aclosing(_limited(request, most)) as stream:
            if _media_type(request) == FORM:
                body = await _read_form(request, stream, most)
            else:
                body = Body(b"".join([chunk async for chunk in stream]))
    except TimeoutError:
        raise RefusedError(
            408, "timeout", f"the body did not arrive within {seconds:g} s", {"Connection": "close"}
        ) from None
    if not body.picture:
        raise RefusedError(422, "invalid", "the body holds no picture; send one as the body or as the file `picture`")
    return body


async def discard_body(request: Request) -> None:
    """Read some of what was sent before the connection is closed: else its client may miss the answer."""
    count = 0
    with suppress(TimeoutError, ClientDisconnect, RuntimeError):  # it was read already
        async with asyncio.timeout(_DISCARD_S), aclosing(request.stream()) as stream:
            async for chunk in stream:
                count += len(chunk)
                if count > _DISCARD_BYTES:
                    return


async def _limited(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    count = 0
    async for chunk in request.stream():
        count += len(chunk)
        if count > most:
            raise _too_long(most)
        yield chunk


async def _read_form(request: Request, stream: AsyncGenerator[bytes, None], most: int) -> Body:
    parser = MultiPartParser(
        request.headers, stream, max_files=len(_FILES), max_fields=_MOST_FIELDS, max_part_size=_FIELD_BYTES
    )
    # in memory, whatever its size: that is bounded, and counted where the place was taken
    parser.spool_max_size = most + 1
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise RefusedError(422, "invalid", f"the form cannot be read: {error.message}") from error
    files: dict[str, bytes] = {}
    fields: dict[str, str] = {}
    try:
        for name, value in form.multi_items():
            if name in files or name in fields:
                raise RefusedError(422, "invalid", "the form has a field twice; give each one once")
            if isinstance(value, UploadFile):
                if name not in _FILES:
                    raise RefusedError(422, "invalid", "the form has an unknown file; give `picture` and `reference`")
                files[name] = await value.read()
            elif name in _FILES:
                raise RefusedError(422, "invalid", f"the form has `{name}` as text: give its part a filename")
            else:
                fields[name] = value
    finally:
        await form.close()
    return Body(files.get("picture", b""), files.get("reference") or None, fields)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _too_long(most: int) -> RefusedError:
    return RefusedError(413, "too_large", f"the body has more than the {most:,} bytes that are allowed")
