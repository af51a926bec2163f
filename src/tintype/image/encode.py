"""Display space to picture files, through libvips: rounded, never truncated, and whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyvips

from tintype.atomic import atomic_path
from tintype.errors import OutputError, UsageError
from tintype.image.decode import vips_reason
from tintype.image.picture import DecodedImage, to_samples


def write_image(path: Path | str, image: np.ndarray | DecodedImage, *, bits: Literal[8, 16] | None = None) -> None:
    """Write a picture; the suffix says as what: .png, .tif, .tiff (8 or 16 bits), .jpg, .jpeg, .webp (8 bits).

    The file appears whole or not at all. Samples are rounded, not truncated; JPEG and WebP have quality 95.

    Args:
        path: The file; its folder must exist. What is there is replaced.
        image: Display space `h w c` or `h w` in [0, 1], or uint8 or uint16. The alpha of a `DecodedImage` is kept where
            the format holds it.
        bits: Bits of a sample, where the format leaves a choice; default: those of the image, 8 for a float array.

    Raises:
        OutputError: The suffix is unknown, the file cannot be written, or the format cannot hold so large a picture.
        UsageError: The array is not a picture.
    """
    path = Path(path)
    pixels = image.pixels if isinstance(image, DecodedImage) else np.asarray(image)
    alpha = image.alpha if isinstance(image, DecodedImage) else None
    deep_image = image.bits > 8 if isinstance(image, DecodedImage) else pixels.dtype == np.uint16

    suffix = path.suffix.lower()
    options: dict[str, Any]
    match suffix:
        case ".png":
            deep, options = True, {}
        case ".tif" | ".tiff":
            deep, options = True, {"compression": "deflate", "predictor": "horizontal"}
        case ".avif":
            deep, options = False, {}
        case ".jpg" | ".jpeg" | ".jpe" | ".jfif":
            deep, options, alpha = False, {"Q": 95, "subsample_mode": "off"}, None
        case ".webp":
            deep, options = False, {"Q": 95, "smart_subsample": True}
        case _:
            raise OutputError(
                f"{path}: cannot write {suffix or 'a file without suffix'}; use .png, .tif, .tiff, .jpg, .jpeg or .webp"
            )
    samples = to_samples(_as_display(pixels), (bits or (16 if deep_image else 8)) if deep else 8)
    grey, sixteen = samples.shape[2] == 1, samples.dtype == np.uint16
    if alpha is not None:
        samples = np.concatenate((samples, to_samples(alpha[..., None], 16 if sixteen else 8)), axis=2)
    interpretation = ("grey16" if grey else "rgb16") if sixteen else ("b-w" if grey else "srgb")
    try:
        encoded = pyvips.Image.new_from_array(np.ascontiguousarray(samples)).copy(interpretation=interpretation)
        data = encoded.write_to_buffer({".jpe": ".jpg", ".jfif": ".jpg"}.get(suffix, suffix), **options)
    except pyvips.Error as error:
        raise OutputError(f"{path}: cannot be written ({vips_reason(error)})") from error
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def _as_display(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
        raise UsageError(f"array of shape {pixels.shape} is not a picture; give h w, h w 1 or h w 3")
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels / np.float32(np.iinfo(pixels.dtype).max)
    if not np.issubdtype(pixels.dtype, np.floating):
        raise UsageError(f"array of {pixels.dtype} is not a picture; give float in [0, 1], uint8 or uint16")
    return pixels
