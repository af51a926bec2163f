"""Results as FITS: against astropy, world coordinates, headers, blank pixels and flux, and reading them again."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from tests.image.fits_files import simple, sky, tinted, to_bytes, wcs_header, whole

from tintype.errors import ImageError, OutputError, UsageError
from tintype.image.fits import open_fits, read_history, write_fits
from tintype.image.picture import PictureInfo, Reading, Strip, Writing
from tintype.image.stretch import Stretch

WEIGHTS = np.array([0.212671, 0.715160, 0.072169])


def world_of(header, **options):
    pixels = np.random.default_rng(0).uniform(0, 30, (20, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return WCS(header, **options).celestial.all_pix2world(pixels, 0)


@dataclass(frozen=True)
class Lines:
    """A stand-in for `Provenance`."""

    lines: tuple[str, ...]

    def history_lines(self):
        return list(self.lines)


# --- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [7, 30])
def test_a_cube_holds_the_display_values_for_astropy(tmp_path, rows):
    source = open_fits(simple(sky()))
    assert write_fits(tmp_path / "out.fits", tinted(source, rows), source, channels=3) == ()
    with fits.open(tmp_path / "out.fits") as hdus:
        hdus.verify("exception")
        assert len(hdus) == 1
        assert hdus[0].data.dtype == np.dtype(">f4")
        expected = np.concatenate([strip.pixels for strip in tinted(source)])
        np.testing.assert_array_equal(np.moveaxis(hdus[0].data, 0, -1)[::-1], expected)
    assert (tmp_path / "out.fits").stat().st_size % 2880 == 0


def test_grey_results_are_one_plane(tmp_path):
    source = open_fits(simple(sky()))
    write_fits(tmp_path / "out.fits", source.strips(9), source, channels=1)
    with fits.open(tmp_path / "out.fits") as hdus:
        assert hdus[0].data.shape == (30, 41)
        np.testing.assert_array_equal(hdus[0].data[::-1], whole(source)[..., 0])
    np.testing.assert_array_equal(whole(open_fits(tmp_path / "out.fits")), whole(source))


@pytest.mark.parametrize("matrix", ["CD", "PC", "CROTA"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("in_extension", [False, True])
def test_pixels_keep_their_place_in_the_sky(tmp_path, matrix, channels, in_extension):
    header = wcs_header(matrix=matrix)
    first = fits.PrimaryHDU(header=fits.Header({"CRVAL1": 99.0, "EQUINOX": 1950.0, "OBSERVER": "M. Wolf"}))
    data = to_bytes(*([first, fits.ImageHDU(sky(), header)] if in_extension else [fits.PrimaryHDU(sky(), header)]))
    source = open_fits(data)
    write_fits(tmp_path / "out.fits", tinted(source) if channels == 3 else source.strips(9), source, channels=channels)
    result = fits.getheader(tmp_path / "out.fits")
    np.testing.assert_allclose(world_of(result), world_of(header), rtol=1e-12)
    if channels == 3:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert WCS(result).world_axis_physical_types[2] is None
            assert WCS(result).naxis == 3


def test_sip_distortion_is_kept_and_how_to_read_it_is_said(tmp_path):
    header = wcs_header(sip=True)
    source = open_fits(to_bytes(fits.PrimaryHDU(sky(), header)))
    (note,) = write_fits(tmp_path / "out.fits", tinted(source), source, channels=3)
    assert "WCS(header, naxis=2)" in note
    np.testing.assert_allclose(world_of(fits.getheader(tmp_path / "out.fits"), naxis=2), world_of(header), rtol=1e-12)


def test_alternate_coordinates_are_kept(tmp_path):
    header = wcs_header()
    header.update({"CTYPE1A": "RA---SIN", "CTYPE2A": "DEC--SIN", "CRVAL1A": 1.0, "CRVAL2A": 2.0})
    header.update({"CD1_1A": 1e-3, "CD2_2A": 1e-3, "CRPIX1A": 2.0, "CRPIX2A": 2.0})
    source = open_fits(to_bytes(fits.PrimaryHDU(sky(), header)))
    write_fits(tmp_path / "out.fits", tinted(source), source, channels=3)
    result = fits.getheader(tmp_path / "out.fits")
    for key in (" ", "A"):
        np.testing.assert_allclose(world_of(result, key=key), world_of(header, key=key), rtol=1e-12)


def test_a_spectral_axis_gives_way_to_the_planes(tmp_path):
    header = wcs_header(matrix="PC")
    header.update({"CTYPE3": "FREQ", "CRVAL3": 1.4e9, "CDELT3": 1e6, "CRPIX3": 1.0, "CUNIT3": "Hz"})
    header.update({"CTYPE4": "STOKES", "CRVAL4": 1.0, "CDELT4": 1.0, "CRPIX4": 1.0})
    source = open_fits(to_bytes(fits.PrimaryHDU(np.stack([sky(), sky(seed=1)])[None], header)))
    write_fits(tmp_path / "out.fits", tinted(source), source, channels=3)
    result = fits.getheader(tmp_path / "out.fits")
    assert (result["CTYPE3"], result["CRVAL3"], "CTYPE4" in result, "CUNIT3" in result) == ("RGB", 1.0, False, False)
    np.testing.assert_allclose(world_of(result), world_of(header), rtol=1e-12)


def test_the_header_is_kept_and_says_what_was_done(tmp_path):
    hdu = fits.PrimaryHDU(np.rint(sky()).astype(np.uint16))
    hdu.header.update({"OBJECT": "NGC 6976", "BUNIT": "adu", "HIERARCH ESO DET GAIN": 1.5, "LONG": "x" * 120})
    hdu.header.add_comment("taken by hand")
    hdu.header.add_history("flat-fielded")
    hdu.add_checksum()
    source = open_fits(to_bytes(hdu))
    long_line = "recipe " + " ".join(["word"] * 40)
    write_fits(
        tmp_path / "out.fits",
        tinted(source),
        source,
        channels=3,
        provenance=Lines(("colour was predicted ö", long_line)),
    )
    result = fits.getheader(tmp_path / "out.fits")
    assert [result[key] for key in ("OBJECT", "HIERARCH ESO DET GAIN", "LONG")] == ["NGC 6976", 1.5, "x" * 120]
    assert "taken by hand" in result["COMMENT"]
    assert not {"BSCALE", "BZERO", "CHECKSUM", "DATASUM", "BUNIT"} & set(result)
    assert (result["TINTYPE"], result["TTSTRTCH"], result["TTBUNIT"]) == ("DISPLAY", "asinh", "adu")
    limits = Stretch("asinh", result["TTLOW"], result["TTHIGH"], result["TTSOFT"])
    np.testing.assert_allclose(limits.apply(source.values(0, 30)), whole(source)[..., 0], atol=1e-6)
    history = read_history(tmp_path / "out.fits")
    assert history[:2] == ["flat-fielded", "colour was predicted \\xf6"]
    assert long_line in " ".join(history)
    assert source.stretch.to_text() in " ".join(history)


def test_the_first_header_is_joined_without_clobbering(tmp_path):
    first = fits.PrimaryHDU()
    first.header.update({"TELESCOP": "Hubble", "OBJECT": "field", "BUNIT": "s"})
    first.header.add_history("from the first")
    extension = fits.ImageHDU(sky(), name="SCI")
    extension.header.update({"OBJECT": "star", "EXTVER": 2})
    extension.header.add_history("from the extension")
    source = open_fits(to_bytes(first, extension))
    write_fits(tmp_path / "out.fits", tinted(source), source, channels=3)
    result = fits.getheader(tmp_path / "out.fits")
    assert (result["OBJECT"], result["TELESCOP"], result["EXTNAME"]) == ("star", "Hubble", "SCI")
    assert "TTBUNIT" not in result
    assert read_history(tmp_path / "out.fits")[:2] == ["from the extension", "from the first"]


@pytest.mark.parametrize("flux", [False, True])
def test_blank_pixels_stay_blank(tmp_path, flux):
    values = sky()
    values[3:5, 7:11] = np.nan
    source = open_fits(simple(values))
    write_fits(tmp_path / "out.fits", tinted(source), source, channels=3, writing=Writing(flux=flux))
    with fits.open(tmp_path / "out.fits") as hdus:
        np.testing.assert_array_equal(np.isnan(hdus[0].data), np.broadcast_to(np.isnan(values), (3, 30, 41)))
    back = open_fits(tmp_path / "out.fits")
    assert whole(back)[::-1][3:5, 7:11].max() == 0


def test_a_result_opens_as_the_colour_picture_that_it_is(tmp_path):
    source = open_fits(simple(sky()))
    write_fits(tmp_path / "out.fits", tinted(source), source, channels=3)
    back = open_fits(tmp_path / "out.fits")
    assert back.info.channels == 3
    np.testing.assert_array_equal(whole(back), np.concatenate([strip.pixels for strip in tinted(source)]))
    assert back.reduced(10, 12).shape == (10, 12, 3)
    write_fits(tmp_path / "again.fits", back.strips(9), back, channels=3)
    np.testing.assert_array_equal(whole(open_fits(tmp_path / "again.fits")), whole(back))


def test_a_picture_of_another_format_becomes_a_cube(tmp_path):
    pixels = np.random.default_rng(0).random((5, 6, 3), dtype=np.float32)

    class Photo:
        info = PictureInfo(width=6, height=5, channels=3, has_alpha=True)

    (note,) = write_fits(tmp_path / "out.fits", iter([Strip(0, pixels)]), Photo(), channels=3)
    assert "transparency" in note
    with fits.open(tmp_path / "out.fits") as hdus:
        np.testing.assert_array_equal(np.moveaxis(hdus[0].data, 0, -1)[::-1], pixels)
    with pytest.raises(UsageError, match="no flux; leave --flux out"):
        write_fits(tmp_path / "x.fits", iter([]), Photo(), channels=3, writing=Writing(flux=True))
    assert [path.name for path in tmp_path.iterdir()] == ["out.fits"]


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    source = open_fits(simple(sky()))
    with pytest.raises(OutputError):
        write_fits(tmp_path / "none" / "out.fits", source.strips(9), source, channels=1)

    def broken():
        yield next(source.strips(9))
        raise ImageError("gone")

    with pytest.raises(ImageError, match="gone"):
        write_fits(tmp_path / "out.fits", broken(), source, channels=1)
    assert not list(tmp_path.iterdir())


# --- flux -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "tolerance"), [("f4", 1e-6), ("f8", 1e-14), ("i2", 1e-6), ("i4", 1e-14)])
@pytest.mark.parametrize("stretch", ["asinh", "zscale"])
def test_planes_of_flux_sum_to_the_source(tmp_path, dtype, tolerance, stretch):
    values = sky().astype(dtype)
    data = simple(values, BUNIT="adu")
    source = open_fits(data, Reading(stretch=stretch))
    writing = Writing(flux=True)
    write_fits(tmp_path / "out.fits", tinted(source), source, channels=3, writing=writing, keeps_luminance=True)
    with fits.open(tmp_path / "out.fits") as hdus:
        assert hdus[0].header["BUNIT"] == "adu"
        summed = np.tensordot(WEIGHTS, hdus[0].data.astype(float), 1)
    np.testing.assert_allclose(summed, values, rtol=tolerance * 5)
    assert source.stretch.high < values.max()  # so clipped highlights came back
    assert source.stretch.low > values.min() or stretch == "zscale"


def test_flux_of_a_picture_of_other_lightness_is_the_inverse_stretch(tmp_path):
    source = open_fits(simple(sky()))
    brighter = (Strip(strip.top, np.minimum(strip.pixels + 0.1, 1)) for strip in source.strips(7))
    write_fits(tmp_path / "out.fits", brighter, source, channels=1, writing=Writing(flux=True))
    expected = source.stretch.invert(np.minimum(whole(source)[::-1, :, 0] + np.float32(0.1), 1))
    np.testing.assert_allclose(fits.getdata(tmp_path / "out.fits"), expected, rtol=1e-5)


def test_flux_opens_as_the_colours_that_were_written(tmp_path):
    source = open_fits(simple(sky()))
    write_fits(tmp_path / "out.fits", tinted(source), source, channels=3, writing=Writing(flux=True))
    back = open_fits(tmp_path / "out.fits")
    assert (back.info.channels, back.content) == (3, "flux")
    expected = np.concatenate([strip.pixels for strip in tinted(source)])
    np.testing.assert_allclose(whole(back), expected, atol=1e-5)
    with pytest.raises(UsageError):
        write_fits(tmp_path / "x.fits", back.strips(9), back, channels=3, writing=Writing(flux=True))


def test_damaged_cards_are_left_out_and_named(tmp_path):
    data = bytearray(simple(sky(), OBJECT="star", FILTER="r"))
    place = data.index(b"OBJECT  =")
    data[place : place + 30] = b"OBJECT  = 'no end of the strin"
    data[place + 30 : place + 80] = b"\xff" * 50
    source = open_fits(bytes(data))
    notes = write_fits(tmp_path / "out.fits", source.strips(9), source, channels=1)
    with fits.open(tmp_path / "out.fits") as hdus:
        hdus.verify("exception")
        assert hdus[0].header["FILTER"] == "r"
        assert "OBJECT" in hdus[0].header or "OBJECT" in notes[0]
