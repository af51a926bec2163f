"""Colour spaces: sRGB, linear light, CIE XYZ and CIE L*a*b*, one implementation for numpy and torch.

Every function takes a floating-point array of any namespace that array-api-compat knows and returns one of the same
namespace, dtype and device. The channel axis is the third from the end (`... c h w`), values of sRGB and of linear
light are in [0, 1]. Sources: IEC 61966-2-1 (sRGB), CIE 15 (L*a*b*); white is D65 for the 2-degree observer. Constants
are rounded as in scikit-image, so that figures can be compared with its results. Nothing here knows files or networks.
"""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from tintype.recipe.schema import Grey

Array = Any  # numpy and torch arrays share no static type

_XYZ_FROM_RGB = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_RGB_FROM_XYZ = (
    (3.2404813432, -1.5371515163, -0.4985363262),
    (-0.9692549500, 1.8759900015, 0.0415559266),
    (0.0556466391, -0.2040413384, 1.0573110696),
)  # the inverse
_WHITE = (0.95047, 1.0, 1.08883)
_REC601 = (0.299, 0.587, 0.114)

_EPSILON = 0.008856  # where the cube root of CIE 15 gives way to a straight line
_SLOPE, _OFFSET = 7.787, 16 / 116

_GAMUT_TOLERANCE = 1e-6  # of linear light; the noise of float32 must not cost neutral pixels their place in the gamut
_GAMUT_HALVINGS = 12  # leaves chroma at most 1/4096 below the largest that fits


def srgb_to_linear(x: Array) -> Array:
    """Undo the transfer function of IEC 61966-2-1; negative values go along its straight part."""
    xp = array_namespace(x)
    curve = ((xp.clip(x, 0.04045, None) + 0.055) * (1 / 1.055)) ** 2.4
    return xp.where(x > 0.04045, curve, x * (1 / 12.92))


def linear_to_srgb(x: Array) -> Array:
    """Apply the transfer function of IEC 61966-2-1; negative values go along its straight part."""
    xp = array_namespace(x)
    curve = 1.055 * xp.clip(x, 0.0031308, None) ** (1 / 2.4) - 0.055
    return xp.where(x > 0.0031308, curve, x * 12.92)


def rgb_to_xyz(rgb: Array) -> Array:
    """Turn sRGB `... 3 h w` into XYZ `... 3 h w` with Y in [0, 1]."""
    return array_namespace(rgb).stack(_mix(_channels(srgb_to_linear(rgb)), _XYZ_FROM_RGB), axis=-3)


def xyz_to_lab(xyz: Array) -> Array:
    """Turn XYZ `... 3 h w` with Y in [0, 1] into L*a*b* `... 3 h w` with L* in [0, 100]."""
    xp = array_namespace(xyz)
    x, y, z = (_root(channel * (1 / white)) for channel, white in zip(_channels(xyz), _WHITE, strict=True))
    return xp.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), axis=-3)


def rgb_to_lab(rgb: Array) -> Array:
    """Turn sRGB `... 3 h w` into L*a*b* `... 3 h w` with L* in [0, 100]."""
    return xyz_to_lab(rgb_to_xyz(rgb))


def lab_to_rgb(lab: Array) -> Array:
    """Turn L*a*b* `... 3 h w` into sRGB `... 3 h w`, not clipped: colours that sRGB lacks lie outside [0, 1]."""
    return linear_to_srgb(array_namespace(lab).stack(_linear_channels(*_channels(lab)), axis=-3))


def luminance(rgb: Array) -> Array:
    """Return L* `... 1 h w` in [0, 100] of sRGB `... 3 h w`."""
    red, green, blue = _channels(srgb_to_linear(rgb))
    weights = _XYZ_FROM_RGB[1]
    return 116 * _root(red * weights[0] + green * weights[1] + blue * weights[2])[..., None, :, :] - 16


def grey_to_luminance(grey: Array) -> Array:
    """Return L* in [0, 100] of grey values in [0, 1] of the same shape."""
    return 116 * _root(srgb_to_linear(grey)) - 16


def luminance_to_grey(lightness: Array) -> Array:
    """Return the grey values in [0, 1] that have the given L*; the inverse of `grey_to_luminance`."""
    return linear_to_srgb(_unroot((lightness + 16) * (1 / 116)))


def to_grey(rgb: Array, kind: Grey) -> Array:
    """Turn a colour picture grey.

    Args:
        rgb: sRGB `... 3 h w` in [0, 1].
        kind: "lab" keeps L* (what the eye calls lightness); "rec601" weighs the encoded values as ITU-R BT.601 does,
            which is what most libraries call grey.

    Returns:
        Grey `... 1 h w` in [0, 1].
    """
    if kind == "lab":
        grey = luminance_to_grey(luminance(rgb))
    else:
        red, green, blue = _channels(rgb)
        grey = (red * _REC601[0] + green * _REC601[1] + blue * _REC601[2])[..., None, :, :]
    return array_namespace(rgb).clip(grey, 0, 1)


def fit_gamut(lab: Array) -> Array:
    """Lower the chroma of colours that sRGB lacks until they just fit; hue and L* stay.

    Clipping R, G and B instead would move L*, which a colouriser promises to keep.

    Args:
        lab: L*a*b* `... 3 h w` with L* in [0, 100].

    Returns:
        L*a*b* `... 3 h w` whose `lab_to_rgb` lies in [0, 1] but for rounding; colours that fit are not changed.
    """
    xp = array_namespace(lab)
    outside = ~_in_gamut(_linear_channels(*_channels(lab)))
    fitted = xp.asarray(lab, copy=True)
    planes = xp.moveaxis(fitted, -3, 0)  # a view: what is written to it is written to `fitted`
    _, planes[1, ...][outside], planes[2, ...][outside] = _lowered(*(plane[outside] for plane in planes))
    return fitted


def lab_to_display(lab: Array) -> Array:
    """Turn L*a*b* `... 3 h w` into sRGB `... 3 h w` in [0, 1] without moving hue or L*."""
    return lab_to_display_counted(lab)[0]


def lab_to_display_counted(lab: Array) -> tuple[Array, int]:
    """What `lab_to_display` gives, and of how many pixels the chroma was lowered for it."""
    xp = array_namespace(lab)
    linear = _linear_channels(*_channels(lab))
    outside = ~_in_gamut(linear)
    lowered = int(xp.count_nonzero(outside))
    if lowered:
        fitted = _linear_channels(*_lowered(*(plane[outside] for plane in _channels(lab))))
        for channel, values in zip(linear, fitted, strict=True):
            channel[outside] = values
    return xp.clip(linear_to_srgb(xp.stack(linear, axis=-3)), 0, 1), lowered


def _lowered(lightness: Array, a: Array, b: Array) -> tuple[Array, Array, Array]:
    """L*, and a* and b* times the largest factor in [0, 1] that brings the colour into the gamut."""
    xp = array_namespace(lightness)
    low = xp.zeros_like(lightness)  # the grey of that L* always fits
    high = xp.ones_like(lightness)
    for _ in range(_GAMUT_HALVINGS):
        middle = (low + high) / 2
        fits = _in_gamut(_linear_channels(lightness, a * middle, b * middle))
        low, high = xp.where(fits, middle, low), xp.where(fits, high, middle)
    return lightness, a * low, b * low


def _channels(x: Array) -> tuple[Array, Array, Array]:
    return x[..., 0, :, :], x[..., 1, :, :], x[..., 2, :, :]


def _mix(
    channels: tuple[Array, Array, Array], matrix: tuple[tuple[float, float, float], ...]
) -> tuple[Array, Array, Array]:
    """Multiply by a 3 x 3 matrix; not with matmul, which may round to TF32 or bfloat16 on accelerators."""
    x, y, z = channels
    first, second, third = (x * row[0] + y * row[1] + z * row[2] for row in matrix)
    return first, second, third


def _linear_channels(lightness: Array, a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Turn the three planes of L*a*b*, of any one shape, into the three planes of linear light, not clipped."""
    y = (lightness + 16) * (1 / 116)
    roots = (y + a * (1 / 500), y, y - b * (1 / 200))
    x, y, z = (_unroot(root) * white for root, white in zip(roots, _WHITE, strict=True))
    return _mix((x, y, z), _RGB_FROM_XYZ)


def _in_gamut(linear: tuple[Array, Array, Array]) -> Array:
    low, high = -_GAMUT_TOLERANCE, 1 + _GAMUT_TOLERANCE
    red, green, blue = ((channel >= low) & (channel <= high) for channel in linear)
    return red & green & blue


def _root(x: Array) -> Array:
    """Compress as CIE 15 does: a cube root with a straight line near 0."""
    xp = array_namespace(x)
    root = xp.clip(x, _EPSILON, None) ** (1 / 3)
    return xp.where(x > _EPSILON, root, x * _SLOPE + _OFFSET)


def _unroot(x: Array) -> Array:
    xp = array_namespace(x)
    return xp.where(x > _EPSILON ** (1 / 3), x * x * x, (x - _OFFSET) * (1 / _SLOPE))
