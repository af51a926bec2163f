"""What results carry of their source beside the pixels, and say of themselves, as Pillow and libvips read it."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
import pyvips
from PIL import ExifTags, Image
from tests.image.conftest import MARK, describe, make_exif, some_pixels, write

from tintype.image.exif import revise
from tintype.image.file import open_picture
from tintype.image.picture import Extras
from tintype.image.provenance import read_provenance

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/x"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
IPTC = b"\x1c\x02\x78\0\x0bHello there"


@pytest.mark.parametrize("last", [".png", ".tif", ".jpg", ".webp"])
@pytest.mark.parametrize("first", [".png", ".tif", ".jpg", ".webp"])
def test_exif_and_xmp_go_from_any_format_to_any_other(tmp_path, first, last):
    one, two = tmp_path / f"one{first}", tmp_path / f"two{last}"
    write(one, some_pixels(), extras=Extras(exif=make_exif(), xmp=XMP, density=(10, 10), density_unit="cm"))
    later = replace(MARK, model="b.onnx")
    write(two, some_pixels(), mark=later, extras=open_picture(one).info.extras)
    main, exif, gps = describe(two)
    assert main == ("Some Camera", 1, later.to_text())
    assert exif == {0xA002: 50, 0xA003: 40, 0x829A: 0.004, 0x927C: b"Maker\0note" * 9}
    assert gps == {1: "N", 2: (52.0, 31.0, 12.25)}
    assert read_provenance(two) == later
    packet = pyvips.Image.new_from_file(str(two)).get("xmp-data")
    assert b'dc:format="image/x"' in packet
    assert packet.count(b"xmlns:tintype") == 1


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".avif"])
@pytest.mark.parametrize("alpha", [None, np.full((40, 50), 0.5, np.float32)], ids=["opaque", "alpha"])
def test_every_result_says_what_it_is(tmp_path, suffix, alpha):
    path = tmp_path / f"a{suffix}"
    write(path, some_pixels(), alpha=alpha)
    assert read_provenance(path) == MARK
    with Image.open(path) as image:
        image.load()
        assert image.size == (50, 40)


def test_exif_stands_byte_for_byte_in_an_avif_that_other_readers_decode(tmp_path):
    path, block = tmp_path / "a.avif", make_exif().removeprefix(b"Exif\0\0")
    for alpha in (None, np.full((40, 50), 0.5, np.float32)):
        write(path, some_pixels(), alpha=alpha, extras=Extras(exif=block))
        with Image.open(path) as image:
            image.load()
            assert image.info["exif"].removeprefix(b"Exif\0\0") == revise(block, 50, 40, MARK.to_text())
        assert pyvips.Image.new_from_file(str(path)).avg() > 0


def test_white_and_primaries_of_a_tiff_are_kept(tmp_path):
    first, second = tmp_path / "a.tif", tmp_path / "b.tif"
    numbers = {318: (0.3127, 0.329), 319: (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)}
    Image.new("RGB", (50, 40)).save(first, tiffinfo=numbers)
    write(second, some_pixels(), extras=open_picture(first).info.extras)
    with Image.open(second) as image:
        for tag, values in numbers.items():
            assert [float(value) for value in image.tag_v2[tag]] == pytest.approx(values)


@pytest.mark.parametrize("wrapped", [False, True])
def test_iptc_is_kept_where_there_is_a_place_for_it(tmp_path, wrapped):
    records = IPTC
    if wrapped:
        thumbnail = b"8BIM" + struct.pack(">HHI", 0x040C, 0, 4) + b"tiny"
        records = b"Photoshop 3.0\0" + thumbnail + b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(IPTC)) + IPTC
    for suffix in (".jpg", ".tif", ".png"):
        assert write(tmp_path / f"a{suffix}", some_pixels(), extras=Extras(iptc=records)) == ()
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.info["photoshop"] == {0x0404: IPTC}
    with Image.open(tmp_path / "a.tif") as image:
        assert bytes(image.tag_v2[33723]).startswith(IPTC)
    with Image.open(tmp_path / "a.png") as image:
        assert IPTC.hex() in image.info["Raw profile type iptc"]
    assert write(tmp_path / "a.webp", some_pixels(), extras=Extras(iptc=records)) == (
        "the IPTC data are left out: WebP holds none",
    )


def test_texts_of_a_png_are_kept_and_our_own_is_replaced(tmp_path):
    text = (
        ("Title", "h\u00e9llo"),
        ("Comment", "\u65e5\u672c"),
        ("Author", "\u65e5" * 2000),
        ("Tintype", "old"),
        ("A", "b" * 2000),
    )
    write(tmp_path / "a.png", some_pixels(), extras=Extras(text=text))
    with Image.open(tmp_path / "a.png") as image:
        kept = {name: value for name, value in image.text.items() if name in dict(text)}
    assert kept == dict(text) | {"Tintype": MARK.to_text()}


def test_damaged_extras_are_left_out_with_a_note(tmp_path):
    extras = Extras(exif=b"nonsense", xmp=b"<a>")
    for suffix in (".png", ".tif", ".jpg", ".webp"):
        exif_note, xmp_note = write(tmp_path / f"a{suffix}", some_pixels(), extras=extras)
        assert exif_note.startswith("the Exif data are left out: ")
        assert xmp_note.startswith("the XMP data are left out: ")
        assert read_provenance(tmp_path / f"a{suffix}") == MARK


def test_what_is_too_large_for_a_jpeg_is_left_out_with_a_note(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[0x927C] = bytes(70_000)
    extras = Extras(exif=exif.tobytes().removeprefix(b"Exif\0\0"), xmp=XMP.replace(b"image/x", b"x" * 70_000))
    assert len(write(tmp_path / "a.jpg", some_pixels(), extras=extras)) == 2
    assert read_provenance(tmp_path / "a.jpg") == MARK
    assert write(tmp_path / "a.png", some_pixels(), extras=extras) == ()


@pytest.mark.parametrize(("density", "dpi"), [(None, None), ((300 / 25.4, 150 / 25.4), (300, 150))])
def test_density_is_kept_and_none_is_made_up(tmp_path, density, dpi):
    extras = Extras(density=density, density_unit="in" if density else "")
    for suffix in (".png", ".tif", ".jpg"):
        write(tmp_path / f"a{suffix}", some_pixels(), extras=extras, mark=None)
        with Image.open(tmp_path / f"a{suffix}") as image:
            if dpi:
                assert image.info["dpi"] == pytest.approx(dpi, abs=0.02)
            elif suffix == ".tif":
                assert 282 not in image.tag_v2
            else:
                assert image.info.get("jfif_unit", 0) == 0
                assert "dpi" not in image.info or suffix == ".jpg"
