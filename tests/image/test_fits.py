"""FITS: against astropy, there and back, world coordinates, blank pixels, flux, and what hostile files lead to."""

from __future__ import annotations

import bz2
import gzip
import io
import subprocess
import sys
import tracemalloc
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tintype.errors import ImageError, OutputError, UsageError
from tintype.image.fits import FITS_SUFFIXES, FitsPicture, is_fits, open_fits, read_history, write_fits
from tintype.image.picture import Limits, PictureInfo, Reading, Strip, Writing
from tintype.image.resize import resize
from tintype.image.stretch import Stretch

WEIGHTS = np.array([0.212671, 0.715160, 0.072169])


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


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_values_equal_those_of_astropy_in_every_sample_format(dtype):
    values = np.random.default_rng(0).integers(0, 120, (9, 14)).astype(dtype)
    data = simple(values)
    picture = open_fits(data)
    with fits.open(io.BytesIO(data)) as reference:
        np.testing.assert_array_equal(picture.values(0, 9), reference[0].data[::-1].astype(float))
    info = picture.info
    assert (info.width, info.height, info.channels, info.bits, info.floating) == (14, 9, 1, 32, True)
    assert (info.format, info.pages, info.page, info.notes, info.path) == ("fits", 1, 0, (), None)


def test_scaled_integers_become_physical_values():
    hdu = fits.PrimaryHDU(sky())
    hdu.scale("int16", bscale=0.25, bzero=500)
    data = to_bytes(hdu)
    with fits.open(io.BytesIO(data)) as reference:
        np.testing.assert_allclose(open_fits(data).values(0, 30), reference[0].data[::-1], rtol=1e-6)


def test_the_last_row_of_the_file_is_the_top_of_the_picture():
    values = np.zeros((3, 4), np.float32)
    values[2, 0] = 1
    assert whole(open_fits(simple(values), Reading(stretch="linear")))[0, 0, 0] == 1


@pytest.mark.parametrize("stretch", ["asinh", "zscale", "percentile", "linear"])
@pytest.mark.parametrize("rows", [1, 7, 30, 31])
def test_strips_are_the_stretched_values(stretch, rows):
    values = sky()
    picture = open_fits(simple(values), Reading(stretch=stretch))
    assert picture.stretch.kind == stretch
    strips = list(picture.strips(rows))
    assert [strip.top for strip in strips] == list(range(0, 30, rows))
    np.testing.assert_array_equal(whole(picture, rows)[..., 0], picture.stretch.apply(values[::-1]))
    assert dict(picture.settings) == {"hdu": "0", "stretch": picture.stretch.to_text()}
    assert Stretch.from_text(dict(picture.settings)["stretch"]) == picture.stretch


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_packed_files_are_the_plain_ones(pack, tmp_path):
    data = simple(sky())
    path = tmp_path / "named.whatever"
    path.write_bytes(pack(data))
    for source in (path, str(path), pack(data)):
        assert is_fits(source)
        np.testing.assert_array_equal(whole(open_fits(source)), whole(open_fits(data)))


def test_fits_is_told_by_content(tmp_path):
    path = tmp_path / "sky.fits"
    path.write_bytes(b"\x89PNG\r\n")
    assert not is_fits(path)
    assert is_fits(simple(sky()))
    for other in (b"", gzip.compress(b"<svg/>"), gzip.compress(b"SIMPLE")[:12], tmp_path, tmp_path / "none", "a\0b"):
        assert not is_fits(other)
    assert "sky.fits.gz".endswith(FITS_SUFFIXES)


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1"])
def test_compressed_extensions_equal_those_of_astropy(kind):
    values = np.rint(sky()).astype(np.int16)
    data = to_bytes(fits.PrimaryHDU(), fits.CompImageHDU(values, compression_type=kind, name="SCI"))
    picture = open_fits(data)
    np.testing.assert_array_equal(picture.values(0, 30), values[::-1])
    np.testing.assert_array_equal(picture.values(5, 3), values[::-1][5:8])
    assert dict(picture.settings)["hdu"] == "1"


def test_planes_of_a_compressed_cube():
    cube = np.stack([np.rint(sky(seed=seed)) for seed in range(3)]).astype(np.int32)
    data = to_bytes(fits.PrimaryHDU(), fits.CompImageHDU(cube, tile_shape=(2, 8, 16)))
    for plane in range(3):
        np.testing.assert_array_equal(open_fits(data, Reading(plane=plane)).values(0, 30), cube[plane, ::-1])


@pytest.fixture(scope="module")
def extensions():
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.zeros(3))], name="EVENTS")
    return to_bytes(
        fits.PrimaryHDU(),
        table,
        fits.ImageHDU(np.arange(5.0)),
        fits.ImageHDU(sky(seed=1), name="SCI"),
        fits.ImageHDU(sky(20, 20, seed=2), name="ERR"),
    )


@pytest.mark.parametrize(("hdu", "seed"), [(None, 1), (3, 1), ("3", 1), ("sci", 1), ("ERR", 2), (4, 2)])
def test_an_extension_is_chosen_by_number_or_name(extensions, hdu, seed):
    picture = open_fits(extensions, Reading(hdu=hdu))
    expected = sky(seed=1) if seed == 1 else sky(20, 20, seed=2)
    np.testing.assert_array_equal(picture.values(0, len(expected)), expected[::-1])
    assert (picture.info.page, picture.info.pages) == (seed - 1, 2)
    assert "one of 2 pictures" in picture.info.notes[0]


@pytest.mark.parametrize("hdu", [0, 1, 2, 5, -1, "EVENTS", "none"])
def test_an_extension_without_a_picture_is_refused_with_a_list(extensions, hdu):
    with pytest.raises(ImageError, match=r"HDUs that do: 3 SCI \(41 x 30\), 4 ERR \(20 x 20\)$"):
        open_fits(extensions, Reading(hdu=hdu))


def test_a_file_without_pictures_is_refused():
    with pytest.raises(ImageError, match="holds no picture"):
        open_fits(to_bytes(fits.PrimaryHDU()))


def test_planes_of_cubes_are_counted_through_all_further_axes():
    cube = np.stack([sky(seed=seed) for seed in range(6)]).reshape(2, 3, 30, 41)
    data = simple(cube)
    for plane in range(6):
        picture = open_fits(data, Reading(plane=plane))
        np.testing.assert_array_equal(picture.values(0, 30), cube.reshape(6, 30, 41)[plane, ::-1])
        assert dict(picture.settings)["plane"] == str(plane)
        assert picture.info.notes == (f"plane {plane} of 0 to 5",)
    for plane in (-1, 6):
        with pytest.raises(ImageError, match=f"has no plane {plane}; .* has 0 to 5"):
            open_fits(data, Reading(plane=plane))


def test_axes_of_length_one_do_not_make_a_cube():
    picture = open_fits(simple(sky()[None, None]))
    np.testing.assert_array_equal(picture.values(0, 30), sky()[::-1])
    assert picture.info.notes == ()


@pytest.mark.parametrize("blank", [0, -32768])
def test_blank_pixels_of_integers(blank):
    values = np.rint(sky()).astype(np.int16)
    values[3:6, 4:8] = blank
    picture = open_fits(simple(values, BLANK=blank))
    expected = np.where(values == blank, np.nan, values.astype(float))
    np.testing.assert_array_equal(picture.values(0, 30), expected[::-1])
    assert whole(picture)[::-1][3:6, 4:8].max() == 0
    assert picture.info.notes == ("0.98 % of the pixels are blank",)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_blank(value):
    values = sky()
    values[:, :10] = value
    picture = open_fits(simple(values))
    assert np.isnan(picture.values(0, 30)[:, :10]).all()
    assert whole(picture)[:, :10].max() == 0
    assert picture.stretch == open_fits(simple(sky()[:, 10:])).stretch


# --- reduced pictures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(30, 41), (15, 20), (60, 90), (4, 41)])
def test_reduced_equals_resizing_the_whole_picture(size):
    picture = open_fits(simple(sky()))
    expected = np.clip(resize(whole(picture), *size), 0, 1)
    np.testing.assert_allclose(picture.reduced(*size), expected, atol=1e-6)


def test_much_reduced_equals_resizing_the_whole_picture():
    y, x = np.mgrid[0:1:700j, 0:1:901j]
    picture = open_fits(simple(np.sin(9 * y) + np.cos(7 * x)), Reading(stretch="linear"))
    expected = np.clip(resize(whole(picture), 17, 23), 0, 1)
    np.testing.assert_allclose(picture.reduced(17, 23), expected, atol=0.01)
    assert picture.reduced(17, 23).mean() == pytest.approx(whole(picture).mean(), abs=1e-3)


def test_blank_pixels_leave_no_dark_edges_in_the_reduced_picture():
    values = sky(200, 200)
    full = open_fits(simple(values), Reading(stretch="percentile"))
    values[::7, ::7] = np.nan
    values[:, 120:] = np.nan
    reduced = open_fits(simple(values), Reading(stretch="percentile")).reduced(20, 20)[..., 0]
    background = np.median(full.reduced(20, 20))
    assert reduced.min() > 0.7 * background
    np.testing.assert_allclose(reduced[:, 14:], background, atol=0.1)


def test_memory_does_not_depend_on_the_number_of_rows(tmp_path):
    path = tmp_path / "long.fits"
    header = fits.PrimaryHDU(np.zeros((1, 1), np.int16)).header
    header.update({"NAXIS1": 1000, "NAXIS2": 5000})
    path.write_bytes(header.tostring().encode() + b"\x01\x02" * 5_000_000)
    open_fits(simple(sky())).reduced(8, 8)  # what is imported and built once
    tracemalloc.start()
    picture = open_fits(path)
    picture.reduced(64, 64)
    write_fits(tmp_path / "out.fits", picture.strips(200), picture, channels=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 25e6  # the values are 40 MB


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


# --- hostile files ----------------------------------------------------------------------------------------------------


def header_only(**cards):
    header = fits.PrimaryHDU(np.zeros((2, 2), np.int16)).header
    header.update(cards)
    return header.tostring().encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (header_only(NAXIS1=60_000, NAXIS2=60_000), "60000 x 60000 pixels; allowed are"),
        (header_only(NAXIS1=2_000_000, NAXIS2=1), "1,048,576 a side"),
        (header_only(NAXIS1=20_000, NAXIS2=20_000), "cut short"),
        (header_only(NAXIS=2_000_000_000), "NAXIS = 2000000000; at most 999"),
        (simple(sky()) + header_only(TFIELDS=10**12), "TFIELDS = 1000000000000; at most 999"),
        (header_only()[:2000] + b" " * 30_000_000, "without END"),
        (simple(sky())[:5000], "cut short"),
        (simple(np.full((4, 4), np.nan)), "all pixels are blank"),
        (b"", "not a FITS file"),
        (b"SIMPLE  =", "picture given as bytes: "),
        (b"\x1f\x8b\x08" + b"x" * 50, "cannot be unpacked"),
        (gzip.compress(simple(sky()))[:-900], "cannot be unpacked"),
        (bz2.compress(simple(sky()))[:-500], "cannot be unpacked"),
        (gzip.compress(b"nothing"), "not a FITS file"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value[:12],
)
def test_what_is_broken_is_one_line(data, words):
    with pytest.raises(ImageError) as error:
        open_fits(data)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_final_padding_is_forgiven():
    data = simple(sky())
    assert open_fits(data[: 2880 + 30 * 41 * 4]).info.height == 30


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ImageError, match="No such file"):
        open_fits(tmp_path / "none.fits")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, bytes])
def test_limits_hold_before_anything_is_unpacked(pack):
    data = pack(simple(np.zeros((600, 600))))
    with pytest.raises(ImageError, match=r"more than the 100,000 (bytes )?that are allowed"):
        open_fits(data, Reading(limits=Limits(bytes=100_000)))
    with pytest.raises(ImageError, match="600 x 600 pixels; allowed are 1,000"):
        open_fits(data, Reading(limits=Limits(pixels=1000)))


def test_a_file_of_too_many_extensions_is_refused(extensions):
    with pytest.raises(ImageError, match="more than the 3 HDUs"):
        open_fits(extensions, Reading(limits=Limits(frames=3)))


def test_a_file_that_shrinks_under_the_reader_is_one_line(tmp_path):
    path = tmp_path / "sky.fits"
    path.write_bytes(simple(np.zeros((300, 300)) + np.arange(300)))
    picture = open_fits(path)
    with path.open("r+b") as file:
        file.truncate(4000)
    with pytest.raises(ImageError, match="became shorter"):
        whole(picture)


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


CORPUS = (
    simple(np.rint(sky(12, 13)).astype(np.int16), BLANK=90, BUNIT="adu"),
    to_bytes(fits.PrimaryHDU(), fits.ImageHDU(sky(12, 13), wcs_header(sip=True), name="SCI")),
    to_bytes(fits.PrimaryHDU(), fits.CompImageHDU(np.rint(sky(12, 13)).astype(np.int16))),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_fuzzed_file_is_a_picture_or_one_line(tmp_path, data):
    broken = bytearray(data.draw(st.sampled_from(CORPUS)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(broken) - 1))
        patch = data.draw(st.sampled_from([b"\0", b"\xff", b"9", b"-", b"'", b" ", b"T", b"END", b"1E309", b"NAXIS"]))
        broken[place : place + len(patch)] = patch
    broken = bytes(broken[: data.draw(st.integers(0, len(broken)))] if data.draw(st.booleans()) else broken)
    try:
        picture = open_fits(broken, Reading(limits=Limits(pixels=10_000, bytes=100_000)))
        assert whole(picture).shape == (picture.info.height, picture.info.width, 1)
        assert np.isfinite(picture.reduced(5, 5)).all()
        write_fits(tmp_path / "out.fits", picture.strips(9), picture, channels=1)
    except ImageError as error:
        assert "\n" not in str(error)


def test_threads_may_share_a_picture():
    from concurrent.futures import ThreadPoolExecutor

    picture = open_fits(simple(sky(300, 300)))
    expected = whole(picture)
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(lambda rows: whole(picture, rows), [1, 3, 7, 11]):
            np.testing.assert_array_equal(result, expected)


def test_the_door_does_not_import_astropy():
    code = "import sys, tintype.image.file, tintype.image.fits; sys.exit('astropy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_picture_closes_its_file(tmp_path):
    path = tmp_path / "sky.fits"
    path.write_bytes(simple(sky()))
    picture: FitsPicture | None = open_fits(path)
    strips = picture.strips(9)
    picture = None
    assert next(strips).top == 0  # held by its strips
    del strips  # a file left open would be a warning, and warnings are errors here
