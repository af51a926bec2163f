"""Maps of uncertainty: none where all answers agree, the spread where they do not, and a picture that shows it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tintype.errors import UsageError
from tintype.image.array_picture import ArrayPicture
from tintype.image.color import rgb_to_lab
from tintype.inference.torch_runtime import TorchRuntime
from tintype.inference.translator import Translator
from tintype.inference.uncertainty import draw_uncertainty, uncertainty


def picture(height=40, width=56):
    return ArrayPicture(np.random.default_rng(0).random((height, width, 1), dtype=np.float32))


class Dropping(nn.Module):
    """Chroma 0.2 in both channels, or 0.4 and 0 where dropout strikes."""

    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return 0.2 * self.drop(torch.ones(x.shape[0], 2, *x.shape[2:]))


def test_dropout_spreads_answers_by_what_it_draws(make_card):
    translator = Translator.from_runtime(TorchRuntime(Dropping()), make_card("lab"))
    spread = uncertainty(translator, picture(), passes=200)
    assert spread.shape == (16, 22)
    expected = np.hypot(0.2, 0.2) * 110  # a fair draw between 0 and 0.4 deviates by 0.2
    np.testing.assert_allclose(spread.mean(), expected, rtol=0.03)
    np.testing.assert_allclose(uncertainty(translator, picture(), passes=200, strength=0.5), spread / 2, rtol=1e-4)


def test_the_seed_decides_and_leaves_the_generators_of_others_alone(make_card):
    module = Dropping()
    translator = Translator.from_runtime(TorchRuntime(module), make_card("lab"))
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, again, other = (uncertainty(translator, picture(), passes=3, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert module.training
    assert translator(np.zeros((8, 8), np.uint8)).shape == (8, 8, 3)


def test_a_network_that_answers_alike_from_all_sides_is_certain(make_card, fake_network):
    card = make_card("lab", stride=2)
    translator = Translator.from_runtime(fake_network(card, 2), card)
    spread = uncertainty(translator, picture())
    assert spread.shape == (8, 11)
    assert spread.max() < 1e-3


def test_without_dropout_the_orientation_is_what_answers_depend_on(make_card):
    class Leaning:
        name = "leaning"

        def __call__(self, x):
            return np.broadcast_to(np.linspace(0, 0.5, x.shape[3], dtype=np.float32), (1, 2, *x.shape[2:]))

    spread = uncertainty(Translator.from_runtime(Leaning(), make_card("lab")), picture())
    assert spread[0, 0] > 5 * max(spread[8, 11], 0.01)


def test_models_of_whole_pictures_spread_in_the_colour_of_their_results(make_card):
    class Leaning:
        name = "leaning"

        def __call__(self, x):
            made = np.zeros((1, 3, *x.shape[2:]), np.float32)
            made[:, 0] = np.linspace(-0.5, 0.5, x.shape[3])
            return made

    spread = uncertainty(Translator.from_runtime(Leaning(), make_card("rgb")), picture())
    assert spread[0, 0] > 5 * spread[8, 11]


def test_what_cannot_be_uncertain_is_refused(make_card, fake_network):
    grey = make_card("gray")
    with pytest.raises(UsageError, match="grey pictures"):
        uncertainty(Translator.from_runtime(fake_network(grey, 1), grey), picture())
    colour = make_card("lab")
    with pytest.raises(UsageError, match="at least 2"):
        uncertainty(Translator.from_runtime(fake_network(colour, 2), colour), picture(), passes=1)


@pytest.mark.parametrize("size", [(300, 400), (20, 30), (30, 200)])
def test_the_picture_holds_the_map_beside_a_bar_that_brightens_evenly(size):
    spread = np.linspace(0, 8, 12 * 16, dtype=np.float32).reshape(12, 16)
    drawn = draw_uncertainty(spread, *size)
    assert drawn.dtype == np.uint8
    assert drawn.shape[0] >= max(size[0], 120)
    assert drawn.shape[1] > size[1] + 30
    shown = rgb_to_lab(np.moveaxis(drawn[: size[0], : size[1]] / 255, -1, 0))[0]
    assert shown[0, 0] < 15
    assert shown[-1, -1] > 75
    bar_x = size[1] + max(10, min(40, round(max(size) / 40))) + 3
    column = rgb_to_lab(np.moveaxis(drawn[:, bar_x : bar_x + 1] / 255, -1, 0))[0, :, 0]
    bar = column[np.flatnonzero(column < 97.6)]
    assert np.abs(np.diff(bar[5:-5])).max() < 3
