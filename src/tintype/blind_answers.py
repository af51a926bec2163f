"""A human test and the answers that a person gave to it: the layout of the file that the page of `blind.py` saves.

Such files come back by mail from anyone, so nothing in them is trusted: sizes are bounded, names are cleaned before
they are shown, and a test is known by a digest over all that decides it, which is computed anew when a file is read.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from tintype.errors import InputError

FORMAT: Literal["tintype blind answers 1"] = "tintype blind answers 1"
MAX_BYTES = 2**20
MAX_PICTURES = 1000
LONGEST_NAME = 200

Kind = Literal["real", "model", "grey copy", "random chroma", "identity"]
"""What a picture is: the truth, what the model made, or a control."""

CONTROLS: tuple[Kind, ...] = ("grey copy", "random chroma", "identity")


def cleaned(text: str) -> str:
    """Text of strangers that can be printed: one line, no control characters, not too long."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[:LONGEST_NAME]


Line = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(cleaned)]
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Item(_Strict):
    """A picture of a test.

    Attributes:
        id: What the page calls it; says nothing.
        kind: What it is.
        name: Of the photograph.
        sha256: First 16 hexadecimal digits, of the file that is shown.
    """

    id: Annotated[str, Field(pattern=r"^p[0-9]{1,4}$")]
    kind: Kind
    name: Line
    sha256: Hex


class Test(_Strict):
    """All that decides a test, as the page holds it and every file of answers repeats it.

    Attributes:
        model: Name of the recipe that the model was trained by.
        model_digest: Of the model file, as the marks of results have it.
        colourises: Whether the task is to make colour from grey.
        data: Which pictures it was made of, in words.
        strength: Factor on predicted chroma.
        size: Side of the pictures in pixels.
        exposure: Seconds for which a picture is seen; None: until the answer.
        seed: Decides which pictures are shown, and as what.
        practice: Number of practice rounds.
        items: The pictures that count.
    """

    __test__ = False  # not for pytest

    tintype: Line
    model: Line
    model_digest: Line
    direction: Literal["ab", "ba"]
    colourises: bool
    data: Line
    strength: Annotated[float, Field(ge=0, le=100)]
    size: Annotated[int, Field(ge=1, le=8192)]
    exposure: Annotated[float, Field(gt=0, le=600)] | None
    seed: Annotated[int, Field(ge=0, lt=2**53)]
    practice: Annotated[int, Field(ge=0, le=MAX_PICTURES)]
    items: Annotated[tuple[Item, ...], Field(min_length=2, max_length=MAX_PICTURES)]

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if len({item.id for item in self.items}) < len(self.items):
            raise ValueError("two pictures have one id")
        if not {"real", "model"} <= {item.kind for item in self.items}:
            raise ValueError("real pictures or pictures of the model are missing")
        return self

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that change with anything in the test."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Answer(_Strict):
    """What a person said of a picture, and after how many milliseconds."""

    id: Annotated[str, Field(max_length=5)]
    said: Literal["real", "generated"]
    ms: Annotated[float, Field(ge=0, le=86_400_000)]


class Answers(_Strict):
    """One person's way through a test.

    Attributes:
        format: Name and version of this layout.
        digest: Of the test.
        session: Drawn at random when the page was opened.
        order_seed: Seed of the order in which this person saw the pictures.
        nickname: What the person wished to be called; may be empty.
        started: When, by the clock of the person's device.
        answers: One for each picture, in the order in which they were shown.
        test: What was asked.
    """

    format: Literal["tintype blind answers 1"]
    digest: Hex
    session: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    order_seed: Annotated[int, Field(ge=0, lt=2**32)]
    nickname: Annotated[str, Field(max_length=40), AfterValidator(cleaned)]
    started: Annotated[str, Field(max_length=40), AfterValidator(cleaned)]
    answers: Annotated[tuple[Answer, ...], Field(max_length=MAX_PICTURES)]
    test: Test

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if sorted(answer.id for answer in self.answers) != sorted(item.id for item in self.test.items):
            raise ValueError("there must be one answer for each picture")
        if self.digest != self.test.digest:
            raise ValueError("its digest is not that of its test, so something in it was changed")
        return self


def read_answers(path: Path) -> Answers:
    """The answers of one person.

    Raises:
        InputError: The file cannot be read, is no such file, or was changed.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give files that were saved at the end of a test"
        ) from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: is larger than 1 MiB; give files that were saved at the end of a test")
    try:
        return Answers.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = cleaned(".".join(map(str, first["loc"])))
        reason = cleaned(f"{where}: {first['msg']}" if where else first["msg"].removeprefix("Value error, "))
        raise InputError(
            f"{path}: is no whole file of answers ({reason}); give files as they were saved at the end of a test"
        ) from error
