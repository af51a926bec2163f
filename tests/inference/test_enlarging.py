"""Models that enlarge: sizes, tiles, depth, alpha, profile, Exif and world coordinates of what comes out."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyvips
import torch
from astropy.io import fits
from astropy.wcs import WCS
from tests.image.fits_files import simple, sky, to_bytes, wcs_header
from tests.image.test_exif import make_exif, read
from tests.inference.test_tiling import picture, tiled
from torch import nn

from tintype.errors import ImageError, ModelFileError, UsageError
from tintype.image.array_picture import ArrayPicture
from tintype.image.file import open_picture, read_image, write_image
from tintype.image.picture import DecodedImage, Extras, Writing
from tintype.image.resize import resize
from tintype.inference import tiling
from tintype.inference.memory import Cost
from tintype.inference.network import Network
from tintype.inference.one import Turns, write_translation
from tintype.inference.options import TranslateOptions, check_options
from tintype.inference.torch_runtime import TorchRuntime
from tintype.inference.translation import Tally
from tintype.inference.translator import Sizing, Translator
from tintype.networks import build_generator
from tintype.recipe import load_recipe
from tintype.training.cards import make_card


def make(scale: int = 4, **generator: object) -> Translator:
    """A translator with an enlarging generator of random weights; with two blocks it sees 8 px to each side."""
    torch.manual_seed(0)
    settings = {"filters": 3, "blocks": 2, "upsample": "shuffle", **generator}
    listed = ", ".join(f"{name}: {value}" for name, value in settings.items())
    overrides = [f"codec={{kind: enlarge, scale: {scale}}}", f"generator={{kind: srresnet, {listed}}}", "data.size=48"]
    recipe = load_recipe("tiny", overrides)
    network = build_generator(recipe)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0, 0.1)
    return Translator.from_runtime(TorchRuntime(network), make_card(recipe, network, 1))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (23, 31)])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_size_is_enlarged(size: tuple[int, int], scale: int) -> None:
    made = make(scale)(picture(*size))
    assert made.shape == (scale * size[0], scale * size[1], 3)
    assert made.min() >= 0 and made.max() <= 1


def test_a_grey_picture_stays_grey_and_depth_stays() -> None:
    translator = make()
    grey = (picture(20, 30)[..., :1] * 65535).astype(np.uint16)
    made = translator(grey)
    assert made.shape == (80, 120, 1) and made.dtype == np.uint16
    colour = translator(np.repeat(grey, 3, axis=2)).astype(np.float64)
    np.testing.assert_allclose(made[..., 0], colour @ [0.299, 0.587, 0.114], atol=1)


@pytest.mark.parametrize("options", [{}, {"upsample": "direct"}, {"upsample": "resize", "norm": "batch"}], ids=str)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_tiles_give_what_the_whole_gives(scale: int, options: dict[str, object]) -> None:
    translator, image = make(scale, **options), picture(80, 110)
    result, notes = tiled(translator, image, tile=64)
    np.testing.assert_allclose(result, translator(image), atol=1e-5)
    assert not notes


def test_tiles_of_a_network_that_normalises_over_them_fade_and_have_one_tone() -> None:
    translator, image = make(2, norm="instance"), picture(140, 180)
    result, notes = tiled(translator, image, tile=64, statistics="whole")
    assert notes == ("tiles of 64 px, all normalised as the whole picture is, reduced to that size",)
    assert result.shape == (280, 360, 3)
    assert np.abs(result - translator(image)).mean() < 0.1


def test_when_memory_runs_out_smaller_tiles_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    translator, image = make(), picture(100, 150)
    expected, run = translator(image), Network.__call__

    def short(network: Network, source: np.ndarray, orientations: int | None = None) -> np.ndarray:
        if max(source.shape) > 90:
            raise MemoryError
        return run(network, source, orientations)

    monkeypatch.setattr(Network, "__call__", short)
    result, notes = tiled(translator, image)
    np.testing.assert_allclose(result, expected, atol=1e-5)
    assert "repeated in tiles of 75 px" in notes[0]


def test_what_comes_out_decides_what_fits_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "cost", Cost(0, 16 * 1000))
    monkeypatch.setattr(tiling, "budget", lambda memory: 16 * 1000 * 150 * 150)
    for scale, expected in ((2, 300), (4, 140)):
        translator = make(scale)
        whole = ArrayPicture(np.zeros((300, 300, 3), np.float32))  # 2**20 pixels are exceeded by 16 times as many only
        assert tiling.plan_side(translator.network, whole.info, Sizing(), Tally()) == pytest.approx(expected, abs=5)


@pytest.mark.parametrize("tile", [None, 64])
def test_alpha_is_enlarged_with_the_picture(tile: int | None, tmp_path: Path) -> None:
    translator, alpha = make(), np.random.default_rng(0).random((150, 70), dtype=np.float32)
    image = DecodedImage(picture(150, 70), alpha, bits=16)
    made = translator(image)
    assert made.pixels.shape == (600, 280, 3) and made.alpha is not None and made.bits == 16
    expected = np.clip(resize(alpha[..., None], 600, 280, "cubic")[..., 0], 0, 1)
    np.testing.assert_allclose(made.alpha, expected, atol=1e-6)
    options = TranslateOptions()
    options = replace(options, sizing=replace(options.sizing, tile=tile))
    write_translation(tmp_path / "a.png", ArrayPicture(image), translator, options, Turns(), 0.0)
    written = read_image(tmp_path / "a.png")
    assert written.bits == 16 and written.alpha is not None
    np.testing.assert_allclose(written.alpha, made.alpha, atol=1 / 65535)
    np.testing.assert_allclose(written.pixels, made.pixels, atol=2 / 65535)


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
def test_profile_stays_and_exif_says_the_new_size(suffix: str, tmp_path: Path) -> None:
    profile = bytes(pyvips.Operation.call("profile_load", "p3"))
    extras = Extras(profile=profile, exif=make_exif(thumbnail=False), density=(10, 10), density_unit="cm")
    write_image(tmp_path / f"a{suffix}", DecodedImage(picture(20, 30), bits=8, extras=extras))
    source = open_picture(tmp_path / f"a{suffix}")
    write_translation(tmp_path / f"b{suffix}", source, make(), TranslateOptions(), Turns(), 0.0)
    made = open_picture(tmp_path / f"b{suffix}").info
    assert (made.width, made.height) == (120, 80)
    assert made.extras.profile == profile
    found = read(made.extras.exif)
    assert (found["Exif"][0xA002], found["Exif"][0xA003]) == (120, 80)


@pytest.mark.parametrize(
    "header", [wcs_header(), wcs_header(matrix="PC"), wcs_header(sip=True)], ids=["CD", "PC", "SIP"]
)
def test_the_sky_stays_where_it_was_in_a_fits_file(header: fits.Header, tmp_path: Path) -> None:
    values = sky()
    values[3, 4] = np.nan
    (tmp_path / "a.fits").write_bytes(to_bytes(fits.PrimaryHDU(values, header)))
    source = open_picture(tmp_path / "a.fits")
    write_translation(tmp_path / "b.fits", source, make(2), TranslateOptions(), Turns(), 0.0)
    with fits.open(tmp_path / "b.fits") as made:
        plane = made[0].data  # a grey picture stays grey
        assert plane.shape == (60, 82)
        blank = np.zeros((60, 82), bool)
        blank[6:8, 8:10] = True
        np.testing.assert_array_equal(np.isnan(plane), blank)
        places = np.array([[0.5, 0.5], [10.25, 7.0], [41.5, 30.5]])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # astropy's remarks on keywords of time
            expected = WCS(header).all_pix2world(places, 1)
            found = WCS(made[0].header).all_pix2world((places - 0.5) * 2 + 0.5, 1)
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_what_enlarging_cannot_do_is_refused_in_one_line(tmp_path: Path) -> None:
    translator = make(2)
    with pytest.raises(UsageError, match="--uncertainty has no meaning for this model, which enlarges pictures"):
        check_options(TranslateOptions(), translator.card, uncertainty=True)
    (tmp_path / "a.fits").write_bytes(simple(sky()))
    options = TranslateOptions(writing=Writing(flux=True))
    with pytest.raises(UsageError, match="what is enlarged has display values, no flux"):
        write_translation(tmp_path / "b.fits", open_picture(tmp_path / "a.fits"), translator, options, Turns(), 0.0)
    pages = pyvips.Image.black(10, 20).copy(interpretation="b-w")
    pages.set_type(pyvips.GValue.gint_type, "page-height", 10)
    pages.tiffsave(str(tmp_path / "a.tif"))
    keep = TranslateOptions(writing=Writing(other_pages="keep"))
    with pytest.raises(ImageError, match="pages of different sizes cannot be kept: leave the others out"):
        write_translation(tmp_path / "b.tif", open_picture(tmp_path / "a.tif"), translator, keep, Turns(), 0.0)
    assert not (tmp_path / "b.tif").exists() and not (tmp_path / "b.fits").exists()


def test_a_network_that_does_not_enlarge_as_its_card_says_is_named() -> None:
    translator = make(4)
    other = Translator.from_runtime(make(2).runtime, translator.card)
    with pytest.raises(ModelFileError, match="gave an output of shape"):
        other(picture(10, 10))
