"""ICC profiles on the way out: which one a result carries, and what its pixels become under it.

Results are sRGB until here. The profile of the source is kept byte for byte wherever it can describe the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, final

import numpy as np
import pyvips

from tintype.image.picture import PictureInfo

_SPACE = slice(16, 20)  # of the header of a profile: colour space of the data (ICC.1:2022, 7.2.6)
_PLAIN_SPACES = ("", "srgb", "rgb", "rgb16", "scrgb", "multiband")
"""What libvips calls colour that needs no profile to be understood; "" is not known."""


@final
@dataclass(frozen=True, slots=True)
class OutputProfile:
    """The profile to embed, and whether the pixels must be converted from sRGB to it."""

    data: bytes = b""
    converts: bool = False
    note: str = ""


def output_profile(info: PictureInfo, channels: Literal[1, 3]) -> OutputProfile:
    """Choose the profile of a result.

    An RGB profile of a picture in colour stays; where the source is grey, CMYK or anything else, colour gets sRGB.
    Nothing is embedded in a picture that had no profile and stays what it is.
    """
    profile = info.extras.profile
    fits = info.channels == channels and profile[_SPACE] == (b"RGB " if channels == 3 else b"GRAY")
    if fits:
        if info.floating or info.bits > 16:
            return OutputProfile(profile)  # such samples are not converted when they are read either
        match profile_effect(profile, channels):
            case "same":
                return OutputProfile(profile)
            case "other":
                return OutputProfile(profile, converts=True)
            case "unusable":
                note = "the ICC profile cannot be used; sRGB is embedded instead"
                return OutputProfile(srgb_profile() if channels == 3 else b"", note=note)
    if channels == 1 or (info.channels == 3 and not profile and info.interpretation in _PLAIN_SPACES):
        return OutputProfile()
    return OutputProfile(srgb_profile())


@cache
def srgb_profile() -> bytes:
    """Return the sRGB profile that libvips brings along (CC0)."""
    return bytes(pyvips.Operation.call("profile_load", "srgb"))


def profile_effect(profile: bytes, channels: int) -> Literal["same", "other", "unusable"]:
    """Tell whether a profile means other colours than sRGB: most are sRGB under one of its many names."""
    levels = (np.arange(0, 256, 51, dtype=np.uint8),) * channels
    colours = np.stack(np.meshgrid(*levels), axis=-1).reshape(1, -1, channels)
    probe = with_profile(pyvips.Image.new_from_array(colours).copy(interpretation=_interpretation(channels)), profile)
    try:
        converted = probe.icc_transform("srgb", embedded=True, depth=16).numpy()
        from_srgb(probe.cast("ushort").copy(interpretation="rgb16" if channels == 3 else "grey16"), profile).numpy()
    except pyvips.Error:
        return "unusable"
    return "other" if np.abs(converted / 257 - colours).max() > 0.5 else "same"


def from_srgb(image: pyvips.Image, profile: bytes) -> pyvips.Image:
    """Convert 16-bit sRGB, or grey encoded alike, to a profile."""
    imported = _as_colour(image).icc_import(input_profile="srgb", pcs="xyz")
    return with_profile(imported, profile).icc_export(depth=16, pcs="xyz")


def with_profile(image: pyvips.Image, profile: bytes) -> pyvips.Image:
    """Return the image with a profile attached; the pixels stay."""
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image


def _as_colour(image: pyvips.Image) -> pyvips.Image:
    return image.bandjoin([image, image]).copy(interpretation="rgb16") if image.bands == 1 else image


def _interpretation(channels: int) -> str:
    return "srgb" if channels == 3 else "b-w"
