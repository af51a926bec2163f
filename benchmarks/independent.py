"""Pictures by readers that Tintype does not use for them: Pillow, tifffile, astropy, and a PNG reader for 16 bits.

Files may be hostile: they are read in a process of its own with limits, which is started again when it dies.
"""

from __future__ import annotations

import io
import multiprocessing
import resource
import struct
import warnings
import zlib
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

_TIME_LIMIT_S = 60
_SAMPLES_LIMIT = 10**8


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reader sees of a picture file, upright."""

    mode: str
    """Of Pillow, or "grey" and "colour" where it cannot hold the picture."""
    pixels: np.ndarray
    """Samples as stored, `h w c`."""
    alpha: np.ndarray | None
    white: float
    """The value of full scale."""
    bits: int
    profile: bytes


class Reader:
    """Reads pictures in another process."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None

    def read(self, path: Path) -> Seen | str:
        """What is seen, or why nothing is."""
        if self._process is None:
            here, there = multiprocessing.Pipe()
            context = multiprocessing.get_context("spawn")
            self._process = context.Process(target=_serve, args=(there,), daemon=True)
            self._process.start()
            there.close()
            self._pipe = here
        try:
            self._pipe.send(path)
            if self._pipe.poll(_TIME_LIMIT_S):
                answer: Seen | str = self._pipe.recv()
                return answer
            reason = "takes too long"
        except (EOFError, OSError):
            reason = "the reader died"
        self.close()
        return reason

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def _serve(pipe: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (4 * 10**9, 4 * 10**9))
    warnings.simplefilter("ignore")
    while True:
        try:
            path = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(_see(path))
        except Exception as error:  # whatever a reader does with what it cannot read
            pipe.send(f"{type(error).__name__}: {' '.join(str(error).split())[:100]}")


def _see(path: Path) -> Seen:
    from PIL import Image

    with path.open("rb") as file:
        start = file.read(32)
    if start.startswith(b"\x89PNG") and start[24:25] == b"\x10":
        return _see_deep_png(path)
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        seen = _see_tiff(path)
        if seen is not None:
            return seen
    if start.startswith(b"\x89PNG") and start[24] < 8 and start[25] == 0 and b"tRNS" in path.read_bytes()[:4096]:
        raise ValueError("Pillow takes a transparent grey of less than 8 bits for one of 8")
    with Image.open(path) as image:
        if image.width * image.height > _SAMPLES_LIMIT:
            raise ValueError("too large")
        return _see_by_pillow(image)


def _see_by_pillow(image: Any) -> Seen:
    from PIL import Image, ImageOps

    profile = image.info.get("icc_profile") or b""
    mode = image.mode
    # reading the pixels first: AVIF is upright as Pillow gives it, and says so only afterwards
    image.load()
    upright = ImageOps.exif_transpose(image)
    if mode in ("P", "PA") or "transparency" in image.info:
        transparent = "A" in mode or "transparency" in image.info
        upright = upright.convert("LA" if mode in ("1", "L") else "RGBA" if transparent else "RGB")
    elif mode == "1":
        upright = upright.convert("L")
    elif mode == "La" or mode == "RGBa" or mode == "RGBX":
        raise ValueError(f"mode {mode}")
    samples = np.asarray(upright)
    samples = samples.reshape(*samples.shape[:2], -1)
    deep = {"I;16": 16, "I;16B": 16, "I": 32, "F": 32}.get(upright.mode, 8)
    if upright.mode == "I":
        raise ValueError("Pillow does not say how deep it is")
    white = 1.0 if upright.mode == "F" else 2.0**deep - 1
    bands = Image.getmodebands(upright.mode)
    has_alpha = upright.mode in ("LA", "RGBA")
    colours = samples[..., : bands - has_alpha]
    return Seen(mode, colours, samples[..., -1] if has_alpha else None, white, deep, profile)


def _see_tiff(path: Path) -> Seen | None:
    """By tifffile; None for what is left to Pillow."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        tags = page.tags
        plain = page.photometric in (0, 1, 2) and page.compression in (1, 8, 32773, 32946, 5)
        if page.extrasamples and page.extrasamples[0] == 1:
            raise ValueError("premultiplied: each reader divides in its own way")
        if page.dtype is not None and page.dtype.kind == "i":
            raise ValueError("signed samples, which Pillow takes for unsigned ones")
        if page.dtype is None or page.dtype.itemsize == 1 or not plain or page.size > _SAMPLES_LIMIT:
            return None
        if page.dtype.kind not in "uf" or page.bitspersample not in (16, 32, 64):
            raise ValueError(f"{page.bitspersample} bits of {page.dtype}")
        samples = page.asarray()
        if samples.ndim == 2:
            samples = samples[..., None]
        elif page.planarconfig == 2:
            samples = np.moveaxis(samples, 0, -1)
        orientation = tags["Orientation"].value if "Orientation" in tags else 1
        profile = bytes(tags["InterColorProfile"].value) if "InterColorProfile" in tags else b""
        white = 1.0 if page.dtype.kind == "f" else float(np.iinfo(page.dtype).max)
        if page.photometric == 0:
            samples = (np.array(white).astype(page.dtype) - samples).astype(page.dtype)
        samples = _upright(samples, int(orientation))
        bands = 3 if page.photometric == 2 else 1
        alpha = samples[..., bands] if samples.shape[2] > bands else None
        mode = "colour" if bands == 3 else "grey"
        return Seen(mode, samples[..., :bands], alpha, white, min(32, page.bitspersample), profile)


def _upright(samples: np.ndarray, orientation: int) -> np.ndarray:
    turned = samples.swapaxes(0, 1) if orientation >= 5 else samples
    down, across = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return turned[:: -1 if down else 1, :: -1 if across else 1]


def _see_deep_png(path: Path) -> Seen:
    """PNG of 16 bits, which Pillow reduces to 8 (ISO/IEC 15948)."""
    data, at, packed, profile, transparent = path.read_bytes(), 8, b"", b"", b""
    orientation = 1
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        at += 12 + length
        if kind == b"IHDR":
            width, height, _, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        elif kind == b"iCCP":
            profile = zlib.decompress(body[body.index(0) + 2 :])
        elif kind == b"tRNS":
            transparent = body
        elif kind == b"eXIf":
            from PIL import Image

            exif = Image.Exif()
            exif.load(b"Exif\0\0" + body)
            orientation = int(exif.get(0x0112, 1))
    bands = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    lines = io.BytesIO(zlib.decompress(packed))
    samples = np.zeros((height, width, bands), np.uint16)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    for top, left, down, across in passes if interlaced else [(0, 0, 1, 1)]:
        part = samples[top::down, left::across]
        if part.size:
            part[...] = _unfiltered(lines, *part.shape)
    colours = 3 if colour in (2, 6) else 1
    alpha = samples[..., colours] if bands > colours else None
    if transparent:
        key = np.frombuffer(transparent, ">u2")
        alpha = np.where((samples == key).all(axis=2), 0, 65535).astype(np.uint16)
    samples = _upright(samples, orientation)
    alpha = None if alpha is None else _upright(alpha, orientation)
    return Seen("colour" if colours == 3 else "grey", samples[..., :colours], alpha, 65535.0, 16, profile)


def _unfiltered(lines: io.BytesIO, height: int, width: int, bands: int) -> np.ndarray:
    """Rows of samples of 16 bits with their filters undone."""
    size = 2 * bands
    above = [0] * (width * size)
    rows = []
    for _ in range(height):
        kind, row = lines.read(1)[0], list(lines.read(width * size))
        for i, value in enumerate(row):
            left = row[i - size] if i >= size else 0
            corner = above[i - size] if i >= size else 0
            if kind == 4:
                guess = left + above[i] - corner
                distances = (abs(guess - left), abs(guess - above[i]), abs(guess - corner))
                predicted = (left, above[i], corner)[distances.index(min(distances))]
            else:
                predicted = (0, left, above[i], (left + above[i]) // 2)[kind]
            row[i] = (value + predicted) & 255
        rows.append(bytes(row))
        above = row
    return np.frombuffer(b"".join(rows), ">u2").reshape(height, width, bands)
