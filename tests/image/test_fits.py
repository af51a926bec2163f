"""FITS files as pictures: against astropy, blank pixels, reduced pictures, and what hostile files lead to."""

from __future__ import annotations

import bz2
import gzip
import io
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.image.fits_files import simple, sky, to_bytes, wcs_header, whole

from tintype.errors import ImageError
from tintype.image import fits_tiles
from tintype.image.fits import FITS_SUFFIXES, FitsPicture, is_fits, open_fits, write_fits
from tintype.image.picture import Limits, Reading
from tintype.image.resize import resize
from tintype.image.stretch import Stretch

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
    for other in (
        b"",
        gzip.compress(b"<svg/>", mtime=0),
        gzip.compress(b"SIMPLE")[:12],
        tmp_path,
        tmp_path / "none",
        "a\0b",
    ):
        assert not is_fits(other)
    assert "sky.fits.gz".endswith(FITS_SUFFIXES)


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_2", "HCOMPRESS_1"])
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
        (gzip.compress(b"nothing", mtime=0), "not a FITS file"),
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


def test_a_good_picture_before_a_corrupted_extension_is_read():
    broken = to_bytes(fits.PrimaryHDU(sky()), fits.ImageHDU(sky(20, 20)), fits.ImageHDU(sky(20, 20)))
    place = broken.index(b"XTENSION")
    damaged = broken[:place] + broken[place:].replace(
        b"BITPIX  =                  -32", b"BITPIX  =                  'a'", 1
    )
    np.testing.assert_array_equal(open_fits(damaged).values(0, 30), sky()[::-1])


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


CORPUS = (
    simple(np.rint(sky(12, 13)).astype(np.int16), BLANK=90, BUNIT="adu"),
    to_bytes(fits.PrimaryHDU(), fits.ImageHDU(sky(12, 13), wcs_header(sip=True), name="SCI")),
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


COMPRESSED = to_bytes(fits.PrimaryHDU(), fits.CompImageHDU(np.rint(sky()).astype(np.int16)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"'RICE_1  '", b"'ZIP     '"),
        (b"ZTILE1  =                   41", b"ZTILE1  =            987654321"),
        (b"ZTILE2  =                    1", b"ZTILE2  =                    0"),
    ],
)
def test_damaged_compression_is_one_line(old, new):
    assert old in COMPRESSED
    with pytest.raises(ImageError, match="compressed tiles") as error:
        open_fits(COMPRESSED.replace(old, new))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "tiles are damaged"),
        ("import time; time.sleep(60)", "too long to unpack"),
    ],
)
def test_a_decompressor_may_crash_or_hang(tmp_path, monkeypatch, program, words):
    (tmp_path / "program.py").write_text(program)
    monkeypatch.setattr(fits_tiles, "__file__", str(tmp_path / "program.py"))
    monkeypatch.setattr(fits_tiles, "_SECONDS", 0.5)
    with pytest.raises(ImageError, match=words):
        open_fits(COMPRESSED)


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
