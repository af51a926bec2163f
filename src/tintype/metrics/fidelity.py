"""PSNR, SSIM and MS-SSIM of two pictures. Colour differences are in `colour.py`."""

from __future__ import annotations

import numpy as np

from tintype.errors import UsageError

PSNR_CAP = 100.0
"""PSNR in dB that is given to pictures that are equal or nearly so, so that means over pictures stay finite."""

_SIGMA = 1.5
_RADIUS = 5
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
MS_SSIM_SIDE = (2 * _RADIUS + 1) * 2 ** (len(_SCALE_WEIGHTS) - 1)
"""Shortest side of a picture in pixels that has a window left at the coarsest scale of MS-SSIM."""


def psnr(x: np.ndarray, y: np.ndarray) -> float:
    """Peak signal-to-noise ratio over all pixels and channels together, for a peak of 1.

    Args:
        x: Picture `h w c` in [0, 1].
        y: The picture it is compared with, of the same shape.

    Returns:
        Decibels, at most `PSNR_CAP`.

    Raises:
        UsageError: The shapes differ.
    """
    _check_shapes("psnr", x, y)
    error = np.mean(np.square(x.astype(np.float64) - y))
    return float(-10 * np.log10(max(error, 10 ** (-PSNR_CAP / 10))))


def ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Structural similarity (Wang, Bovik, Sheikh & Simoncelli 2004), the mean over pixels and channels.

    As in the paper: Gaussian window of 11 x 11 with sigma 1.5, K1 = 0.01, K2 = 0.03, a dynamic range of 1, and only
    windows that lie wholly within the picture.

    Args:
        x: Picture `h w c` in [0, 1].
        y: The picture it is compared with, of the same shape.

    Returns:
        At most 1, which equal pictures reach.

    Raises:
        UsageError: The shapes differ, or a side is shorter than 11 pixels.
    """
    _check_shapes("ssim", x, y)
    window = 2 * _RADIUS + 1
    if min(x.shape[:2]) < window:
        raise UsageError(
            f"ssim: a picture of {x.shape[1]} x {x.shape[0]} pixels is too small: use {window} x {window} or more"
        )
    similarity, _ = _similarity(x.astype(np.float64), y.astype(np.float64))
    return similarity


def ms_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Multi-scale structural similarity (Wang, Simoncelli & Bovik 2003), five scales with the weights of the paper.

    Windows as in `ssim`, means over pixels and channels together; between scales means of 2 x 2 pixels, an odd last
    row or column left out. A scale of negative correlation counts as 0, and so does the whole then.

    Args:
        x: Picture `h w c` in [0, 1].
        y: The picture it is compared with, of the same shape.

    Returns:
        Between 0 and 1, which equal pictures reach.

    Raises:
        UsageError: The shapes differ, or a side is shorter than `MS_SSIM_SIDE` pixels.
    """
    _check_shapes("ms_ssim", x, y)
    if min(x.shape[:2]) < MS_SSIM_SIDE:
        raise UsageError(
            f"ms_ssim: a picture of {x.shape[1]} x {x.shape[0]} pixels is too small for "
            f"{len(_SCALE_WEIGHTS)} scales: use {MS_SSIM_SIDE} x {MS_SSIM_SIDE} or more"
        )
    x, y = x.astype(np.float64), y.astype(np.float64)
    product = 1.0
    for weight in _SCALE_WEIGHTS[:-1]:
        _, structure = _similarity(x, y)
        product *= max(structure, 0.0) ** weight
        x, y = _halved(x), _halved(y)
    similarity, _ = _similarity(x, y)
    return product * max(similarity, 0.0) ** _SCALE_WEIGHTS[-1]


def _similarity(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Means of SSIM and of its part that luminance has no share in, contrast times structure."""
    mean_x, mean_y = _blur(x), _blur(y)
    variances = _blur(x * x + y * y) - mean_x**2 - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    structure = (2 * covariance + c2) / (variances + c2)
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return float((luminance * structure).mean()), float(structure.mean())


def _halved(x: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels: `h/2 w/2 c`."""
    x = x[: x.shape[0] // 2 * 2, : x.shape[1] // 2 * 2]
    return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4


def _blur(x: np.ndarray) -> np.ndarray:
    """Gaussian means of all windows within `h w c`: `h-10 w-10 c`."""
    taps = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    taps /= taps.sum()
    for axis in (0, 1):
        valid = x.shape[axis] - 2 * _RADIUS
        shifted = (x[i : i + valid] if axis == 0 else x[:, i : i + valid] for i in range(len(taps)))
        x = sum((tap * part for tap, part in zip(taps, shifted, strict=True)), start=np.zeros(()))
    return x


def _check_shapes(name: str, x: np.ndarray, y: np.ndarray) -> None:
    if x.shape != y.shape:
        raise UsageError(
            f"{name}: pictures of shapes {x.shape} and {y.shape} cannot be compared: give two of one shape"
        )
