"""Planes of a tile-compressed FITS HDU, unpacked by a process of its own.

The decompressors of astropy are C code that damaged tiles make write where they must not, which would corrupt or end
the process that called them. Hence this file is also a program, and imports nothing of Tintype. Standard input is a
FITS file; standard output the header of the image, padded as FITS pads it, and the samples; standard error the reason.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from math import prod
from typing import BinaryIO

import numpy as np

_TILE_PIXELS = 2**27  # a tile is unpacked whole
_BLOCK_PIXELS = 2**20
_SECONDS, _PIXELS_A_SECOND = 30, 1_000_000  # far slower than any decompressor


def unpack_planes(source: BinaryIO, result: BinaryIO, hdu: int, planes: range, dtype: str, pixels: int) -> None:
    """Write the header of a compressed image and physical values of its planes, `h w` each, NaN where blank.

    Args:
        source: A plain FITS file, of the operating system.
        result: Where to write; of the operating system too.
        hdu: Number of the HDU.
        planes: Of the cube that the image is, counted through all further axes; `range(0, 1)` where it is none.
        dtype: Of the samples that are written.
        pixels: How many these are; the time that is allowed follows.

    Raises:
        ValueError: The HDU is damaged, or the unpacking crashed or hung; the message says so in a few words.
    """
    command = [sys.executable, "-P", __file__, str(hdu), str(planes.start), str(planes.stop), dtype]
    try:
        done = subprocess.run(
            command,
            stdin=source,
            stdout=result,
            stderr=subprocess.PIPE,
            timeout=_SECONDS + pixels / _PIXELS_A_SECOND,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError("its compressed tiles take too long to unpack") from error
    if done.returncode:
        lines = done.stderr.decode(errors="backslashreplace").strip().splitlines()
        crashed = done.returncode < 0 or not lines
        raise ValueError("its compressed tiles are damaged" + ("" if crashed else f": {lines[-1]}"))


def main() -> None:
    """Do the work of `unpack_planes` in this process."""
    from astropy.io import fits

    number, first, stop, dtype = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    result = sys.stdout.buffer
    with sys.stdin.buffer as source:
        hdu = fits.open(source, memmap=False)[number]
        tile = tuple(int(side) for side in hdu.tile_shape)
        if not 0 < prod(tile) <= _TILE_PIXELS:
            raise ValueError(f"tiles of {prod(tile):,} pixels, more than {_TILE_PIXELS:,}; use funpack")
        result.write(hdu.header.tostring().encode("ascii", "replace"))
        height, width = hdu.shape[-2:]
        rows = tile[-2] * max(1, _BLOCK_PIXELS // (width * tile[-2]))
        for plane in range(first, stop):
            place = tuple(int(index) for index in np.unravel_index(plane, hdu.shape[:-2]))
            for top in range(0, height, rows):
                block = hdu.section[(*place, slice(top, min(top + rows, height)))]
                result.write(np.ascontiguousarray(block, dtype=dtype).tobytes())
    result.flush()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    try:
        main()
    except Exception as error:  # hostile headers reach most of Python's exceptions inside astropy
        sys.exit(" ".join(str(error).split()) or type(error).__name__)
