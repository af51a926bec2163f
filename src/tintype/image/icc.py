"""Profiles of curves and primaries, and grey ones of a curve, in floating point.

Working spaces and screens have such profiles: Adobe RGB, Display P3, ProPhoto, Rec. 2020; scans have grey ones. The
engine of libvips works on a grid, which costs up to 350 of 65,535 levels in the shadows, and clips what sRGB lacks;
what is here costs less than one level. Profiles with tables of several dimensions, of printers and scanners, are left
to libvips. Source: ICC.1:2022 (profile version 4.4).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from tintype.image.color import lab_to_display, linear_to_srgb, rgb_to_lab, srgb_to_linear

_SRGB_TO_PCS = np.array(  # IEC 61966-2-1 adapted to D50 by the Bradford transform, as in every sRGB profile
    ((0.4360747, 0.3850649, 0.1430804), (0.2225045, 0.7168786, 0.0606169), (0.0139322, 0.0971045, 0.7141733))
)
_STEPS = np.linspace(0, 1, 2**16 + 1)
_TAG_LIMIT = 200
_WHITE_TOLERANCE = 0.01
_GAMUT_TOLERANCE = 1e-7  # of linear light, which in the shadows is a tenth of a level of 16 bits


@final
@dataclass(frozen=True, slots=True, eq=False)
class CurveProfile:
    """A profile as numbers; see `parse_profile`."""

    curves: np.ndarray
    """Linear light `c n` of the values 0 to 1, rising; c is 1 for grey and 3 for colour."""
    to_srgb_matrix: np.ndarray
    from_srgb_matrix: np.ndarray

    def to_srgb(self, pixels: np.ndarray) -> np.ndarray:
        """Convert `... c` in [0, 1] to sRGB; colours that sRGB lacks lose chroma, not lightness."""
        channels = [np.interp(pixels[..., i], _STEPS, curve) for i, curve in enumerate(self.curves)]
        linear = np.stack(channels, axis=-1) @ self.to_srgb_matrix.T
        encoded = linear_to_srgb(linear)
        outside = ((linear < -_GAMUT_TOLERANCE) | (linear > 1 + _GAMUT_TOLERANCE)).any(axis=-1)
        if outside.any():
            lab = rgb_to_lab(encoded[outside].T[..., None])
            lab[0] = np.clip(lab[0], 0, 100)
            encoded[outside] = lab_to_display(lab)[..., 0].T
        return np.clip(encoded, 0, 1).astype(np.float32)

    def from_srgb(self, pixels: np.ndarray) -> np.ndarray:
        """Convert sRGB `... c` in [0, 1] to the profile; colours that it lacks are clipped, channel by channel."""
        linear = srgb_to_linear(pixels.astype(np.float64)) @ self.from_srgb_matrix.T
        channels = [np.interp(linear[..., i], curve, _STEPS) for i, curve in enumerate(self.curves)]
        return np.stack(channels, axis=-1).astype(np.float32)


def parse_profile(profile: bytes, channels: Literal[1, 3]) -> CurveProfile | None:
    """Read a profile of curves, and primaries where it is one of colour; None for any other, and for damaged ones."""
    if profile[16:24] != (b"RGB XYZ " if channels == 3 else b"GRAYXYZ ") or profile[36:40] != b"acsp":
        return None
    try:
        tags = _tags(profile)
        if b"A2B0" in tags:  # says more than the curves do, and comes first
            return None
        curves = np.array([_curve(tags[n]) for n in ((b"rTRC", b"gTRC", b"bTRC") if channels == 3 else (b"kTRC",))])
        to_srgb = np.eye(1)
        if channels == 3:
            primaries = np.array([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]).T
            to_srgb = np.linalg.solve(_SRGB_TO_PCS, primaries)
        white = to_srgb.sum(axis=1, keepdims=True)
    except (KeyError, struct.error, np.linalg.LinAlgError):
        return None
    rising = np.isfinite(curves).all() and (np.diff(curves) >= 0).all()
    if not rising or np.abs(curves[:, -1] - 1).max() > 1e-3 or np.abs(white - 1).max() > _WHITE_TOLERANCE:
        return None
    to_srgb /= white  # of rounding in the profile; grey must stay grey
    if abs(np.linalg.det(to_srgb)) < 1e-6:
        return None
    return CurveProfile(np.clip(curves, 0, 1), to_srgb, np.linalg.inv(to_srgb))


def _tags(profile: bytes) -> dict[bytes, bytes]:
    count = min(struct.unpack_from(">I", profile, 128)[0], _TAG_LIMIT)
    table = (struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(count))
    return {name: profile[offset : offset + size] for name, offset, size in table}


def _xyz(tag: bytes) -> np.ndarray:
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curve(tag: bytes) -> np.ndarray:
    """Linear light of `_STEPS`.

    Raises:
        struct.error: The tag is damaged.
        KeyError: It is of another type.
    """
    if tag[:4] == b"curv":
        count = struct.unpack_from(">I", tag, 8)[0]
        if count == 0:
            return _STEPS
        if count == 1:
            return np.asarray(_STEPS ** (struct.unpack_from(">H", tag, 12)[0] / 256))
        if len(tag) < 12 + 2 * count:
            raise struct.error("a curve is cut short")
        values = np.frombuffer(tag, ">u2", count, offset=12) / 65535
        return np.interp(_STEPS, np.linspace(0, 1, count), values)
    kind = {b"para": struct.unpack_from(">H", tag, 8)[0]}[tag[:4]]
    count = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}[kind]
    parameters = [n / 65536 for n in struct.unpack_from(f">{count}i", tag, 12)] + [0.0] * (7 - count)
    g, a, b, c, d, e, f = parameters
    match kind:
        case 0:
            a = 1.0
        case 1 | 2:
            e = f = c  # an offset, which the part below the break has too
            c, d = 0.0, (-b / a if a else 0.0)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        power = np.maximum(a * _STEPS + b, 0) ** g + e
        return np.where(d <= _STEPS, power, c * _STEPS + f)
