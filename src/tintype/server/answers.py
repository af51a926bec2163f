"""What requests give and answers hold, as typed models: the OpenAPI description is made of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from tintype.inference.plan import Format
from tintype.recipe.networks import InputName
from tintype.recipe.schema import Direction

Code = Literal[
    "bad_request",
    "forbidden",
    "internal",
    "invalid",
    "method_not_allowed",
    "not_found",
    "queue_full",
    "stopping",
    "timeout",
    "token_needed",
    "too_large",
    "unreadable_picture",
    "unsupported_media_type",
]


class Problem(BaseModel):
    """What went wrong, after RFC 9457 (`application/problem+json`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Content Too Large",
                    "status": 413,
                    "code": "too_large",
                    "detail": "picture: 20000 x 20000 pixels, more than the 64,000,000 that are allowed",
                }
            ]
        }
    )

    type: Literal["about:blank"] = "about:blank"
    title: str = Field(description="The status in words.")
    status: int = Field(ge=400, le=599)
    code: Code = Field(description="What went wrong, for programs.")
    detail: str = Field(description="What went wrong and what to do, in one line for people.")


class TranslateFields(BaseModel):
    """What is asked for with a picture, in the query or as fields of a form."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    model: Annotated[str | None, Field(max_length=256)] = Field(
        None, description="Name of a model, as `/v1/models` lists them; default: the first."
    )
    direction: Direction | None = Field(None, description="Of a model that goes both ways.")
    format: Format | None = Field(
        None, description="Of the result; default: that of the picture, or PNG where it cannot be written."
    )
    size: Annotated[int | None, Field(ge=1, le=1_000_000)] = Field(
        None, description="Pixels of the longer side of the result at most; smaller pictures stay as they are."
    )
    strength: float = Field(1.0, ge=0, le=100, description="Factor on predicted colour: 0 grey, 1 as predicted.")
    seed: Annotated[int | None, Field(ge=0, le=2**32 - 1)] = Field(
        None, description="Of a model that makes many results of one picture."
    )
    keep_colour: bool = Field(False, description="Leave a picture that has colour already as it is.")
    hints: Annotated[str | None, Field(max_length=10**6)] = Field(
        None,
        description="Colours at points, for models with the input `hints`: a JSON list of at most 1000 like "
        '{"x": 120, "y": 80, "colour": "#3366cc"}, in pixels of the picture as it is shown, from its top left corner.',
        json_schema_extra={"contentMediaType": "application/json"},
        examples=['[{"x": 12, "y": 8, "colour": "#3366cc"}]'],
    )
    answer: Literal["picture", "json"] | None = Field(
        None, description="What to answer with; default: what `Accept` prefers, or else the picture."
    )


class TranslateQuery(TranslateFields):
    """The same in the query, which has less room; a form takes longer lists of hints."""

    hints: Annotated[str | None, Field(max_length=10_000)] = Field(
        None,
        description=f"{TranslateFields.model_fields['hints'].description} Give many as a field of a form.",
        json_schema_extra={"contentMediaType": "application/json"},
        examples=['[{"x": 12, "y": 8, "colour": "#3366cc"}]'],
    )


class Provenance(BaseModel):
    """How a result was made; the same is written into its file."""

    tintype: str
    model: str = Field(description="Name of the model file.")
    recipe: str
    recipe_digest: str
    model_digest: str = Field(description="First 16 hexadecimal digits of its SHA-256.")
    step: int
    direction: Direction
    predicted: Literal["colour", "picture"]
    settings: dict[str, str]


class Timings(BaseModel):
    """Where the time went, in milliseconds."""

    queue_ms: float = Field(ge=0)
    work_ms: float = Field(ge=0)


class TranslateAnswer(BaseModel):
    """A translated picture with all that is known of it."""

    picture: str = Field(
        description="The file of the result, in base64.", json_schema_extra={"contentEncoding": "base64"}
    )
    media_type: str
    format: Format
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    model: str
    notes: list[str] = Field(description="What the user should hear.")
    provenance: Provenance
    timings: Timings
    scores: dict[str, JsonValue] = Field(description="Of the model beside the trivial baselines, from its card.")


class ModelSummary(BaseModel):
    """A model in short, from its card."""

    name: str = Field(description="What requests call it.")
    recipe: str
    description: str
    kind: str = Field(description="What it was trained by: pix2pix, regression, cyclegan, ...")
    codec: str = Field(description="What it sees and makes: lab, rgb, gray, enlarge.")
    directions: list[Direction]
    inputs: list[InputName]
    predicts_colour: bool = Field(description="It takes `strength`.")
    makes_many: bool = Field(description="It takes `seed`.")
    scale: int = Field(ge=1, description="Times that its results are larger than their sources.")
    step: int = Field(ge=0)
    images_seen: int = Field(ge=0)
    strength: float = Field(ge=0, description="Measured on validation pictures; 1 is the default all the same.")
    runtime: str
    scores: dict[str, JsonValue] = Field(description="Beside those of the trivial baselines; empty: not scored.")


class ModelList(BaseModel):
    """All models that are served; the first is the default."""

    models: list[ModelSummary]


class Health(BaseModel):
    """Whether the server is there."""

    status: Literal["ok", "stopping"]
