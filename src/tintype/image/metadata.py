"""What libvips knows of a picture file beside its pixels."""

from __future__ import annotations

from typing import Literal

import pyvips

from tintype.image.picture import Extras

_EXIF_PREFIX = b"Exif\0\0"


def read_extras(image: pyvips.Image) -> Extras:
    """Collect profile, Exif, XMP, IPTC, and the density where the file states one."""
    unit: Literal["in", "cm", ""] = ""
    match image.get("resolution-unit") if image.get_typeof("resolution-unit") else "":
        case "in":
            unit = "in"
        case "cm":
            unit = "cm"
    return Extras(
        profile=_blob(image, "icc-profile-data"),
        exif=_blob(image, "exif-data").removeprefix(_EXIF_PREFIX),
        xmp=_blob(image, "xmp-data"),
        iptc=_blob(image, "iptc-data"),
        density=(image.xres, image.yres) if unit else None,
        density_unit=unit,
    )


def _blob(image: pyvips.Image, name: str) -> bytes:
    return bytes(image.get(name)) if image.get_typeof(name) else b""
