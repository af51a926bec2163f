"""libvips images to display space: colour spaces, embedded profiles, alpha and depth.

An image of any colour space becomes grey or sRGB of the depth that it has; a profile that changes nothing leaves its
samples untouched. Whatever is larger than memory stays a libvips image until its rows are asked for.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyvips

from tintype.errors import ImageError

ProfileUse = Literal["none", "other", "unusable"]
"""Of an embedded profile: it changes no colours (or there is none), it is converted from, or it cannot be used."""

FULL_SCALE = {
    "uchar": 255,
    "char": 127,
    "ushort": 65535,
    "short": 32767,
    "uint": 2**32 - 1,
    "int": 2**31 - 1,
    "float": 1,
    "double": 1,
}
"""The value of white, by the format of samples; complex ones are not in it."""

_ALREADY_DISPLAY = {
    "b-w": (1,),
    "grey16": (1,),
    "srgb": (3,),
    "rgb": (3,),
    "rgb16": (3,),
    "scrgb": (3,),
    "multiband": (1, 3),
}
"""Channels without alpha, by the colour spaces that are taken as they are."""

_FLOATING = ("float", "double")


def check_channels(image: pyvips.Image, label: str) -> None:
    """Refuse what is neither grey nor colour.

    Raises:
        ImageError: The image has other channels, or samples that are no numbers of one part.
    """
    bands = image.bands - image.hasalpha()
    if image.format not in FULL_SCALE:
        raise ImageError(f"{label}: has {image.format} samples; needed are integers or floating-point numbers")
    if image.interpretation in _ALREADY_DISPLAY and bands not in _ALREADY_DISPLAY[image.interpretation]:
        raise ImageError(f"{label}: has {image.bands} channels; needed are grey or colour, with or without alpha")


def profile_use(image: pyvips.Image) -> ProfileUse:
    """Tell what becomes of an embedded profile: most are sRGB under one of its many names."""
    if image.get_typeof("icc-profile-data") == 0 or image.interpretation not in _ALREADY_DISPLAY:
        return "none"
    bands = image.bands - image.hasalpha()
    profile = image.get("icc-profile-data")
    if profile[16:20] != (b"GRAY" if bands == 1 else b"RGB "):  # which libvips passes over in silence
        return "unusable"
    levels = (np.arange(0, 256, 51, dtype=np.uint8),) * bands
    colours = np.stack(np.meshgrid(*levels), axis=-1).reshape(1, -1, bands)
    probe = pyvips.Image.new_from_array(colours).copy(interpretation="b-w" if bands == 1 else "srgb")
    probe.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    try:
        converted = probe.icc_transform("srgb", embedded=True, depth=16).numpy()
    except pyvips.Error:
        return "unusable"  # damaged, or of another colour space: the picture is taken as it is
    return "other" if np.abs(converted / 257 - colours).max() > 0.5 else "none"


def to_display(image: pyvips.Image, profile: ProfileUse, *, alpha: bool = True) -> pyvips.Image:
    """Convert to grey or sRGB, with the alpha (if there is one, and it is wanted) as the last band of the same depth.

    Args:
        image: What `check_channels` accepts.
        profile: What `profile_use` says of it.
        alpha: Keep the alpha.
    """
    if not image.hasalpha():
        return _colours(image, profile)
    pixels = _colours(image.extract_band(0, n=image.bands - 1), profile)
    if not alpha:
        return pixels
    opacity = image[image.bands - 1]
    return pixels.bandjoin(opacity if opacity.format == pixels.format else _as_sixteen_bits(opacity))


def as_float(image: pyvips.Image) -> pyvips.Image:
    """Samples in [0, 1] as float, the libvips twin of `to_float32`."""
    if image.format in _FLOATING:
        return (image != image).ifthenelse(0, image).cast("float").clamp()
    image = (image * (1 / FULL_SCALE[image.format])).cast("float")
    return image if image.format in ("uchar", "ushort", "uint") else image.clamp()


def to_float32(samples: np.ndarray, scale: float) -> np.ndarray:
    """Samples of which `scale` is white as float32 in [0, 1]; what is no number is black."""
    if samples.dtype.kind == "f":
        return np.clip(np.nan_to_num(samples, nan=0, posinf=1, neginf=0), 0, 1).astype(np.float32)
    pixels = np.divide(samples, np.float32(scale), dtype=np.float32)
    return np.maximum(pixels, 0, out=pixels) if samples.dtype.kind == "i" else pixels


def rows_of(region: pyvips.Region, image: pyvips.Image, top: int, rows: int) -> np.ndarray:
    """Compute rows of an image: `rows w bands` in the format of its samples; read-only."""
    data = region.fetch(0, top, image.width, rows)
    return np.frombuffer(data, dtype=_DTYPES[image.format]).reshape(rows, image.width, image.bands)


_DTYPES = {
    "uchar": np.uint8,
    "char": np.int8,
    "ushort": np.uint16,
    "short": np.int16,
    "uint": np.uint32,
    "int": np.int32,
    "float": np.float32,
    "double": np.float64,
}


def _colours(image: pyvips.Image, profile: ProfileUse) -> pyvips.Image:
    """Of an image without alpha."""
    if image.interpretation == "cmyk":
        return _as_integers(image).icc_transform("srgb", input_profile="cmyk", embedded=True, depth=16)
    if image.interpretation not in _ALREADY_DISPLAY:
        return image.colourspace("rgb16")
    if profile != "other":
        return image
    # libvips looks at the colour space to tell how deep the samples are
    integers = _as_integers(image)
    deep, grey = integers.format == "ushort", image.bands == 1
    space = ("grey16" if grey else "rgb16") if deep else ("b-w" if grey else "srgb")
    converted = integers.copy(interpretation=space).icc_transform("srgb", embedded=True, depth=16)
    return converted[1] if grey else converted


def _as_integers(image: pyvips.Image) -> pyvips.Image:
    return image if image.format in ("uchar", "ushort") else _as_sixteen_bits(image)


def _as_sixteen_bits(image: pyvips.Image) -> pyvips.Image:
    return (as_float(image) * 65535).rint().cast("ushort")
