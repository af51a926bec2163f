"""One request for a translation: read within its limits, worked on in its turn, given up when its client goes."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from tintype.errors import InputError, UsageError
from tintype.inference.hints import Hint, hints_from_json
from tintype.server.answers import Provenance, Timings, TranslateAnswer, TranslateFields
from tintype.server.bodies import check_body, discard_body, read_body
from tintype.server.jobs import Job
from tintype.server.logs import describe_defect, record_of
from tintype.server.problems import RefusedError, problem_response, refusal
from tintype.server.service import Answer, Asked, Service

_BLOCK = 2**18
_LONGEST_NOTES = 4000  # letters of a header


async def answer_request(request: Request, fields: TranslateFields, service: Service) -> Response:
    """Answer a request for a translation, whatever comes of it."""
    record = record_of(request.scope)
    try:
        answer, fields = await _translated(request, fields, service)
    except ClientDisconnect:
        record.gone = True
        return Response(status_code=400)  # which nobody reads
    except Exception as error:  # a defect in the way of one request must not end the server
        refused = refusal(error)
        if refused.problem.status >= 500 and refused.problem.code == "internal":
            record.error = describe_defect(error)
        if "Connection" in refused.headers:
            await discard_body(request)
        return problem_response(refused)
    record.model, record.width, record.height = answer.model.name, answer.width, answer.height
    record.queue_ms = round(1000 * answer.queued_s, 1)
    if fields.answer == "json" or (fields.answer is None and prefers_json(request.headers.get("accept", ""))):
        return _as_json(answer)
    return _as_picture(answer)


async def _translated(request: Request, fields: TranslateFields, service: Service) -> tuple[Answer, TranslateFields]:
    settings = service.settings
    service.model(fields.model, fields.direction)  # what is not there is refused before a body is read
    place = service.queue.take_place(check_body(request, settings.max_bytes))
    try:
        body = await read_body(request, settings.max_bytes, settings.time_limit)
        fields = merged(fields, body.fields)
        job = service.submit(
            Asked(
                picture=body.picture,
                model=fields.model,
                direction=fields.direction,
                picture_format=fields.format,
                size=fields.size,
                strength=fields.strength,
                seed=fields.seed,
                keep_colour=fields.keep_colour,
                hints=_hints(fields.hints),
                reference=body.reference,
            ),
            place,
        )
    except BaseException:
        service.queue.leave(place)
        raise
    del body  # the job has it, and gives it back sooner
    return await _unless_gone(request, job), fields


def _hints(text: str | None) -> tuple[Hint, ...]:
    """The hints of a field.

    Raises:
        UsageError: It holds something else.
    """
    try:
        return () if text is None else hints_from_json(text)
    except InputError as error:
        raise UsageError(str(error)) from None


async def _unless_gone(request: Request, job: Job[Answer]) -> Answer:
    """Wait for a job, and cancel it if the client goes.

    Raises:
        ClientDisconnect: It has gone.
    """
    answer = asyncio.wrap_future(job.future)
    gone = asyncio.create_task(_disconnected(request))
    try:
        waited_for: set[asyncio.Future[Any]] = {answer, gone}
        await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.add_done_callback(_taken)
            raise ClientDisconnect
        return answer.result()
    finally:
        gone.cancel()
        if not job.future.done():
            job.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _taken(answer: asyncio.Future[Answer]) -> None:
    """Close what nobody waits for."""
    if not answer.cancelled() and answer.exception() is None:
        answer.result().picture.close()


def merged(fields: TranslateFields, form: dict[str, str]) -> TranslateFields:
    """What the query and the form ask for together.

    Raises:
        RefusedError: The form has an unknown or invalid field, or one that the query has as well.
    """
    given: dict[str, Any] = fields.model_dump(exclude_unset=True)
    twice = sorted(given.keys() & form.keys())
    if twice:
        raise RefusedError(422, "invalid", f"{twice[0]}: given both in the query and in the form; give it once")
    try:
        return TranslateFields.model_validate(given | form)
    except ValidationError as error:
        raise RefusedError(422, "invalid", first_line(error.errors(include_url=False, include_input=False))) from None


def first_line(errors: Any) -> str:  # noqa: ANN401  as FastAPI and pydantic give them
    """The first of some errors of validation in one line."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("query", "body"))
    what = str(first["msg"])
    if first["type"] == "extra_forbidden":
        what = "there is no such field"
    return f"{where[:100]}: {what}" if where else what


def prefers_json(accept: str) -> bool:
    """Whether a header Accept would rather have JSON than a picture."""
    best: dict[str, float] = {}
    for part in accept.split(","):
        media, *parameters = (word.strip().lower() for word in part.split(";"))
        quality = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        kind = "json" if media == "application/json" else "picture" if media.startswith(("image/", "*/")) else ""
        try:
            best[kind] = max(best.get(kind, 0.0), float(quality))
        except ValueError:
            continue
    return best.get("json", 0.0) > best.get("picture", 0.0)


def _as_picture(answer: Answer) -> Response:
    headers = {
        "Content-Length": str(answer.size),
        "X-Tintype-Model": _in_ascii(answer.model.name),
        "X-Tintype-Width": str(answer.width),
        "X-Tintype-Height": str(answer.height),
        "X-Tintype-Provenance": answer.provenance.to_text(),
        "X-Tintype-Notes": json.dumps(answer.notes)[:_LONGEST_NOTES],
        "X-Tintype-Queue-Ms": f"{1000 * answer.queued_s:.1f}",
        "X-Tintype-Work-Ms": f"{1000 * answer.work_s:.1f}",
        "Cache-Control": "no-store",
    }
    return StreamingResponse(_blocks(answer), headers=headers, media_type=answer.media_type)


async def _blocks(answer: Answer) -> AsyncIterator[bytes]:
    with answer.picture as picture:
        while block := picture.read(_BLOCK):
            yield block


def _as_json(answer: Answer) -> Response:
    with answer.picture:
        data = answer.data()
    made = answer.provenance
    body = TranslateAnswer(
        picture=base64.b64encode(data).decode(),
        media_type=answer.media_type,
        format=answer.format,
        width=answer.width,
        height=answer.height,
        model=answer.model.name,
        notes=list(answer.notes),
        provenance=Provenance(
            tintype=made.tintype,
            model=made.model,
            recipe=made.recipe,
            recipe_digest=made.recipe_digest,
            model_digest=made.model_digest,
            step=made.step,
            direction=answer.model.card.direction,
            predicted=made.predicted,
            settings=dict(made.settings),
        ),
        timings=Timings(queue_ms=round(1000 * answer.queued_s, 1), work_ms=round(1000 * answer.work_s, 1)),
        scores=answer.model.card.scores,
    )
    return Response(body.model_dump_json(), headers={"Cache-Control": "no-store"}, media_type="application/json")


def _in_ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()
