"""Colours that a user sets at points of a picture, for models that learnt to spread them (`data.hints` of a recipe).

Hints are plain data: typed on the command line, read from a JSON file that may come from anyone, or made in Python. On
the network's input each becomes a small square of its chroma; its luminance is of no account, since results keep that
of the picture.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tintype.errors import InputError, UsageError
from tintype.image.codec import LabSpace
from tintype.image.picture import PictureInfo
from tintype.inference.modelfile import ModelCard
from tintype.inference.network import Network
from tintype.recipe.data import ColourData

MOST = 1000
MAX_BYTES = 10**6

_COLOUR = "#[0-9a-fA-F]{6}"
_LIKE = '{"x": 120, "y": 80, "colour": "#3366cc"}'


@final
@dataclass(frozen=True, slots=True)
class Hint:
    """The colour of a picture at a point.

    Attributes:
        x: From the left edge, in pixels of the picture as it is shown: turned upright as its file says. Centres of
            pixels are at .5.
        y: From the top edge, likewise.
        colour: sRGB in [0, 1]; its chroma is what counts.

    Raises:
        UsageError: A number is not finite, or the colour is none.
    """

    x: float
    y: float
    colour: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not (math.isfinite(self.x) and math.isfinite(self.y)):
            raise UsageError(f"hint at {self.x:g},{self.y:g}: its place must be two finite numbers of pixels")
        if len(self.colour) != 3 or not all(0 <= channel <= 1 for channel in self.colour):
            raise UsageError(
                f"hint at {self.x:g},{self.y:g}: the colour {self.colour} must be red, green and blue in [0, 1]"
            )

    def __str__(self) -> str:
        """The hint as `parse_hint` reads it, in 8 bits a channel."""
        return f"{self.x:g},{self.y:g},#" + "".join(f"{round(255 * channel):02x}" for channel in self.colour)


class _Written(BaseModel):
    """A hint in a JSON file."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    x: float
    y: float
    colour: Annotated[str, Field(pattern=f"^{_COLOUR}$")]


_FILE = TypeAdapter(Annotated[list[_Written], Field(max_length=MOST)])


def parse_hint(text: str) -> Hint:
    """Read `x,y,#rrggbb`, as in `120,80,#3366cc`.

    Raises:
        UsageError: It is something else.
    """
    number = r"\s*([-+]?(?:\d+\.?\d*|\.\d+))\s*"
    match = re.fullmatch(rf"{number},{number},\s*({_COLOUR})\s*", text, re.ASCII)
    if match is None:
        raise UsageError(
            f"hint {_shown(text)}: give x,y,#rrggbb in pixels from the top left corner, as in 120,80,#3366cc"
        )
    return Hint(float(match[1]), float(match[2]), hex_colour(match[3]))


def hints_from_json(text: str | bytes, name: str = "hints") -> tuple[Hint, ...]:
    """Read a JSON list of `{"x": 120, "y": 80, "colour": "#3366cc"}`, at most 1000 of them.

    Args:
        text: Not trusted.
        name: What an error calls it.

    Raises:
        InputError: It is something else, or too long.
    """
    if len(text) > MAX_BYTES:
        raise InputError(
            f"{name}: longer than the {MAX_BYTES:,} bytes that hints may have; give at most {MOST:,} hints"
        )
    try:
        written = _FILE.validate_json(text)
        return tuple(Hint(one.x, one.y, hex_colour(one.colour)) for one in written)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = "".join(f", hint {part + 1}" if isinstance(part, int) else f", {part}" for part in first["loc"])
        what = " ".join(first["msg"].split())[:200]
        raise InputError(f"{name}{_shown(where)}: {what}; give a list of at most {MOST:,} like {_LIKE}") from None


def read_hints(path: str | Path) -> tuple[Hint, ...]:
    """Read a file of hints; see `hints_from_json`.

    Raises:
        InputError: The file cannot be read, is longer than 1 MB, or holds something else.
    """
    try:
        with Path(path).open("rb") as file:
            return hints_from_json(file.read(MAX_BYTES + 1), str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}; give a JSON file of hints") from error


def check_hints(hints: Sequence[Hint], card: ModelCard) -> None:
    """Refuse hints for a model that takes none, and too many of them.

    Raises:
        UsageError: They cannot be used.
    """
    if hints and "hints" not in card.inputs:
        raise UsageError("this model was not trained with hints (data.hints) and takes none; leave them out")
    if len(hints) > MOST:
        raise UsageError(f"{len(hints):,} hints: give at most {MOST:,}")


def drawn_hints(
    hints: Sequence[Hint], info: PictureInfo, network: Network, height: int, width: int
) -> np.ndarray | None:
    """Hints as a network is shown them: squares of the largest side that it was trained with.

    Of the sides that it knows, the largest is worth most where there are few hints (`benchmarks/hints.py`).

    Args:
        hints: A later one covers those before it.
        info: The picture that they belong to.
        network: The one that is to see them.
        height: Of the picture at the network's size.
        width: Likewise.

    Returns:
        a* and b* in model space and a mask that is 1 where they are known, float32 `height width 3`; None: no hints.

    Raises:
        UsageError: A hint lies outside the picture.
    """
    data, codec = network.card.recipe.data, network.codec
    if not hints or not isinstance(data, ColourData) or not isinstance(codec, LabSpace):
        return None
    drawn = np.zeros((height, width, 3), np.float32)
    for hint in hints:
        if not (0 <= hint.x <= info.width and 0 <= hint.y <= info.height):
            raise UsageError(
                f"hint {hint}: lies outside {info.name}, of {info.width} x {info.height} pixels; give a point in it"
            )
        rows = _around(hint.y * height / info.height, height, data.hints.largest)
        columns = _around(hint.x * width / info.width, width, data.hints.largest)
        chroma = codec.encode_chroma(np.array(hint.colour, np.float32).reshape(1, 3, 1, 1))
        drawn[rows, columns, :2] = chroma[0, :, 0, 0]
        drawn[rows, columns, 2] = 1
    return drawn


def _around(place: float, length: int, side: int) -> slice:
    """The pixels of a side of the square whose middle is there, moved inwards at the picture's edges."""
    first = min(max(int(place) - side // 2, 0), max(length - side, 0))
    return slice(first, first + side)


def _shown(text: str) -> str:
    """Text of strangers in a message of one line."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:60])


def hex_colour(text: str) -> tuple[float, float, float]:
    """The sRGB values in [0, 1] of `#rrggbb`."""
    red, green, blue = (int(text[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue
