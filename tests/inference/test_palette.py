"""Colours of a reference: what a palette knows of a picture, and how near another one comes to it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from tintype.errors import UsageError
from tintype.image.array_picture import ArrayPicture
from tintype.image.file import open_picture, read_image, write_image
from tintype.inference.options import TranslateOptions, check_options, describe
from tintype.inference.palette import BINS, in_palette, palette_by_luminance, palette_of
from tintype.inference.translator import Translator

RANDOM = np.random.default_rng(0)
LIGHTNESS = RANDOM.uniform(5, 95, (60, 80))


def chroma(mean_at, spread, random=RANDOM):
    """Chroma whose mean is a function of L* and whose spread is a matrix; float32 `h w 2`."""
    drawn = random.standard_normal((*LIGHTNESS.shape, 2)) @ np.asarray(spread)
    return (drawn + np.stack(mean_at(LIGHTNESS), axis=-1)).astype(np.float32)


def test_chroma_takes_mean_and_spread_of_the_reference_at_each_luminance():
    blue_above = chroma(lambda light: (0 * light, 0.3 - 0.006 * light), [[0.05, 0.04], [0.0, 0.09]])
    plain = chroma(lambda light: (0 * light + 0.05, 0.001 * light), [[0.08, 0.0], [0.03, 0.05]])
    wanted = palette_by_luminance(blue_above, LIGHTNESS)
    moved = in_palette(plain, LIGHTNESS, wanted)
    found = palette_by_luminance(moved, LIGHTNESS)
    assert moved.dtype == np.float32 and moved.shape == plain.shape
    inner = slice(1, -1)  # the outermost bins see little, and share it with their neighbours
    assert np.abs(found.means - wanted.means)[inner].max() < 0.03
    assert np.abs(found.covariances - wanted.covariances)[inner].max() < 0.2 * np.abs(wanted.covariances).max()
    dark, bright = (moved[..., 1][part].mean() for part in (LIGHTNESS < 20, LIGHTNESS > 80))
    assert dark > 0.15 and bright < -0.15


def test_a_picture_in_its_own_palette_stays_as_it_is():
    own = chroma(lambda light: (0.002 * light, 0 * light), [[0.08, 0.02], [0.0, 0.05]])
    assert np.abs(in_palette(own, LIGHTNESS, palette_by_luminance(own, LIGHTNESS)) - own).max() < 1e-6


def test_a_nearly_grey_prediction_is_not_blown_up():
    timid = chroma(lambda light: (0 * light, 0 * light), 0.003 * np.eye(2))
    vivid = palette_by_luminance(chroma(lambda light: (0 * light, 0 * light + 0.1), 0.3 * np.eye(2)), LIGHTNESS)
    moved = in_palette(timid, LIGHTNESS, vivid)
    assert np.isfinite(moved).all()
    assert moved.std(axis=(0, 1)).max() < 3.1 * 0.003 + 0.01
    flat = in_palette(np.zeros_like(timid), LIGHTNESS, vivid)
    assert flat[..., 1].mean() == pytest.approx(0.1, abs=0.02)
    assert flat[..., 1].std() < 0.03


def test_a_luminance_that_is_missing_has_the_colours_of_the_whole():
    middle = np.full((40, 40), 50.0)
    colours = (0.1 * RANDOM.standard_normal((40, 40, 2)) + [0.2, -0.1]).astype(np.float32)
    palette = palette_by_luminance(colours, middle)
    assert palette.means.shape == (BINS, 2)
    assert np.allclose(palette.means, colours.reshape(-1, 2).mean(0), atol=1e-6)
    assert np.allclose(palette.covariances, np.cov(colours.reshape(-1, 2).T, bias=True), atol=1e-6)


def test_a_palette_is_that_of_a_picture_however_it_is_given(tmp_path):
    picture = (255 * RANDOM.random((30, 40, 3))).astype(np.uint8)
    write_image(tmp_path / "a b.png", picture)
    palettes = [
        palette_of(one)
        for one in (
            picture,
            read_image(tmp_path / "a b.png"),
            open_picture(tmp_path / "a b.png"),
            ArrayPicture(picture),
        )
    ]
    assert [one.name for one in palettes] == ["picture", "a b.png", "a b.png", "picture"]
    assert all(np.allclose(one.means, palettes[0].means, atol=1e-5) for one in palettes)
    again = pickle.loads(pickle.dumps(palettes[1]))
    assert np.array_equal(again.covariances, palettes[1].covariances) and again.name == "a b.png"


def test_one_pixel_has_a_palette_and_grey_has_none():
    assert np.isfinite(palette_of(np.array([[[200, 10, 30]]], np.uint8)).covariances).all()
    for grey in (np.full((9, 9), 80, np.uint8), np.full((9, 9, 3), 0.5)):
        with pytest.raises(UsageError, match="picture: has no colour to take as a reference"):
            palette_of(grey)


SEPIA = palette_of(
    np.stack([np.linspace(60, 255, 900).reshape(30, 30), *2 * [np.linspace(20, 200, 900).reshape(30, 30)]], -1).astype(
        np.uint8
    )
)


def test_results_have_the_colours_of_the_reference_and_say_so(hinted_model, tmp_path):
    translator, ramp = Translator(hinted_model), np.tile(np.linspace(0.2, 0.8, 48, dtype=np.float32), (32, 1))
    plain, toned = translator(ramp), translator(ramp, reference=SEPIA)
    assert np.ptp(plain, axis=2).max() < 1e-3
    assert (toned[..., 0] - toned[..., 2]).min() > 0.05
    assert np.array_equal(translator.predict(ramp, reference=SEPIA).render(), toned)
    write_image(tmp_path / "ramp.png", ramp[..., None])
    assert ("reference", "picture") in translator(tmp_path / "ramp.png", reference=SEPIA).provenance.settings
    options = TranslateOptions(reference=SEPIA)
    assert ("reference", "picture") in describe(options, translator.card, hinted_model).settings
    check_options(options, translator.card)
    with pytest.raises(UsageError, match="--uncertainty: is that of predicted colours"):
        check_options(options, translator.card, uncertainty=True)


def test_a_model_that_makes_whole_pictures_refuses_a_reference(make_card, fake_network):
    card = make_card("rgb")
    translator = Translator.from_runtime(fake_network(card, 3), card)
    for use in (
        lambda: translator(np.zeros((16, 16, 3), np.uint8), reference=SEPIA),
        lambda: translator.predict(np.zeros((16, 16, 3), np.uint8), reference=SEPIA),
        lambda: check_options(TranslateOptions(reference=SEPIA), card),
    ):
        with pytest.raises(UsageError, match="a reference has no meaning for this model"):
            use()
