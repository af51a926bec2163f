"""The colours of a reference picture, given to another one: chroma that is as it is there at the same luminance.

Colour transfer by mean and spread (Reinhard et al. 2001), for chroma alone and at each luminance apart, so that skies
take the colours of what is bright and grounds of what is dark. Between two spreads goes the linear map that moves
colours least (Pitié and Kokaram 2007), which turns no hue into another without need.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from tintype.errors import UsageError
from tintype.image.array_picture import ArrayPicture
from tintype.image.codec import LabSpace
from tintype.image.picture import DecodedImage, OpenPicture
from tintype.inference.network import to_batch
from tintype.inference.translation import has_colour

BINS = 11
"""Places from L* = 0 to 100 at which colours are described; each sees half of what its neighbours see."""

_LONGER_SIDE = 512  # of what is looked at of a reference: colours need no detail
_PRIOR = 0.003  # of a picture's pixels: so much of the whole picture counts in each bin beside the bin's own
_NOISE = 3 / 110  # deviation that is added to both spreads, 3 units of a* and b*: what is nearly grey stays so
_MOST_GAIN = 3.0  # times that chroma is spread wider: more would show what the network never meant


@final
@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """Chroma of a picture by luminance; it can be pickled, for workers.

    Attributes:
        means: Mean (a*, b*) in model space around each of `BINS` luminances, float64 `bins 2`.
        covariances: Their covariance, float64 `bins 2 2`.
        name: The picture's file name, for the mark of results.
    """

    means: np.ndarray
    covariances: np.ndarray
    name: str = "picture"


def palette_of(image: np.ndarray | DecodedImage | OpenPicture) -> Palette:
    """The palette of a reference picture in colour.

    Args:
        image: An open or decoded picture, or an sRGB array `h w 3` of uint8, uint16, or float in [0, 1].

    Raises:
        ImageError: It is damaged, or its values are not finite or out of range.
        UsageError: It is no picture, or has no colour to give.
    """
    picture = ArrayPicture(image) if isinstance(image, np.ndarray | DecodedImage) else image
    info = picture.info
    scale = min(1.0, _LONGER_SIDE / max(info.height, info.width))
    pixels = picture.reduced(max(1, round(scale * info.height)), max(1, round(scale * info.width)))
    if not has_colour(pixels):
        raise UsageError(f"{info.name}: has no colour to take as a reference; give a picture in colour")
    codec, batch = LabSpace(grey="lab"), to_batch(pixels)
    chroma = np.moveaxis(codec.encode_chroma(batch)[0], 0, -1)
    return palette_by_luminance(chroma, codec.lightness(batch)[0, 0], Path(info.name).name)


def palette_by_luminance(chroma: np.ndarray, lightness: np.ndarray, name: str = "picture") -> Palette:
    """The palette of chroma in model space, `h w 2`, at L* `h w` in [0, 100].

    Where a luminance is rare, it has the colours of the whole picture.
    """
    points = chroma.reshape(-1, 2).astype(np.float64)
    weights = _hats(lightness.ravel()) / len(points)  # k bins
    shares = weights.sum(axis=0)
    whole = points.mean(axis=0)
    spread = points.T @ points / len(points)  # second moments: those of the parts add up
    firsts = weights.T @ points
    seconds = np.einsum("kb,ki,kj->bij", weights, points, points)
    means = (firsts + _PRIOR * whole) / (shares + _PRIOR)[:, None]
    moments = (seconds + _PRIOR * spread) / (shares + _PRIOR)[:, None, None]
    return Palette(means, moments - means[:, :, None] * means[:, None, :], name)


def in_palette(chroma: np.ndarray, lightness: np.ndarray, reference: Palette) -> np.ndarray:
    """Predicted chroma in the colours of a reference.

    Args:
        chroma: Model space, float32 `h w 2`.
        lightness: L* of the picture in [0, 100], `h w`.
        reference: The colours to take.

    Returns:
        float32 `h w 2`: at each luminance with mean and covariance of the reference, as near as the limits on gain
        allow.
    """
    own = palette_by_luminance(chroma, lightness)
    maps = np.stack([_least_map(a, b) for a, b in zip(own.covariances, reference.covariances, strict=True)])
    offsets = reference.means - np.einsum("bij,bj->bi", maps, own.means)
    hats = _hats(lightness.ravel())
    moved = np.einsum("kb,bij,kj->ki", hats, maps, chroma.reshape(-1, 2)) + hats @ offsets
    return moved.reshape(chroma.shape).astype(np.float32)


def _hats(lightness: np.ndarray) -> np.ndarray:
    """How much each luminance belongs to each bin, `k bins`; the two bins that it lies between share it."""
    places = np.clip(lightness, 0, 100) * ((BINS - 1) / 100)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(BINS)))


def _least_map(own: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The symmetric map `2 2` that gives points of one covariance another one and moves them least."""
    noise = _NOISE**2 * np.eye(2)
    root = _power(own + noise, 0.5)
    inverse = _power(own + noise, -0.5)
    return _power(inverse @ _power(root @ (wanted + noise) @ root, 0.5) @ inverse, 1.0, _MOST_GAIN)


def _power(matrix: np.ndarray, exponent: float, most: float = np.inf) -> np.ndarray:
    """A symmetric matrix to some power, by its eigenvalues, none of which exceeds `most`."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    powered = np.minimum(np.maximum(values, 1e-12) ** exponent, most)
    return np.asarray((vectors * powered) @ vectors.T)
