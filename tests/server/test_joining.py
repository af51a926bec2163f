"""Runs that are joined give each caller what a run by itself gives."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from tintype.errors import ModelFileError
from tintype.inference.runtime import OnnxRuntime
from tintype.inference.translator import Translator
from tintype.server.joining import JoiningRuntime


class Recorded:
    """Doubles what it is given; fails on what is negative, where it is not alone as well; notes the sizes of runs."""

    name = "recorded"

    def __init__(self):
        self.sizes, self.lock = [], threading.Lock()

    def run(self, inputs):
        x = inputs["source"]
        with self.lock:
            self.sizes.append(len(x))
        if (x < 0).any():
            raise ModelFileError("negative")
        return [2 * x + inputs.get("noise", np.zeros((len(x), 1)))[:, :1, None, None], x]


def run_together(joining, inputs):
    """Results, or errors, of calls from as many threads at the same time."""
    found = [None] * len(inputs)
    start = threading.Barrier(len(inputs))

    def call(number):
        start.wait()
        try:
            found[number] = joining.run(inputs[number])
        except ModelFileError as error:
            found[number] = error

    threads = [threading.Thread(target=call, args=(number,)) for number in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return found


def pictures(*shapes, start=0):
    return [{"source": np.full((n, 1, h, w), start + number, np.float32)} for number, (n, h, w) in enumerate(shapes)]


def test_calls_of_one_shape_are_one_run_and_each_gets_its_own_part():
    runtime = Recorded()
    joining = JoiningRuntime(runtime, most=8, wait=5, others=lambda: 3)
    inputs = pictures((1, 4, 4), (2, 4, 4), (1, 4, 4), (1, 4, 4))
    for given, (doubled, same) in zip(inputs, run_together(joining, inputs), strict=True):
        np.testing.assert_array_equal(doubled, 2 * given["source"])
        np.testing.assert_array_equal(same, given["source"])
    assert runtime.sizes == [5]


def test_other_shapes_and_other_inputs_are_other_runs():
    runtime = Recorded()
    joining = JoiningRuntime(runtime, most=8, wait=0.2, others=lambda: 3)
    inputs = pictures((1, 4, 4), (1, 4, 8), (1, 4, 4))
    inputs[2]["noise"] = np.ones((1, 2), np.float32)
    for given, (doubled, _) in zip(inputs, run_together(joining, inputs), strict=True):
        np.testing.assert_array_equal(doubled, 2 * given["source"] + (1 if "noise" in given else 0))
    assert runtime.sizes == [1, 1, 1]


def test_no_run_has_more_pictures_than_it_may():
    runtime = Recorded()
    joining = JoiningRuntime(runtime, most=2, wait=0.05, others=lambda: 5)
    run_together(joining, pictures(*[(1, 2, 2)] * 5))
    assert sum(runtime.sizes) == 5 and max(runtime.sizes) == 2


def test_who_is_alone_does_not_wait():
    runtime = Recorded()
    joined = []
    joining = JoiningRuntime(runtime, most=8, wait=100, others=lambda: 0, joined=joined.append)
    joining(np.zeros((1, 1, 2, 2), np.float32))
    assert runtime.sizes == joined == [1]


def test_one_that_fails_does_not_cost_the_others():
    runtime = Recorded()
    joining = JoiningRuntime(runtime, most=8, wait=5, others=lambda: 2)
    found = run_together(joining, pictures((1, 2, 2), (1, 2, 2), (1, 2, 2), start=-1))
    assert isinstance(found[0], ModelFileError)
    np.testing.assert_array_equal(found[1][0], 0)
    np.testing.assert_array_equal(found[2][0], 2)
    assert sorted(runtime.sizes) == [1, 1, 1, 3]


@pytest.mark.parametrize("name", ["plain", "noisy"])
def test_a_model_in_joined_runs_gives_what_it_gives_alone(models, name):
    translator = Translator(models[name])
    assert isinstance(translator.runtime, OnnxRuntime)
    inputs = [
        {kind: np.random.default_rng(seed).standard_normal(shape, dtype=np.float32) for kind, shape in shapes.items()}
        for seed in range(4)
        for shapes in [{"source": (1, 1, 16, 24)} | ({"noise": (1, 2)} if name == "noisy" else {})]
    ]
    joining = JoiningRuntime(translator.runtime, most=8, wait=5, others=lambda: 3)
    for given, (output,) in zip(inputs, run_together(joining, inputs), strict=True):
        np.testing.assert_allclose(output, translator.runtime.run(given)[0], atol=1e-6)
