"""Trivial baselines: what a model has to beat, and the few numbers of the training set that they need."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tintype.errors import DataError
from tintype.image.color import grey_to_luminance, lab_to_display, to_grey
from tintype.image.resize import resize
from tintype.metrics.colour import lab_of
from tintype.recipe.schema import Grey

_LEVELS = 101
NEAREST = "nearest training picture"
BICUBIC = "bicubic"

Chroma = tuple[float, float]


class BaselineConstants(BaseModel):
    """Means over the pixels of a training set, kept in the model file so that any evaluation can show baselines."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mean_chroma: Chroma = Field(description="Mean (a*, b*).")
    luminance_to_chroma: Annotated[tuple[Chroma, ...], Field(min_length=_LEVELS, max_length=_LEVELS)] = Field(
        description="Mean (a*, b*) of the pixels whose grey source has L* = 0, 1, ... 100."
    )
    mean_rgb: tuple[float, float, float] = Field(description="Mean display colour in [0, 1].")


def fit_baselines(pictures: Iterable[np.ndarray], *, grey: Grey = "lab") -> BaselineConstants:
    """The constants of a set of pictures, every pixel counting the same.

    Args:
        pictures: Training targets `h w 3`, display floats in [0, 1]; taken one at a time.
        grey: How the task turns a colour picture grey, which decides the row of the table that a pixel belongs to.
            Rows without pixels are interpolated from their neighbours.

    Raises:
        DataError: There are no pictures.
    """
    counts = np.zeros(_LEVELS)
    chroma_sums = np.zeros((2, _LEVELS))
    rgb_sums = np.zeros(3)
    for picture in pictures:
        source = np.moveaxis(to_grey(np.moveaxis(picture, -1, 0), grey), 0, -1)
        level = np.rint(_luminance(source)).astype(np.intp).ravel().clip(0, _LEVELS - 1)
        counts += np.bincount(level, minlength=_LEVELS)
        for sums, plane in zip(chroma_sums, lab_of(picture)[1:], strict=True):
            sums += np.bincount(level, weights=plane.ravel(), minlength=_LEVELS)
        rgb_sums += picture.sum(axis=(0, 1), dtype=np.float64)
    total = counts.sum()
    if total == 0:
        raise DataError("baselines: no training pictures, at least one is needed")
    seen = np.flatnonzero(counts)
    table = [np.interp(np.arange(_LEVELS), seen, sums[seen] / counts[seen]) for sums in chroma_sums]
    return BaselineConstants.model_validate(
        {
            "mean_chroma": tuple(chroma_sums.sum(axis=1) / total),
            "luminance_to_chroma": tuple(zip(*table, strict=True)),
            "mean_rgb": tuple(rgb_sums / total),
        }
    )


def colouring_baselines(
    source: np.ndarray, constants: BaselineConstants | None, nearest: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """What the baselines of a colourising task make of one picture.

    Args:
        source: Grey picture `h w 1` in [0, 1].
        constants: Constants of the training set; None leaves out what needs them.
        nearest: Target `h w 3` of the training picture that is most like this one, of any size.

    Returns:
        Pictures `h w 3` in [0, 1] by name: "grey copy" (no chroma at all); where there are constants, "mean chroma"
        (one (a*, b*) for all pixels) and "luminance to chroma" (looked up by L*, linearly between rows); and "nearest
        training picture", which has that one's chroma.
    """
    outputs = {"grey copy": np.repeat(source, 3, axis=-1)}
    luminance = _luminance(source)
    if constants is not None:
        constant = [np.full_like(luminance, value) for value in constants.mean_chroma]
        levels, table = np.arange(_LEVELS), np.asarray(constants.luminance_to_chroma)
        looked_up = [np.interp(luminance, levels, column) for column in table.T]
        outputs["mean chroma"] = _display(luminance, constant)
        outputs["luminance to chroma"] = _display(luminance, looked_up)
    if nearest is not None:
        _, *chroma = lab_of(_fitted(nearest, source))
        outputs[NEAREST] = _display(luminance, chroma)
    return outputs


def translation_baselines(
    source: np.ndarray, constants: BaselineConstants | None, nearest: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """What the baselines of any other task make of a picture `h w 3` in [0, 1].

    Returns:
        Pictures `h w 3` in [0, 1] by name: "identity" (the source itself); where there are constants, "mean colour"
        (the constant picture with the smallest squared error on the training set); and "nearest training picture",
        the target of that one.
    """
    outputs = {"identity": source}
    if constants is not None:
        outputs["mean colour"] = np.broadcast_to(np.asarray(constants.mean_rgb), source.shape)
    if nearest is not None:
        outputs[NEAREST] = _fitted(nearest, source)
    return outputs


def enlarging_baselines(source: np.ndarray, scale: int) -> dict[str, np.ndarray]:
    """What enlarging without learning makes of a picture `h w c` in [0, 1].

    Returns:
        Pictures `h*scale w*scale c` in [0, 1] by name: "bicubic" (Keys 1981, a = -1/2) and "nearest pixel".
    """
    height, width = scale * source.shape[0], scale * source.shape[1]
    return {
        BICUBIC: np.clip(resize(source, height, width, "cubic"), 0, 1),
        "nearest pixel": source.repeat(scale, axis=0).repeat(scale, axis=1),
    }


def _fitted(picture: np.ndarray, source: np.ndarray) -> np.ndarray:
    """A picture at the size of a source."""
    height, width = source.shape[:2]
    return picture if picture.shape[:2] == (height, width) else np.clip(resize(picture, height, width), 0, 1)


def _luminance(grey: np.ndarray) -> np.ndarray:
    """L* `h w` in [0, 100] of a grey picture `h w 1`."""
    return grey_to_luminance(np.moveaxis(grey, -1, 0))[0]


def _display(luminance: np.ndarray, chroma: list[np.ndarray]) -> np.ndarray:
    return np.moveaxis(lab_to_display(np.stack([luminance, *chroma])), 0, -1)
