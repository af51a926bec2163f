"""What only TIFF has: compression, pyramids, 64-bit offsets and pages, as tifffile reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.image.conftest import MARK, check_one_line, describe, make_exif, some_pixels, write

from tintype.errors import ImageError
from tintype.image import savers
from tintype.image.file import open_picture, write_picture
from tintype.image.picture import Extras, PictureInfo, Reading, Strip, Writing


@pytest.mark.parametrize(
    ("source", "written"),
    [("none", 1), ("lzw", 5), ("packbits", 32773), ("zstd", 8), ("jpeg", 7), ("ccittfax4", 8), ("", 8)],
)
def test_the_compression_of_a_tiff_is_kept_if_it_holds_colour(tmp_path, source, written):
    write(tmp_path / "a.tif", some_pixels(), extras=Extras(compression=source))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].compression == written


def test_jpeg_in_tiff_gives_way_where_it_cannot_hold_the_samples(tmp_path):
    write(tmp_path / "a.tif", some_pixels(), bits=16, extras=Extras(compression="jpeg"))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].compression == 8


def test_a_pyramid_has_smaller_copies_in_tiles(tmp_path):
    pixels = some_pixels(600, 700)
    write(tmp_path / "a.tif", pixels, bits=16, writing=Writing(pyramid=True), extras=Extras(exif=make_exif()))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert [page.shape for page in file.pages] == [(600, 700, 3), (300, 350, 3), (150, 175, 3)]
        assert all(page.is_tiled for page in file.pages)
        np.testing.assert_array_equal(file.pages[0].asarray(), np.rint(pixels * 65535))
    assert describe(tmp_path / "a.tif")[0] == ("Some Camera", 1, MARK.to_text())


def test_large_files_are_bigtiff(tmp_path, monkeypatch):
    monkeypatch.setattr(savers, "_CLASSIC_TIFF", 5000)
    pixels = some_pixels()
    write(tmp_path / "a.tif", pixels, extras=Extras(exif=make_exif()))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff
        np.testing.assert_array_equal(file.asarray(), np.rint(pixels * 255))
    assert describe(tmp_path / "a.tif")[0] == ("Some Camera", 1, MARK.to_text())


class Page:
    """A page of a grey TIFF, as a reader would open it."""

    def __init__(self, path, stack, number):
        self.pixels = stack[number][..., None] / np.float32(255)
        height, width = stack[number].shape
        self.info = PictureInfo(width, height, 1, format="tiff", path=path, page=number, pages=len(stack))

    def strips(self, rows):
        for top in range(0, self.info.height, rows):
            yield Strip(top, self.pixels[top : top + rows])


@pytest.mark.parametrize("pyramid", [False, True])
@pytest.mark.parametrize("number", [0, 1, 3])
def test_other_pages_are_kept_at_their_place(tmp_path, number, pyramid):
    stack = np.random.default_rng(0).integers(0, 256, (4, 30, 20), dtype=np.uint8)
    source = tmp_path / "source.tif"
    with tifffile.TiffWriter(source) as file:
        for index, page in enumerate(stack):
            file.write(page, description=f"page {index}", contiguous=False)
    page = open_picture(source, Reading(page=number))
    colour = (Strip(strip.top, np.repeat(strip.pixels, 3, axis=2)) for strip in page.strips(8))
    writing = Writing(other_pages="keep", pyramid=pyramid)
    notes = write_picture(tmp_path / "a.tif", colour, page, channels=3, provenance=MARK, writing=writing)
    assert notes == ()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert len(file.pages) == 4
        for index, (written, expected) in enumerate(zip(file.pages, stack, strict=True)):
            np.testing.assert_array_equal(written.asarray(), np.repeat(expected[..., None], 3, axis=2))
            assert written.description == f"page {index}"
            assert (0x9213 in written.tags) == (index == number)


def test_other_pages_are_left_or_refused_on_demand(tmp_path):
    facts = {"format": "tiff", "pages": 3}
    assert write(tmp_path / "a.tif", some_pixels(), **facts) == ("2 other pages left out",)
    assert write(tmp_path / "a.png", some_pixels(), writing=Writing(other_pages="keep"), **facts) == (
        "2 other pages left out: PNG holds one",
    )
    with pytest.raises(ImageError, match="picture: has 2 other pages; "):
        write(tmp_path / "b.tif", some_pixels(), writing=Writing(other_pages="refuse"), **facts)
    assert not (tmp_path / "b.tif").exists()


def test_pages_of_other_sizes_cannot_be_kept(tmp_path):
    def open_page(number):
        return Page(Path("a.tif"), [np.zeros((40 + i, 50), np.uint8) for i in range(2)], number)

    with pytest.raises(ImageError, match="page 1 has 50 x 41 pixels, page 0 50 x 40") as error:
        write(
            tmp_path / "a.tif",
            some_pixels(),
            writing=Writing(other_pages="keep"),
            open_page=open_page,
            format="tiff",
            pages=2,
        )
    check_one_line(error, "picture: ")
