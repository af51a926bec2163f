"""Running with torch: the same numbers as the module, nothing about the module changed, and weights that must fit."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from tintype.errors import ModelFileError
from tintype.inference.modelfile import read_safetensors, write_safetensors
from tintype.inference.runtime import open_runtime
from tintype.inference.torch_runtime import TorchRuntime
from tintype.inference.translator import Translator
from tintype.networks import build_generator


@pytest.fixture
def generator(make_card):
    torch.manual_seed(0)
    return build_generator(make_card().recipe)


def state_of(module):
    return {name: value.detach().numpy() for name, value in module.state_dict().items()}


def test_it_runs_in_evaluation_mode_and_leaves_every_mode_as_it_was():
    frozen = nn.BatchNorm2d(1).eval()
    module = nn.Sequential(nn.Dropout(0.9), frozen)
    x = np.ones((1, 1, 4, 4), np.float32)
    np.testing.assert_allclose(TorchRuntime(module)(x), x, rtol=1e-4)
    assert module.training
    assert module[0].training
    assert not frozen.training
    assert frozen.num_batches_tracked == 0


def test_threads_that_share_a_module_do_not_change_it_for_each_other():
    class Slow(nn.Module):
        def forward(self, x):
            time.sleep(0.005)
            return x

    module = nn.Sequential(Slow(), nn.Dropout(0.5), Slow())
    plain, drawn = TorchRuntime(module), TorchRuntime(module).drawing(3)
    x = np.ones((1, 1, 8, 8), np.float32)
    alone = drawn(x)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda number: (drawn if number % 2 else plain)(x), range(24)))
    for number, result in enumerate(results):
        np.testing.assert_array_equal(result, alone if number % 2 else x)


def test_weights_written_and_read_give_the_same_numbers(make_card, generator, tmp_path):
    card = make_card()
    path = tmp_path / "model.safetensors"
    write_safetensors(path, state_of(generator), card)
    runtime, read = open_runtime(path)
    assert read == card
    x = np.random.default_rng(0).uniform(-1, 1, (2, 1, 16, 24)).astype(np.float32)
    np.testing.assert_array_equal(runtime(x), TorchRuntime(generator)(x))
    assert Translator(path)(np.zeros((5, 7), np.uint8)).shape == (5, 7, 3)


def broken(state):
    first = next(iter(state))
    yield {name: value for name, value in state.items() if name != first}
    yield state | {"more": np.zeros(3, np.float32)}
    yield state | {first: state[first][:1]}
    yield {}


def test_weights_that_do_not_fit_the_recipe_are_refused_in_one_line(make_card, generator, tmp_path):
    path = tmp_path / "model.safetensors"
    for state in broken(state_of(generator)):
        write_safetensors(path, state, make_card())
        with pytest.raises(ModelFileError, match="do not fit its recipe") as error:
            open_runtime(path)
        assert "\n" not in str(error.value)


def test_weights_of_half_precision_run_in_single(make_card, generator, tmp_path):
    path = tmp_path / "model.safetensors"
    write_safetensors(path, state_of(generator.half()), make_card())
    assert read_safetensors(path)[0]["down.0.1.weight"].dtype == np.float16
    runtime, _ = open_runtime(path)
    assert runtime(np.zeros((1, 1, 8, 8), np.float32)).dtype == np.float32
