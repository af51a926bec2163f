"""Model files: `.onnx` and `.safetensors`, both carrying a `ModelCard` as JSON under the metadata key `tintype`.

Model files are exchanged between people, so nothing in them is trusted: sizes are limited before anything is parsed,
the card is validated as a whole, and no format that could hold code is read. Running a model is the business of
`runtime.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import safetensors
import safetensors.numpy
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from tintype.atomic import atomic_path
from tintype.errors import ModelFileError, UsageError
from tintype.inference.bundled import model_path
from tintype.metrics.baselines import BaselineConstants
from tintype.metrics.spread import Calibration
from tintype.recipe.networks import InputName
from tintype.recipe.schema import Direction, Recipe

METADATA_KEY = "tintype"
FORMAT: Literal["tintype-model-1"] = "tintype-model-1"
MODEL_SUFFIXES = (".onnx", ".safetensors")  # the first is preferred where a run folder holds both
MAX_CARD_BYTES = 16 * 2**20
MAX_HEADER_BYTES = 2 * MAX_CARD_BYTES  # of a safetensors file: the card, quoted, and the names of the tensors


class Exported(BaseModel):
    """How an ONNX file was made of a trained network, and how near it comes to that.

    Attributes:
        form: fp32; fp16: weights of half precision, which are computed with as float32; int8: whole numbers of 8 bits.
        side: The one height and width that it takes; None: any.
        difference: Largest difference from torch of any value, in model space.
        agreement: Mean PSNR of its results against those of torch, in dB; None: on no pictures.
        loss: What that costs in mean PSNR against the truth, in dB.
        pictures: Number of pictures that these two were measured on.
        calibrated_on: Number of pictures that int8 was calibrated on.
        left_in_float: Convolutions that int8 would have harmed most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    form: Literal["fp32", "fp16", "int8"] = "fp32"
    side: int | None = Field(None, ge=1, le=2**16)
    difference: float | None = Field(None, ge=0)
    agreement: float | None = None
    loss: float | None = None
    pictures: int = Field(0, ge=0)
    calibrated_on: int = Field(0, ge=0)
    left_in_float: int = Field(0, ge=0)


class ModelCard(BaseModel):
    """Everything about a model that is not a weight: how it was made, how it is fed, and what it scored."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal["tintype-model-1"] = FORMAT
    tintype_version: str = Field(max_length=64)
    recipe: Recipe
    direction: Direction = "ab"
    step: int = Field(ge=0)
    images_seen: int = Field(ge=0)
    multiple_of: int = Field(ge=1, le=1024)
    output_stride: int = Field(ge=1, le=1024)
    tiling: Literal["exact", "approximate", "forbidden"]
    receptive_radius_px: int | None = Field(None, ge=0)
    strength: float = Field(1.0, ge=0)
    spread: Calibration | None = None
    baselines: BaselineConstants | None = None
    scores: dict[str, JsonValue] = {}
    split: dict[str, JsonValue] | None = None
    classes: tuple[str, ...] = ()
    exported: Exported | None = None

    @model_validator(mode="after")
    def _fits_its_recipe(self) -> ModelCard:
        if self.output_stride != self.recipe.output_stride:
            raise ValueError(f"output_stride {self.output_stride} contradicts the recipe's {self.recipe.output_stride}")
        if self.direction not in self.recipe.directions:
            raise ValueError(f"direction {self.direction}, but the recipe trains {self.recipe.directions[0]} only")
        if self.multiple_of % self.output_stride:
            raise ValueError(f"multiple_of {self.multiple_of} must be a multiple of output_stride {self.output_stride}")
        wanted = getattr(self.recipe.generator, "classes", 0)
        if self.classes and len(self.classes) != wanted:
            raise ValueError(f"{len(self.classes)} classes, but the recipe tells {wanted} apart")
        return self

    @property
    def inputs(self) -> tuple[InputName, ...]:
        """What the network takes, in the order of its arguments."""
        return self.recipe.inputs_of(self.direction)

    @property
    def fixed_side(self) -> int | None:
        """The one height and width in pixels that the network takes; None: any multiples of `multiple_of`."""
        return None if self.exported is None else self.exported.side

    @property
    def makes_many(self) -> bool:
        """Whether one source has many results, each with a seed of its own."""
        return "noise" in self.inputs or getattr(self.recipe.generator, "noise", "none") == "dropout"


def card_to_json(card: ModelCard) -> str:
    """The text that is stored in a model file."""
    return card.model_dump_json()


def card_from_json(text: str | None, path: Path) -> ModelCard:
    """Validate the text that was found in the model file `path`; None: the file holds none.

    Raises:
        ModelFileError: It is absent, too long, not JSON, or not a card of this version.
    """
    if text is None:
        raise ModelFileError(
            f"{path}: holds no Tintype card, so it was not made by Tintype; give a model that Tintype wrote"
        )
    if len(text) > MAX_CARD_BYTES:
        raise ModelFileError(f"{path}: its card is {len(text)} characters long; at most {MAX_CARD_BYTES} are allowed")
    try:
        return ModelCard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "whole"
        if where == "format":
            raise ModelFileError(
                f"{path}: its card has another format than {FORMAT}; use the version of Tintype that wrote it"
            ) from error
        raise ModelFileError(
            f"{path}: its card is damaged ({where}: {_one_line(first['msg'])}); export it again"
        ) from error


def read_card(path: Path) -> ModelCard:
    """The card of a model file of either format.

    Raises:
        ModelFileError: The file is missing, damaged, or not made by Tintype.
    """
    if path.suffix == ".onnx":
        from tintype.inference.runtime import read_onnx_card

        return read_onnx_card(path)
    check_header(path)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except (OSError, safetensors.SafetensorError) as error:
        raise damaged(path, error) from error
    return card_from_json(metadata.get(METADATA_KEY), path)


def write_safetensors(path: Path, state: dict[str, np.ndarray], card: ModelCard) -> None:
    """Write weights by name and their card; the file is there whole or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    tensors = {name: np.asarray(value, order="C") for name, value in state.items()}
    data = safetensors.numpy.save(tensors, metadata={METADATA_KEY: card_to_json(card)})
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], ModelCard]:
    """The weights by name, and the card.

    Raises:
        ModelFileError: The file is missing, damaged, or not made by Tintype.
    """
    card = read_card(path)
    try:
        return safetensors.numpy.load_file(path), card
    except (
        OSError,
        safetensors.SafetensorError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:  # types that numpy lacks
        raise damaged(path, error) from error


def find_model(model: str | Path, direction: Direction | None = None) -> Path:
    """The model file that a run folder, a path or `bundled` stands for; `.onnx` before `.safetensors`, ab before ba.

    Raises:
        ModelFileError: There is none.
        UsageError: No bundled model is called so.
    """
    path = model_path(model)
    if path.is_dir():
        for stem in (f"model_{direction or 'ab'}", "model"):
            for suffix in MODEL_SUFFIXES:
                candidate = path / f"{stem}{suffix}"
                if candidate.is_file():
                    return candidate
        raise ModelFileError(
            f"{path}: holds no model.onnx or model.safetensors; give a finished run folder or a model file"
        )
    if not path.is_file():
        raise ModelFileError(
            f"{path}: there is no such file or folder; give a run folder, a .onnx or a .safetensors file"
        )
    if path.suffix not in MODEL_SUFFIXES:
        raise ModelFileError(f"{path}: is not a model file; give a run folder, a .onnx or a .safetensors file")
    return path


def require_direction(card: ModelCard, path: Path, direction: Direction | None = None) -> None:
    """Refuse a model that goes another way than is asked, or than the name of its file says.

    Raises:
        ModelFileError: The name contradicts the card.
        UsageError: The direction that is asked is another one.
    """
    named = {"model_ab": "ab", "model_ba": "ba"}.get(path.stem, card.direction)
    if named != card.direction:
        raise ModelFileError(f"{path}: translates {card.direction}, by its card; rename it to model_{card.direction}")
    if direction not in (None, card.direction):
        only = " only" if len(card.recipe.directions) == 1 else f", {card.direction}"
        raise UsageError(
            f"{path}: translates in one direction{only}; leave out --direction {direction} or give a run of two "
            "directions"
        )


def damaged(path: Path, error: Exception) -> ModelFileError:
    """The one-line error for a model file that some library could not make sense of."""
    if isinstance(error, OSError) and error.strerror:
        return ModelFileError(f"{path}: cannot be read: {error.strerror}; check the path and your right to read it")
    return ModelFileError(f"{path}: is damaged or no model file ({_one_line(str(error))}); export or copy it again")


def check_header(path: Path) -> None:
    """Refuse a safetensors file whose header lies about its length or is too long to be parsed safely.

    Raises:
        ModelFileError: It does, or the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = file.seek(0, 2)
            if not 2 <= length <= min(size - 8, MAX_HEADER_BYTES):
                raise ModelFileError(
                    f"{path}: is damaged or no safetensors file (header of {length} bytes); copy it again"
                )
    except OSError as error:
        raise damaged(path, error) from error


def _one_line(text: str) -> str:
    """Text of a library, without line breaks and of a length that fits a message."""
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:197]}..."
