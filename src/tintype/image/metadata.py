"""What libvips knows of a picture file beside its pixels."""

from __future__ import annotations

from typing import Literal

import pyvips

from tintype.image.picture import Extras

_EXIF_PREFIX = b"Exif\0\0"
_TEXT_PREFIX = "png-comment-"


def read_extras(image: pyvips.Image) -> Extras:
    """Collect profile, Exif, XMP, IPTC, texts of a PNG, and the density where the file states one."""
    fields = image.get_fields()
    unit: Literal["in", "cm", ""] = ""
    match image.get("resolution-unit") if "resolution-unit" in fields else "":
        case "in":
            unit = "in"
        case "cm":
            unit = "cm"
    return Extras(
        profile=_blob(image, "icc-profile-data", fields),
        exif=_blob(image, "exif-data", fields).removeprefix(_EXIF_PREFIX),
        xmp=_blob(image, "xmp-data", fields),
        iptc=_blob(image, "iptc-data", fields),
        text=tuple((_keyword(name), str(image.get(name))) for name in fields if name.startswith(_TEXT_PREFIX)),
        density=(image.xres, image.yres) if unit else None,
        density_unit=unit,
    )


def _blob(image: pyvips.Image, name: str, fields: list[str]) -> bytes:
    return bytes(image.get(name)) if name in fields else b""


def _keyword(name: str) -> str:
    """Of "png-comment-N-KEYWORD"."""
    return name.removeprefix(_TEXT_PREFIX).partition("-")[2]
