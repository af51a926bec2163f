"""Small FITS files made for the tests of FITS."""

from __future__ import annotations

import io
import warnings

import numpy as np
from astropy.io import fits

from tintype.image.picture import Strip


def sky(height=30, width=41, seed=0):
    """A noisy background with a few stars."""
    random = np.random.default_rng(seed)
    values = random.normal(100, 5, (height, width))
    values[random.integers(0, height, 20), random.integers(0, width, 20)] += random.exponential(2000, 20)
    return values.astype(np.float32)


def to_bytes(*hdus):
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits.HDUList(list(hdus)).writeto(buffer, output_verify="ignore")
    return buffer.getvalue()


def simple(values, **cards):
    hdu = fits.PrimaryHDU(values)
    hdu.header.update({key.replace("_", "-"): value for key, value in cards.items()})
    return to_bytes(hdu)


def whole(picture, rows=1000):
    return np.concatenate([strip.pixels for strip in picture.strips(rows)])


def tinted(picture, rows=7):
    """What a colouriser would return, but for its lightness."""
    for strip in picture.strips(rows):
        grey = strip.pixels
        yield Strip(strip.top, np.concatenate([np.minimum(grey * 1.1, 1), grey, grey * 0.8], axis=-1))


def wcs_header(sip=False, matrix="CD"):
    header = fits.Header()
    header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 20.0})
    header.update({"CRPIX1": 5.0, "CRPIX2": 6.0, "CUNIT1": "deg", "CUNIT2": "deg", "RADESYS": "FK5", "EQUINOX": 2000.0})
    if matrix == "CD":
        header.update({"CD1_1": -1e-3, "CD1_2": 1e-4, "CD2_1": 2e-4, "CD2_2": 1e-3})
    elif matrix == "PC":
        header.update({"CDELT1": -1e-3, "CDELT2": 1e-3, "PC1_2": 0.1, "PC2_1": -0.1})
    else:
        header.update({"CDELT1": -1e-3, "CDELT2": 1e-3, "CROTA2": 30.0})
    if sip:
        header.update({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"})
        header.update({"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-4, "B_0_2": 2e-4})
    return header
