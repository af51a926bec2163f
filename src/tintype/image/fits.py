"""FITS: the door to reading and writing it. Importing this does not import astropy."""

from __future__ import annotations

from tintype.image.fits_container import FITS_SUFFIXES, is_fits
from tintype.image.fits_read import FitsPicture, open_fits, read_history
from tintype.image.fits_write import write_fits

__all__ = ["FITS_SUFFIXES", "FitsPicture", "is_fits", "open_fits", "read_history", "write_fits"]
