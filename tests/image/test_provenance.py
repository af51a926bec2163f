"""The mark of provenance: there and back in XMP and FITS, into packets of others, and out of hostile ones."""

from __future__ import annotations

import gzip
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tintype.errors import ImageError
from tintype.image.provenance import Provenance, from_history, from_xmp, read_provenance, upright_xmp

MARK = Provenance(
    tintype="0.1.0",
    model="model <é> & \"quoted\" \\ 'single'.onnx",
    recipe="colour-small",
    recipe_digest="0123456789abcdef",
    model_digest="fedcba9876543210",
    step=4000,
    direction="ab",
    predicted="colour",
    settings=(("strength", "1.0"), ("stretch", "asinh " + "x" * 90)),
)
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
OTHER = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="uuid:1" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"
 tiff:Make="Some Camera"/>
<rdf:Description rdf:about="uuid:1" xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:creator><rdf:Seq><rdf:li>J\xc3\xbcrgen</rdf:li></rdf:Seq></dc:creator></rdf:Description>
</rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""

texts = st.text(st.characters(blacklist_categories=("C", "Z"), whitelist_characters=" "), max_size=150)
marks = st.builds(
    Provenance,
    *(texts,) * 5,
    st.integers(0, 10**9),
    st.sampled_from(["ab", "ba"]),
    st.sampled_from(["colour", "picture"]),
    st.dictionaries(texts, texts, max_size=4).map(lambda settings: tuple(settings.items())),
)


@settings(max_examples=60, deadline=None)
@given(marks)
def test_a_mark_comes_back_from_xmp(mark):
    assert from_xmp(mark.to_xmp()) == mark
    ElementTree.fromstring(mark.to_xmp().decode().replace("\ufeff", ""))


@settings(max_examples=60, deadline=None)
@given(marks)
def test_a_mark_comes_back_from_the_header_of_a_fits_file(mark):
    header = fits.Header()
    header.add_history("flat field of 1 May")
    for line in mark.history_lines():
        assert len(line) <= 68
        assert line.isascii()
        header.add_history(line)
    assert from_history(str(line) for line in header["HISTORY"]) == mark


def test_the_last_mark_of_a_header_counts():
    later = Provenance("2", "b.onnx", "r", "0", "1", 7, "ba", "picture")
    assert from_history([*MARK.history_lines(), "smoothed", *later.history_lines()]) == later


def test_a_packet_of_others_keeps_all_but_its_orientation():
    packet = MARK.to_xmp(OTHER)
    assert from_xmp(packet) == MARK
    ours = packet[packet.rindex(b"<rdf:Description") : packet.index(b"</rdf:RDF>")]
    assert packet.replace(ours, b"") == OTHER.replace(b'Orientation="6"', b'Orientation="1"')
    about = {part.get(f"{RDF}about") for part in ElementTree.fromstring(packet).iter(f"{RDF}Description")}
    assert about == {"uuid:1"}  # parts of one packet speak of one thing


def test_a_second_run_replaces_the_mark():
    later = Provenance("2", "b.onnx", "r", "0", "1", 7, "ba", "picture")
    assert later.to_xmp(MARK.to_xmp(OTHER)) == later.to_xmp(OTHER)


@pytest.mark.parametrize(
    "form",
    [
        b' Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"/>',
        b"><Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
        b"</Iptc4xmpExt:DigitalSourceType></rdf:Description>",
    ],
)
def test_another_source_type_is_replaced(form):
    extra = (
        b'<rdf:Description rdf:about="uuid:1" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"' + form
    )
    packet = MARK.to_xmp(OTHER.replace(b"</rdf:RDF>", extra + b"</rdf:RDF>"))
    assert b"digitalCapture" not in packet
    assert packet.count(b"compositeWithTrainedAlgorithmicMedia") == 1


@pytest.mark.parametrize(
    "packet",
    [
        b"nonsense",
        b"\xff\xfe<\0x\0",
        OTHER[:300],
        b"<a/>",
        OTHER.replace(b"<x:xmpmeta", b'<!DOCTYPE a [<!ENTITY b "cc">]><x:xmpmeta'),
        OTHER.replace(b"Some Camera", b"&unknown;"),
        OTHER + b" " * 2**24,
    ],
    ids=range(7),
)
def test_damaged_and_hostile_packets_are_refused(packet):
    with pytest.raises(ValueError):
        MARK.to_xmp(packet)
    assert from_xmp(packet) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'step="4000"', b'step="many"'), (b"settings='{", b"settings='["), (b"tintype:model=", b"tintype:other=")],
)
def test_a_mark_that_is_not_whole_is_none(old, new):
    packet = MARK.to_xmp()
    assert old in packet
    assert from_xmp(packet.replace(old, new)) is None


def test_settings_nested_without_end_are_no_mark():
    packet = MARK.to_xmp()
    start = packet.index(b"settings='") + 10
    assert from_xmp(packet[:start] + b"[" * 9000 + packet[packet.index(b"'", start) :]) is None


@pytest.mark.parametrize("form", [b'tiff:Orientation="6"', b"tiff:Orientation = '8'"])
def test_orientation_is_reset(form):
    packet = upright_xmp(OTHER.replace(b'tiff:Orientation="6"', form))
    assert ElementTree.fromstring(packet).find(".//*[@{http://ns.adobe.com/tiff/1.0/}Orientation='1']") is not None


def test_the_line_for_the_eye_is_ascii():
    line = MARK.to_text()
    assert line.startswith("Tintype 0.1.0: colour was predicted by ")
    assert line.isascii()
    assert "\n" not in line


@pytest.mark.parametrize("compressed", [False, True])
def test_marks_are_read_from_fits_files(tmp_path, compressed):
    picture = fits.PrimaryHDU(np.zeros((4, 4), np.float32))
    for line in MARK.history_lines():
        picture.header.add_history(line)
    path = tmp_path / "a.fits"
    picture.writeto(path)
    if compressed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert read_provenance(path) == MARK


def test_files_without_a_mark_have_none(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    fits.PrimaryHDU(np.zeros((4, 4), np.float32)).writeto(tmp_path / "a.fits")
    assert read_provenance(tmp_path / "a.png") is read_provenance(tmp_path / "a.fits") is None


@pytest.mark.parametrize("data", [b"nonsense", b"", b"\x1f\x8b\x08\0\0\0\0\0\0\0broken"])
def test_what_is_no_picture_is_an_error_of_one_line(tmp_path, data):
    path = tmp_path / "a"
    path.write_bytes(data)
    for missing in (path, tmp_path / "missing"):
        with pytest.raises(ImageError) as error:
            read_provenance(missing)
        assert str(error.value).startswith(f"{missing}: ")
        assert "\n" not in str(error.value)
