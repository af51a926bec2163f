"""Colour spaces: sRGB, linear light, CIE XYZ and CIE L*a*b*, one implementation for numpy and torch.

Every function takes a floating-point array of any namespace that array-api-compat knows and returns one of the same
namespace, dtype and device. The channel axis is the third from the end (`... c h w`), values of sRGB and of linear
light are in [0, 1]. Sources: IEC 61966-2-1 (sRGB), CIE 15 (L*a*b*); white is D65 for the 2-degree observer. Constants
are rounded as in scikit-image, so that figures can be compared with its results. Nothing here knows files or networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
_BEND = 0.20715750  # of the root; where line and cube, with constants so rounded, meet without a step

_GAMUT_TOLERANCE = 1e-6  # of linear light; the noise of float32 must not cost neutral pixels their place in the gamut
_GAMUT_STEP = 1 / 4096  # of the chroma that was given: how far the result is below the largest that fits, at most
_GAMUT_HALVINGS = 12  # bring a range of 1 down to `_GAMUT_STEP`
_BLOCK = 2**17
"""Pixels converted at a time: so few that a cache holds them, so many that threads seldom meet in Python."""


def srgb_to_linear(x: Array) -> Array:
    """Undo the transfer function of IEC 61966-2-1; negative values go along its straight part."""
    xp = array_namespace(x)
    curve = ((xp.clip(x, 0.04045, None) + 0.055) * (1 / 1.055)) ** 2.4
    return xp.where(x > 0.04045, curve, x * (1 / 12.92))


def linear_to_srgb(x: Array) -> Array:
    """Apply the transfer function of IEC 61966-2-1; negative values go along its straight part."""
    xp = array_namespace(x)
    curved = xp.maximum(x, xp.full_like(x, 0.0031306684))  # the standard rounds it: here both parts meet without a step
    return 1.055 * curved ** (1 / 2.4) - 0.055 + (x - curved) * 12.92


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
    planes = _flat(lab)
    outside = _outside(_linear_channels(*planes))
    fitted = [xp.asarray(plane, copy=True) for plane in planes]
    for plane, values in zip(fitted, _lowered(*(xp.take(plane, outside) for plane in planes)), strict=True):
        plane[outside] = values
    return _stacked(fitted, lab)


def lab_to_display(lab: Array) -> Array:
    """Turn L*a*b* `... 3 h w` into sRGB `... 3 h w` in [0, 1] without moving hue or L*."""
    return lab_to_display_counted(lab)[0]


def lab_to_display_counted(lab: Array) -> tuple[Array, int]:
    """What `lab_to_display` gives, and of how many pixels the chroma was lowered for it."""
    xp = array_namespace(lab)
    planes = _flat(lab)
    display = [xp.empty_like(plane) for plane in planes]
    lowered = 0
    for start in range(0, planes[0].shape[0], _BLOCK):
        block = slice(start, start + _BLOCK)
        colours = [plane[block] for plane in planes]
        linear = _linear_channels(*colours)
        outside = _outside(linear)
        if outside.shape[0]:
            lowered += outside.shape[0]
            fitted = _linear_channels(*_lowered(*(xp.take(plane, outside) for plane in colours)))
            for plane, values in zip(linear, fitted, strict=True):
                plane[outside] = values
        for plane, values in zip(display, linear, strict=True):
            plane[block] = xp.clip(linear_to_srgb(values), 0, 1)
    return _stacked(display, lab), lowered


def _flat(x: Array) -> tuple[Array, Array, Array]:
    """The three channels, one-dimensional: indices pick and set values several times faster than masks do."""
    first, second, third = (array_namespace(x).reshape(channel, (-1,)) for channel in _channels(x))
    return first, second, third


def _stacked(planes: Sequence[Array], like: Array) -> Array:
    """The picture of the shape of `like` whose channels are three one-dimensional planes."""
    xp = array_namespace(like)
    shape = (*like.shape[:-3], *like.shape[-2:])
    return xp.stack([xp.reshape(plane, shape) for plane in planes], axis=-3)


def _lowered(lightness: Array, a: Array, b: Array) -> tuple[Array, Array, Array]:
    """L*, and a* and b* times the largest factor in [0, 1] that brings the colour into the gamut; all `n`."""
    rays = ((lightness + 16) * (1 / 116), a * (1 / 500), b * (-1 / 200))  # all that `_unroot` sees lies on them
    factor = _largest_factor(*rays)
    return lightness, a * factor, b * factor


def _largest_factor(y: Array, x_step: Array, z_step: Array) -> Array:
    """The largest t in [0, 1], but for `_GAMUT_STEP`, at which (y + t x_step, y, y + t z_step) is in the gamut.

    Each t is enclosed: the colour fits at `low` and does not at `high`, until both are `_GAMUT_STEP` apart. The next
    look is where a secant through the last two says that the colour just fits; it is that of t / load - t, a straight
    line where light is linear in L*a*b*, as it is near black, and little bent elsewhere. Every fifth look halves the
    range instead, so that it ends. What is found of a colour does not depend on the others, though those of which
    enough is known are left out as soon as they are most.
    A colour may fit again beyond the t that is found: at bright yellow the gamut has a shallow fold.
    """
    xp = array_namespace(y)
    low, before = xp.zeros_like(y), xp.ones_like(y)  # the grey of that L* always fits
    high, factor, rest = before, low, xp.nonzero(before)[0]
    load = _load(y, x_step, z_step)
    t = xp.minimum(1 / load(before), before)
    gap_before, wide = t - before, high > low
    for look in range(5 * _GAMUT_HALVINGS):
        used = load(t)
        fits = xp.astype((used <= 1) & wide, y.dtype)
        low, high = xp.maximum(low, t * fits), xp.minimum(high, t + fits)
        wide = high - low > _GAMUT_STEP
        gap = t / used - t
        rise = gap_before - gap
        root = t + gap * (t - before) / (rise + 1e-12)
        before, gap_before = t, gap
        if look % 5 == 4:
            t = (low + high) / 2
        else:  # not next to a bound: a secant that is right shows that from the other side too
            t = xp.minimum(xp.maximum(root, low + _GAMUT_STEP / 2), high - _GAMUT_STEP / 2)
        if 8 * int(xp.count_nonzero(wide)) < y.shape[0]:
            factor[rest] = low
            (left, *_) = xp.nonzero(wide)
            if left.shape[0] == 0:
                break
            state = (rest, y, x_step, z_step, low, high, before, gap_before, t, wide)
            rest, y, x_step, z_step, low, high, before, gap_before, t, wide = (xp.take(x, left) for x in state)
            load = _load(y, x_step, z_step)
    return factor


def _load(y: Array, x_step: Array, z_step: Array) -> Callable[[Array], Array]:
    """How much of the room between grey and the bounds of R, G and B is used at t; 1 where the gamut ends."""
    xp = array_namespace(y)
    grey = _unroot(y)
    room = xp.clip(grey, 0, 1) + _GAMUT_TOLERANCE
    upward, downward = 1 / (1 + 2 * _GAMUT_TOLERANCE - room), -1 / room
    grey_parts = [grey * (row[1] - 1) for row in _RGB_FROM_XYZ]

    def load(t: Array) -> Array:
        x, z = _unroot(y + x_step * t), _unroot(y + z_step * t)
        red, green, blue = (x * (row[0] * _WHITE[0]) for row in _RGB_FROM_XYZ)
        for channel, grey_part, row in zip((red, green, blue), grey_parts, _RGB_FROM_XYZ, strict=True):
            channel += grey_part
            channel += z * (row[2] * _WHITE[2])  # in place, as are all sums here: the cache holds more pixels so
        most = xp.maximum(xp.maximum(red, green), blue)
        least = xp.minimum(xp.minimum(red, green), blue)
        most *= upward
        least *= downward
        return xp.maximum(most, least) + 1e-12  # never 0: it is divided by

    return load


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


def _outside(linear: tuple[Array, Array, Array]) -> Array:
    """The indices of the colours of linear light, three planes `n`, that sRGB lacks."""
    low, high = -_GAMUT_TOLERANCE, 1 + _GAMUT_TOLERANCE
    red, green, blue = ((channel >= low) & (channel <= high) for channel in linear)
    return array_namespace(red).nonzero(~(red & green & blue))[0]


def _root(x: Array) -> Array:
    """Compress as CIE 15 does: a cube root with a straight line near 0."""
    xp = array_namespace(x)
    root = xp.clip(x, _EPSILON, None) ** (1 / 3)
    return xp.where(x > _EPSILON, root, x * _SLOPE + _OFFSET)


def _unroot(x: Array) -> Array:
    xp = array_namespace(x)
    cubic = xp.maximum(x, xp.full_like(x, _BEND))  # numpy is slower with a number
    straight = x - cubic
    straight *= 1 / _SLOPE
    cube = cubic * cubic
    cube *= cubic
    cube += straight
    return cube  # many times faster than `where` with a random mask
