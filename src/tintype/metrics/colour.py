"""How far colours are apart and how much colour there is: CIEDE2000, colourfulness, chroma."""

from __future__ import annotations

import numpy as np

from tintype.image.color import rgb_to_lab


def ciede2000(x: np.ndarray, y: np.ndarray) -> float:
    """Mean over pixels of the CIEDE2000 difference of two pictures `h w 3` in [0, 1]; about 1 is just noticeable."""
    return float(delta_e_2000(lab_of(x), lab_of(y)).mean())


def colourfulness(x: np.ndarray) -> float:
    """Colourfulness M of a picture `h w 3` in [0, 1] (Hasler & Suesstrunk 2003, on their scale of 0 to 255).

    The authors call 0 not colourful, 15 slightly, 33 moderately, 45 averagely, 59 quite, 82 highly, 109 extremely.
    """
    red, green, blue = np.moveaxis(x.astype(np.float64) * 255, -1, 0)
    red_green = red - green
    yellow_blue = (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


def mean_chroma(x: np.ndarray) -> float:
    """Mean Lab chroma, sqrt(a*^2 + b*^2), of a picture `h w 3` in [0, 1]; 0 for a grey one."""
    lab = lab_of(x)
    return float(_chroma(lab[1], lab[2]).mean())


def lab_of(x: np.ndarray) -> np.ndarray:
    """Lab planes `3 h w` (float64) of a picture `h w 3` in [0, 1]."""
    return rgb_to_lab(np.ascontiguousarray(np.moveaxis(x, -1, 0), dtype=np.float64))


def delta_e_2000(lab_1: np.ndarray, lab_2: np.ndarray) -> np.ndarray:
    """CIEDE2000 with unit weights (CIE 142-2001), in the formulation of Sharma, Wu & Dalal (2005).

    Args:
        lab_1: Lab colours, components along the first axis: `3 ...`.
        lab_2: The colours they are compared with, of the same shape.

    Returns:
        Differences `...`, at least 0.
    """
    l_1, a_1, b_1 = lab_1
    l_2, a_2, b_2 = lab_2

    # The a* axis is stretched for colours near grey.
    stretch = 1.5 - 0.5 * _saturation((_chroma(a_1, b_1) + _chroma(a_2, b_2)) / 2)
    a_1, a_2 = a_1 * stretch, a_2 * stretch
    c_1, c_2 = _chroma(a_1, b_1), _chroma(a_2, b_2)

    # Hues go the short way round. That of a grey is arbitrary but has no effect: every term with a hue is then 0.
    h_1, h_2 = _hue(a_1, b_1), _hue(a_2, b_2)
    delta_h, mean_h = h_2 - h_1, (h_1 + h_2) / 2
    wraps = np.abs(delta_h) > np.pi
    delta_h = np.where(wraps, delta_h - np.copysign(2 * np.pi, delta_h), delta_h)
    mean_h = np.where(wraps, mean_h - np.copysign(np.pi, mean_h - np.pi), mean_h)

    mean_l, mean_c = (l_1 + l_2) / 2, (c_1 + c_2) / 2
    hue_weight = (
        1
        - 0.17 * np.cos(mean_h - np.radians(30))
        + 0.24 * np.cos(2 * mean_h)
        + 0.32 * np.cos(3 * mean_h + np.radians(6))
        - 0.20 * np.cos(4 * mean_h - np.radians(63))
    )
    offset = np.square(mean_l - 50)
    lightness = (l_2 - l_1) / (1 + 0.015 * offset / np.sqrt(20 + offset))
    chroma = (c_2 - c_1) / (1 + 0.045 * mean_c)
    hue = 2 * np.sqrt(c_1 * c_2) * np.sin(delta_h / 2) / (1 + 0.015 * mean_c * hue_weight)
    # The rotation term couples chroma and hue in the blue region around 275 degrees.
    angle = np.radians(60) * np.exp(-np.square((mean_h - np.radians(275)) / np.radians(25)))
    rotation = -2 * _saturation(mean_c) * np.sin(angle)
    return np.sqrt(np.maximum(lightness**2 + chroma**2 + hue**2 + rotation * chroma * hue, 0))


def _chroma(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Length of (a*, b*); ten times as fast as `hypot`, whose care about overflow is not needed here."""
    return np.sqrt(a * a + b * b)


def _hue(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle of (a*, b*) in [0, 2 pi)."""
    angle = np.arctan2(b, a)
    return np.where(angle < 0, angle + 2 * np.pi, angle)


def _saturation(chroma: np.ndarray) -> np.ndarray:
    """sqrt(C^7 / (C^7 + 25^7)), written as products because the general power is many times slower."""
    cube = chroma * chroma * chroma
    seventh = cube * cube * chroma
    return np.sqrt(seventh / (seventh + 25.0**7))
