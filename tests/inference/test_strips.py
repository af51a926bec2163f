"""Pictures that are translated strip by strip: the same result as whole, and everything said about it."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000

from tintype.errors import ImageError, UsageError
from tintype.image.array_picture import ArrayPicture, gathered
from tintype.image.codec import on_picture
from tintype.image.color import luminance, rgb_to_lab
from tintype.image.picture import DecodedImage, PictureInfo, Strip
from tintype.image.resize import resize
from tintype.inference.pool import in_order
from tintype.inference.translation import COLOUR_KEPT, COLOUR_REPLACED
from tintype.inference.translator import Sizing, Translator


@pytest.fixture(scope="module")
def translators(make_card, fake_network):
    def make(codec, **options):
        card = make_card(codec, **options)
        return Translator.from_runtime(fake_network(card, {"lab": 2, "gray": 1}.get(codec, 3)), card)

    return make


@pytest.fixture
def low_strips(monkeypatch):
    """Strips of few rows even of small pictures."""
    monkeypatch.setattr("tintype.image.picture.STRIP_PIXELS", 300)


def picture(height, width, channels, seed=0):
    return np.random.default_rng(seed).random((height, width, channels), dtype=np.float32)


@pytest.mark.parametrize("edges", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_coloured_picture_in_strips_equals_the_one_in_memory(translators, monkeypatch, channels, edges):
    translator, image = translators("lab", stride=2), picture(70, 50, channels)
    settings = Sizing(edges=edges)
    whole = translator.translate(ArrayPicture(image), settings=settings).pixels()
    monkeypatch.setattr("tintype.image.picture.STRIP_PIXELS", 350)
    strips = list(translator.translate(ArrayPicture(image), settings=settings).strips())
    assert [strip.top for strip in strips] == list(range(0, 70, 7))
    np.testing.assert_array_equal(gathered(strips, 70), whole)
    if not edges:
        np.testing.assert_array_equal(translator(image), whole)


@pytest.mark.parametrize("codec", ["lab", "rgb", "gray", "grey-to-rgb"])
@pytest.mark.usefixtures("low_strips")
def test_alpha_goes_past_the_network_whatever_the_model(translators, codec):
    alpha = np.random.default_rng(0).random((40, 30), dtype=np.float32)
    translation = translators(codec).translate(ArrayPicture(DecodedImage(picture(40, 30, 1), alpha)))
    strips = list(translation.strips())
    assert len(strips) > 1
    np.testing.assert_array_equal(np.concatenate([strip.alpha for strip in strips]), alpha)
    assert gathered(strips, 40).shape == (40, 30, translation.channels)
    assert translation.keeps_luminance == (codec == "lab")


@pytest.mark.usefixtures("low_strips")
def test_a_translation_can_be_read_twice(translators):
    translation = translators("lab").translate(ArrayPicture(picture(40, 30, 3)))
    np.testing.assert_array_equal(translation.pixels(), translation.pixels())
    assert translation.notes.count(COLOUR_REPLACED) == 1


@pytest.mark.parametrize("codec", ["lab", "grey-to-rgb"])
def test_colour_that_is_replaced_is_noticed_on_the_way(translators, codec):
    coloured = np.full((40, 30, 3), 0.5, np.float32)
    coloured[39, 29] = (0.2, 0.4, 0.6)
    for image, replaced in ((coloured, True), (coloured[..., :1], False), (coloured[:39], False)):
        translation = translators(codec).translate(ArrayPicture(image))
        list(translation.strips())
        assert (COLOUR_REPLACED in translation.notes) == replaced


@pytest.mark.parametrize("codec", ["lab", "grey-to-rgb"])
def test_kept_colour_is_the_picture_as_it_was_and_costs_no_network(translators, codec):
    translator, image = translators(codec), picture(40, 30, 3)
    translation = translator.translate(ArrayPicture(image), keep_colour=True)
    np.testing.assert_array_equal(translation.pixels(), image)
    assert translation.notes == (COLOUR_KEPT,)
    assert not translator.runtime.shapes
    grey = np.repeat(image[..., :1], 3, axis=2)
    assert COLOUR_KEPT not in translator.translate(ArrayPicture(grey), keep_colour=True).notes
    assert translator.runtime.shapes or translator.translate(ArrayPicture(grey), keep_colour=True).pixels().size


def test_keeping_colour_is_refused_where_none_is_made(translators):
    with pytest.raises(UsageError, match="does not colour"):
        translators("rgb").translate(ArrayPicture(picture(8, 8, 3)), keep_colour=True)


def test_pixels_that_lost_chroma_are_counted_and_keep_their_luminance(translators):
    image = np.full((20, 20, 1), 0.5, np.float32)
    image[:5] = 0.95
    translation = translators("lab").translate(ArrayPicture(image), strength=4.0)
    result = translation.pixels()
    (note,) = [note for note in translation.notes if "chroma lowered" in note]
    assert 20 <= float(note.split(" %")[0]) <= 30
    lightness = on_picture(luminance, np.repeat(image, 3, axis=2))
    np.testing.assert_allclose(on_picture(luminance, result), lightness, atol=0.05)


def test_a_limit_that_strips_alone_exceed_is_said(translators):
    translator, image = translators("lab"), ArrayPicture(picture(20, 20, 1))
    (note,) = translator.translate(image, settings=Sizing(memory=1)).notes
    assert "0 MB are allowed" in note
    assert not translator.translate(image, settings=Sizing(memory=10**12)).notes


def test_a_picture_that_breaks_off_ends_in_its_own_error(translators):
    class Broken:
        info = PictureInfo(30, 40, 1)

        def strips(self, rows):
            yield Strip(0, np.zeros((10, 30, 1), np.float32))
            raise ImageError("cut.png: cut short")

        def reduced(self, height, width):
            return np.zeros((height, width, 1), np.float32)

    for codec in ("lab", "rgb"):
        with pytest.raises(ImageError, match="cut short"):
            list(translators(codec).translate(Broken()).strips())


def test_order_is_kept_and_little_is_read_ahead():
    read, done, lock = [], [], threading.Lock()

    def items():
        for i in range(20):
            with lock:
                read.append(i)
            yield i

    def work(i):
        time.sleep(0.002 * (i % 3))
        return i * i

    for result in in_order(work, items(), 2):
        done.append(result)
        assert len(read) <= len(done) + 3
    assert done == [i * i for i in range(20)]


def test_what_work_raises_comes_out_and_nothing_is_left_running():
    def work(i):
        if i == 3:
            raise ValueError("three")
        return i

    before = threading.active_count()
    results = in_order(work, range(10), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    stopped = in_order(work, range(3), 2)
    next(stopped)
    stopped.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("edges", [False, True])
def test_one_picture_in_many_sizes_gets_one_colour(make_card, edges):
    class Curved:
        """Chroma that bends with luminance, so that the order of reducing and predicting matters."""

        name = "curved"

        def __call__(self, x):
            return 0.4 * np.concatenate([np.sin(3 * x), np.cos(2 * x)], axis=1).astype(np.float32)

    translator = Translator.from_runtime(Curved(), make_card("lab", size=64))
    y, x = np.mgrid[0:1:320j, 0:1:2048j]
    largest = (0.5 + 0.3 * np.sin(9 * x + 4 * y * y) + 0.15 * np.sin(700 * x) * y)[..., None].astype(np.float32)
    labs = []
    for width in (256, 512, 1024, 2048):
        image = np.rint(np.clip(resize(largest, width * 320 // 2048, width), 0, 1) * 255).astype(np.uint8)
        result = translator.translate(ArrayPicture(image), settings=Sizing(edges=edges)).pixels()
        labs.append(on_picture(rgb_to_lab, np.clip(resize(result, 40, 256), 0, 1)))
    for lab in labs[1:]:
        same_lightness = np.concatenate([labs[0][..., :1], lab[..., 1:]], axis=2)
        assert deltaE_ciede2000(same_lightness, labs[0]).mean() < 2
