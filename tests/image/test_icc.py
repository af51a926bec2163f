"""RGB profiles in numbers: against the engine that Pillow has, and there and back."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

from tintype.image.color import linear_to_srgb, srgb_to_linear
from tintype.image.icc import parse_profile

WHITE = (63190, 65536, 54061)  # D50
ADOBE = ((0.60974, 0.20528, 0.14919), (0.31111, 0.62567, 0.06322), (0.01947, 0.06087, 0.74457))


def make_profile(primaries, curve, space="RGB "):
    """An ICC profile of version 4 with these primaries (of D50, in columns) and one curve for all channels."""
    xyz = [struct.pack(">4s4x3i", b"XYZ ", *column) for column in np.rint(np.transpose(primaries) * 65536).astype(int)]
    text = b"mluc" + struct.pack(">4xII2s2sII", 1, 12, b"en", b"US", 8, 28) + "Test".encode("utf-16-be")
    tags = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), xyz, strict=True))
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC") if space == "RGB " else (b"kTRC",), curve)
    tags |= {b"wtpt": struct.pack(">4s4x3i", b"XYZ ", *WHITE), b"desc": text, b"cprt": text}
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data.ljust(-(-len(data) // 4) * 4, b"\0")
    head = struct.pack(">8xI12s12x4s28x3i48x", 0x04300000, b"mntr%bXYZ " % space.encode(), b"acsp", *WHITE)
    return struct.pack(">I", start + len(body)) + head[4:] + struct.pack(">I", len(tags)) + table + body


def gamma(value):
    return struct.pack(">4s4xIH2x", b"curv", 1, round(value * 256))


def table_curve(values):
    return struct.pack(">4s4xI", b"curv", len(values)) + np.rint(np.multiply(values, 65535)).astype(">u2").tobytes()


def para(kind, *parameters):
    return struct.pack(f">4s4xH2x{len(parameters)}i", b"para", kind, *(round(p * 65536) for p in parameters))


SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
PROFILES = {
    "p3": bytes(pyvips.Operation.call("profile_load", "p3")),
    "gamma": make_profile(ADOBE, gamma(2.2)),
    "linear": make_profile(ADOBE, struct.pack(">4s4xI", b"curv", 0)),
    "table": make_profile(ADOBE, table_curve(np.linspace(0, 1, 1024) ** 1.8)),
    "para0": make_profile(ADOBE, para(0, 1.8)),
    "para3": make_profile(ADOBE, para(3, *SRGB_CURVE)),
    "para4": make_profile(ADOBE, para(4, *SRGB_CURVE, 0, 0)),
}


@pytest.mark.parametrize("name", PROFILES)
def test_colours_equal_those_of_littlecms(name):
    colours = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    theirs = ImageCms.ImageCmsProfile(io.BytesIO(PROFILES[name]))
    srgb = ImageCms.createProfile("sRGB")
    profile = parse_profile(PROFILES[name], 3)
    for mine, start, end in ((profile.from_srgb, srgb, theirs), (profile.to_srgb, theirs, srgb)):
        expected = np.asarray(ImageCms.profileToProfile(Image.fromarray(colours), start, end))
        inside = ((expected > 0) & (expected < 255)).all(axis=-1)  # it clips
        assert np.abs(mine(colours / np.float32(255)) * 255 - expected)[inside].max() < 1.6  # it rounds, on a grid


@pytest.mark.parametrize("name", ["p3", "linear"])
def test_colours_that_srgb_lacks_lose_chroma_and_keep_their_lightness(name):
    pixels = np.random.default_rng(0).random((60, 60, 3), dtype=np.float32)
    profile = parse_profile(PROFILES[name], 3)
    curve = np.linspace(0, 1, profile.curves.shape[1])
    linear = np.interp(pixels, curve, profile.curves[0]) @ profile.to_srgb_matrix.T
    assert 0.1 < ((linear < 0) | (linear > 1)).any(axis=-1).mean() < 0.9
    weights = (0.212671, 0.715160, 0.072169)
    converted = srgb_to_linear(profile.to_srgb(pixels).astype(np.float64))
    before, after = linear_to_srgb(linear @ weights), linear_to_srgb(converted @ weights)
    assert np.abs(before - after).max() * 65535 < 0.5


def test_a_grey_profile_means_exactly_its_curve():
    grey = np.linspace(0, 1, 5000, dtype=np.float32)[:, None]
    profile = parse_profile(make_profile(ADOBE, gamma(1.8), "GRAY"), 1)
    exponent = round(1.8 * 256) / 256
    there = profile.to_srgb(grey)
    np.testing.assert_allclose(there, linear_to_srgb(grey.astype(np.float64) ** exponent), atol=0.5 / 65535)
    np.testing.assert_allclose(profile.from_srgb(there), grey, atol=0.5 / 65535)


@pytest.mark.parametrize("name", PROFILES)
def test_grey_stays_grey_and_comes_back_to_a_fraction_of_a_level_of_16_bits(name):
    grey = np.repeat(np.linspace(0, 1, 5000, dtype=np.float32)[:, None], 3, axis=1)
    profile = parse_profile(PROFILES[name], 3)
    there = profile.from_srgb(grey)
    np.testing.assert_array_equal(there.min(axis=1), there.max(axis=1))
    assert np.abs(profile.to_srgb(there) - grey).max() * 65535 < 0.2


@pytest.mark.parametrize(
    "profile",
    [
        b"",
        b"nonsense" * 40,
        PROFILES["p3"][:200],
        make_profile(ADOBE, b"text\0\0\0\0"),
        make_profile(ADOBE, table_curve([0, 1, 0.5, 1])),
        make_profile(ADOBE, para(9)),
        make_profile(np.zeros((3, 3)), gamma(2.2)),
        make_profile(np.ones((3, 3)), gamma(2.2)),
        PROFILES["p3"].replace(b"RGB XYZ ", b"GRAYXYZ "),
    ],
    ids=range(9),
)
def test_other_and_damaged_profiles_are_passed_over(profile):
    assert parse_profile(profile, 3) is None
