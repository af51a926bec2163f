"""ICC profiles on the way out: which one a result carries, and what its pixels become under it.

Results are sRGB until here. The profile of the source is kept byte for byte wherever it can describe the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, final

import numpy as np
import pyvips

from tintype.image.icc import CurveProfile, parse_profile
from tintype.image.picture import PictureInfo

_SPACE = slice(16, 20)  # of the header of a profile: colour space of the data (ICC.1:2022, 7.2.6)
_PLAIN_SPACES = ("", "srgb", "rgb", "rgb16", "scrgb", "multiband")
"""What libvips calls colour that needs no profile to be understood; "" is not known."""


@final
@dataclass(frozen=True, slots=True)
class OutputProfile:
    """The profile to embed, and what converts the pixels to it."""

    data: bytes = b""
    numbers: CurveProfile | None = None
    """Converts the rows before they are rounded; None: nothing is to be done, or libvips does it."""
    by_libvips: bool = False
    """`from_srgb` converts the image, which must have 16 bits."""
    note: str = ""


def output_profile(info: PictureInfo, channels: Literal[1, 3]) -> OutputProfile:
    """Choose the profile of a result.

    A profile that fits stays; where the source is grey, CMYK or anything else, colour gets sRGB. Nothing is embedded in
    a picture that had no profile and stays what it is.
    """
    profile = info.extras.profile
    if info.channels == channels and profile[_SPACE] == (b"RGB " if channels == 3 else b"GRAY"):
        effect = _effect(profile, channels)
        if effect == "same":
            return OutputProfile(profile)
        if effect == "other":
            numbers = parse_profile(profile, channels)
            if numbers is not None or info.bits <= 16:
                return OutputProfile(profile, numbers, by_libvips=numbers is None)
        return OutputProfile(
            srgb_profile() if channels == 3 else b"",
            note=f"the ICC profile cannot be used; the result {'has that of sRGB' if channels == 3 else 'has none'}",
        )
    # grey of AVIF and HEIC comes as colour, and their colours are named in a way that no other format has
    plain = info.channels == 3 and info.interpretation in _PLAIN_SPACES and info.format != "heif"
    if channels == 1 or (plain and not profile):
        return OutputProfile()
    return OutputProfile(srgb_profile())


def from_srgb(image: pyvips.Image, profile: bytes) -> pyvips.Image:
    """Convert 16-bit sRGB, or grey encoded alike, to a profile."""
    colour = image.bandjoin([image, image]).copy(interpretation="rgb16") if image.bands == 1 else image
    return with_profile(colour.icc_import(input_profile="srgb"), profile).icc_export(depth=16)


def with_profile(image: pyvips.Image, profile: bytes) -> pyvips.Image:
    """Return the image with a profile attached; the pixels stay."""
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image


@cache
def srgb_profile() -> bytes:
    """Return the sRGB profile that libvips brings along (CC0)."""
    return bytes(pyvips.Operation.call("profile_load", "srgb"))


def _effect(profile: bytes, channels: int) -> Literal["same", "other", "unusable"]:
    """Tell whether a profile means other colours than sRGB: most are sRGB under one of its many names."""
    levels = (np.arange(0, 65536, 51 * 257, dtype=np.uint16),) * channels
    colours = np.stack(np.meshgrid(*levels), axis=-1).reshape(1, -1, channels)
    probe = pyvips.Image.new_from_array(colours).copy(interpretation="rgb16" if channels == 3 else "grey16")
    try:
        converted = with_profile(probe, profile).icc_transform("srgb", embedded=True, depth=16).numpy()
        from_srgb(probe, profile).numpy()
    except pyvips.Error:
        return "unusable"
    return "other" if np.abs(converted - colours.astype(np.float64)).max() > 128 else "same"
