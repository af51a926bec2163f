"""Stretches: how the wide range of measured brightness becomes the display values of a picture, and back.

A stretch maps values between two limits, in the units of the data, to sRGB-encoded grey in [0, 1]; it is fitted to a
sample of the picture, recorded as text, and can be undone. Nothing here knows files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final, get_args

import numpy as np

from tintype.errors import ImageError

StretchKind = Literal["asinh", "zscale", "percentile", "linear"]
"""asinh: faint and bright at once; zscale: linear around the background; percentile, linear: between 0.5 % and 99.5 %
of the pixels, or the smallest and the largest value."""

_BELOW = 3.0  # standard deviations of the background noise that black lies below the background
_SOFTENING = 3.0  # the same from where asinh turns from linear to logarithmic
_WHITE_PERCENT = 99.9  # of the pixels lie below white of asinh: the cores of a few stars may saturate
_PERCENT = (0.5, 99.5)
_SIGMA_OF_MEDIAN_DEVIATION = 1.4826  # of normally distributed noise
_LEAST_SOFTENING = 1e-9  # of the range; where it is less, most pixels are equal and there is no noise to measure


@final
@dataclass(frozen=True, slots=True)
class Stretch:
    """A monotonic map from [low, high] to [0, 1]."""

    kind: StretchKind
    low: float
    """Value that becomes black, in the units of the data."""
    high: float
    """Value that becomes white."""
    softening: float = 0.0
    """Of "asinh": distance above `low` up to which the map is nearly linear, beyond it is logarithmic."""

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Map values of any shape to display float32; beyond the limits they are clipped, NaN becomes 0."""
        # float64: low and the values may be large beside their difference
        above = np.clip(np.asarray(values, np.float64), self.low, self.high) - self.low
        if self.kind == "asinh":
            above = np.arcsinh(above / self.softening) / self._full()
        else:
            above /= self.high - self.low
        return np.where(np.isnan(above), 0, above).astype(np.float32)

    def invert(self, display: np.ndarray) -> np.ndarray:
        """Map display values back to float64 values in [low, high], to the rounding of float32 those that they were."""
        share = np.clip(np.asarray(display, np.float64), 0, 1)
        if self.kind == "asinh":
            above = self.softening * np.sinh(share * self._full())
        else:
            above = share * (self.high - self.low)
        return np.clip(self.low + above, self.low, self.high)

    def _full(self) -> float:
        return float(np.arcsinh((self.high - self.low) / self.softening))

    def to_text(self) -> str:
        """Return the record of the stretch; `from_text` makes the same stretch of it."""
        softening = f" softening={self.softening!r}" if self.kind == "asinh" else ""
        return f"{self.kind} low={self.low!r} high={self.high!r}{softening}"

    @staticmethod
    def from_text(text: str) -> Stretch:
        """Read what `to_text` returned.

        Raises:
            ValueError: The text is no record of a stretch.
        """
        word, *fields = text.split()
        values = dict(field.split("=", 1) for field in fields)
        kind: StretchKind | None = next((known for known in get_args(StretchKind) if known == word), None)
        if kind is None or set(values) != {"low", "high"} | ({"softening"} if kind == "asinh" else set()):
            raise ValueError(f"not a stretch: {text!r}")
        return Stretch(kind, **{name: float(value) for name, value in values.items()})


def fit(kind: StretchKind, values: np.ndarray) -> Stretch:
    """Choose the limits of a stretch.

    The limits of "asinh" follow the background, of which the median pixel is taken to be a part, and its noise,
    measured on the darker half of the pixels, where stars and galaxies are few: black lies 3 standard deviations below
    the background, softening is 3 standard deviations, white is the 99.9th percentile. The curve is that of Lupton et
    al. (2004, PASP 116, 133). In a picture without a dark background the "noise" is as wide as the picture, and the
    curve nearly straight. "zscale" takes the limits of the IRAF task `display`, as astropy computes them.

    Args:
        kind: The curve and the rule for its limits.
        values: A sample of the picture, of any shape; what is not finite is left out.

    Raises:
        ImageError: No value is finite, or they span more than float64 can hold.
    """
    finite = np.asarray(values, np.float64).ravel()
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        raise ImageError("all pixels are blank (NaN or infinite); needed is at least one value")
    least, largest = float(finite.min()), float(finite.max())
    if not np.isfinite(2 * (largest - least)) or abs(least) > 1e307:
        raise ImageError(f"values from {least:.3g} to {largest:.3g} span more than can be computed with")
    if least == largest:  # a plain grey, black for 0, whose value can still be told from the limits
        low, high = (min(0.0, 2 * least), max(0.0, 2 * least)) if least else (0.0, 1.0)
        return Stretch(kind, low, high, high - low if kind == "asinh" else 0.0)
    low, high, softening = least, largest, 0.0
    if kind == "asinh":
        background = float(np.median(finite))
        noise = _SIGMA_OF_MEDIAN_DEVIATION * float(np.median(background - finite[finite <= background]))
        low = max(least, background - _BELOW * noise)
        high = float(np.percentile(finite, _WHITE_PERCENT))
        softening = _SOFTENING * noise
    elif kind == "percentile":
        low, high = (float(limit) for limit in np.percentile(finite, _PERCENT))
    elif kind == "zscale":
        from astropy.visualization import ZScaleInterval

        unit = 2.0 ** np.frexp(max(-least, largest))[1]  # it squares the values; a power of 2 does not round them
        low, high = (float(limit * unit) for limit in ZScaleInterval().get_limits(finite / unit))
    if not low < high:  # nearly all pixels are equal
        low, high = least, largest
    if kind == "asinh" and softening < _LEAST_SOFTENING * (high - low):
        softening = (high - low) / 100
    return Stretch(kind, low, high, softening)
