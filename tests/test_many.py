"""Models that make many results of a picture: results can be had again, spread is judged, intervals are calibrated."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from tests.conftest import make_picture
from tests.inference.conftest import make_card, noisy_card, write_model, write_noisy_model
from torch import nn

from tintype.errors import UsageError
from tintype.image.array_picture import ArrayPicture
from tintype.inference.colourings import colourings, drawn_chroma
from tintype.inference.modelfile import METADATA_KEY, card_to_json
from tintype.inference.network import noise_of
from tintype.inference.torch_runtime import TorchRuntime
from tintype.inference.translation import NOISE_IS_OFF
from tintype.inference.translator import Translator
from tintype.inference.uncertainty import uncertainty
from tintype.many import calibrate, has_spread, judge_spread
from tintype.metrics.spread import Calibration
from tintype.networks import build_generator


class Tinting(nn.Module):
    """Chroma of all pixels from the noise alone: 0.1 times z."""

    def forward(self, x, z):
        return 0.1 * z[:, :, None, None].expand(-1, -1, *x.shape[2:])


@pytest.fixture
def tinting():
    return Translator.from_runtime(TorchRuntime(Tinting()), noisy_card())


def grey(height=16, width=24):
    return np.full((height, width), 0.5, np.float32)


def pairs(count=4):
    for number in range(count):
        target = make_picture(number, 16, 16).astype(np.float32) / 255
        yield SimpleNamespace(name=str(number), source=target.mean(axis=2, keepdims=True), target=target)


def test_each_result_can_be_had_again_by_its_seed(tinting):
    made = colourings(tinting, grey(), 3, seed=5)
    assert len({one.tobytes() for one in made}) == 3
    np.testing.assert_array_equal(made[2], tinting.with_seed(7)(grey()))
    np.testing.assert_array_equal(colourings(tinting, grey(), 1)[0], tinting(grey()))
    np.testing.assert_array_equal(tinting.with_seed(7).network(grey()[..., None])[0, 0], 0.1 * noise_of(7, 2)[0])


def test_noise_is_that_of_the_seed_and_standard_normal():
    drawn = np.concatenate([noise_of(seed, 8) for seed in range(2000)])
    assert drawn.dtype == np.float32
    assert np.abs(drawn.mean(axis=0)).max() < 0.1
    assert np.abs(drawn.std(axis=0) - 1).max() < 0.06
    np.testing.assert_array_equal(noise_of(3, 8), noise_of(3, 8))


def test_a_model_without_noise_has_one_result(fake_lab):
    with pytest.raises(UsageError, match="this model makes one result of a picture"):
        colourings(fake_lab, grey(), 2)
    assert not has_spread(fake_lab)


@pytest.fixture
def fake_lab():
    card = make_card("lab")
    return Translator.from_runtime(TorchRuntime(build_generator(card.recipe)), card)


@pytest.mark.parametrize("count", [0, 10**9])
def test_the_number_of_results_is_bounded(tinting, count):
    with pytest.raises(UsageError, match="ask for 1 to"):
        colourings(tinting, grey(), count)


def with_inference(card, **settings):
    inference = card.recipe.inference.model_copy(update=settings)
    return card.model_copy(update={"recipe": card.recipe.model_copy(update={"inference": inference})})


def test_all_copies_of_a_picture_have_one_noise():
    card = with_inference(noisy_card(), orientations=8)
    translator = Translator.from_runtime(TorchRuntime(Tinting()), card)
    np.testing.assert_allclose(translator.network(grey()[..., None])[3, 4], 0.1 * noise_of(0, 2)[0], rtol=1e-5)


def test_the_temperature_scales_the_noise():
    card = with_inference(noisy_card(), temperature=0.5)
    translator = Translator.from_runtime(TorchRuntime(Tinting()), card)
    np.testing.assert_allclose(translator.network(grey()[..., None])[0, 0], 0.05 * noise_of(0, 2)[0], rtol=1e-5)


def test_how_sure_a_model_is_is_asked_with_the_whole_noise():
    plain, close = (
        Translator.from_runtime(TorchRuntime(Tinting()), with_inference(noisy_card(), temperature=temperature))
        for temperature in (1.0, 0.25)
    )
    maps = [uncertainty(translator, ArrayPicture(grey())) for translator in (plain, close)]
    np.testing.assert_array_equal(*maps)
    drawn = [np.stack(list(drawn_chroma(translator.network, grey()[..., None], 3))) for translator in (plain, close)]
    np.testing.assert_array_equal(*drawn)
    assert np.ptp(drawn[0], axis=0).min() > 0


@pytest.mark.parametrize("noise", ["input", "dropout"])
def test_torch_makes_many_results_of_either_noise(noise):
    card = noisy_card(noise)
    torch.manual_seed(0)
    module = build_generator(card.recipe)
    translator = Translator.from_runtime(TorchRuntime(module), card)
    assert has_spread(translator)
    one, again, other = (translator.with_seed(seed)(grey()) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3
    assert module.training


def test_onnx_has_noise_that_is_an_input_and_says_that_it_lacks_dropout(tmp_path, tinting):
    translator = Translator(write_noisy_model(tmp_path / "input.onnx"))
    assert has_spread(translator)
    np.testing.assert_allclose(translator.with_seed(4)(grey()), tinting.with_seed(4)(grey()), atol=1e-6)
    assert NOISE_IS_OFF not in translator.translate(ArrayPicture(grey())).notes
    model = onnx.load(write_model(tmp_path / "dropout.onnx"))
    onnx.helper.set_model_props(model, {METADATA_KEY: card_to_json(noisy_card("dropout"))})
    onnx.save(model, tmp_path / "dropout.onnx")
    translator = Translator(tmp_path / "dropout.onnx")
    assert not has_spread(translator)
    assert NOISE_IS_OFF in translator.translate(ArrayPicture(grey())).notes


def test_the_mark_of_a_result_holds_its_seed(tmp_path):
    mark = Translator(write_noisy_model(tmp_path / "model.onnx")).with_seed(4).mark()
    assert mark is not None
    assert ("seed", "4") in mark.settings


def test_uncertainty_is_the_spread_over_noise_widened_by_the_calibration():
    made = []
    for factor in (None, 2 * 1.6448536):
        spread = None if factor is None else Calibration(factor=factor, pictures=1, marginal=((0, 1), (0, 1)))
        translator = Translator.from_runtime(TorchRuntime(Tinting()), noisy_card(spread=spread))
        made.append(uncertainty(translator, ArrayPicture(grey()), passes=300))
    assert made[0].mean() == pytest.approx(0.1 * 110 * 2**0.5, rel=0.1)
    # all pixels are alike here, so that what the picture adds to each is as much again
    np.testing.assert_allclose(made[1], 2 * 2**0.5 * np.sqrt(np.mean(made[0] ** 2)), rtol=1e-5)


def test_spread_is_judged_beside_tints_and_the_marginal_interval(tinting):
    calibration = calibrate(tinting, pairs(), (pair.target for pair in pairs()))
    assert calibration is not None
    assert calibration.pictures == 4
    card = tinting.card.model_copy(update={"spread": calibration})
    spread = judge_spread(Translator.from_runtime(tinting.runtime, card), pairs(), samples=4, resamples=50)
    assert spread is not None
    assert (spread.samples, spread.pictures) == (4, 4)
    assert spread.best.mean > spread.single.mean
    assert spread.best_over_single.mean == pytest.approx(spread.best.mean - spread.single.mean)
    assert spread.best_over_tint.mean == pytest.approx(spread.best.mean - spread.best_tint.mean)
    assert spread.mean.mean > spread.single.mean
    assert spread.diversity.mean > 3
    assert spread.coverage is not None and spread.coverage.mean == pytest.approx(0.9, abs=0.01)
    assert spread.marginal_coverage is not None and spread.marginal_coverage.mean == pytest.approx(0.9, abs=0.01)
    assert spread.interval_score is not None and spread.marginal_score is not None
    assert spread.score_over_marginal is not None
    difference = spread.interval_score.mean - spread.marginal_score.mean
    assert spread.score_over_marginal.mean == pytest.approx(difference)


def test_pictures_whose_truth_is_grey_do_not_count(tinting):
    flat = SimpleNamespace(name="flat", source=grey(16, 16)[..., None], target=np.full((16, 16, 3), 0.5, np.float32))
    assert judge_spread(tinting, [flat]) is None
    assert calibrate(tinting, [flat], []) is None
