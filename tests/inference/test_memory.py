"""What work costs in memory is seen, and what there is is known."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tintype.errors import ModelFileError
from tintype.inference import memory


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
def test_the_cost_of_work_is_what_it_holds_at_its_peak():
    # in a process of its own: one in which something was trained keeps freed memory, in which work then hides
    code = (
        "import numpy as np\n"
        "from tintype.inference.memory import measure_cost\n"
        "cost = measure_cost(lambda side: np.ones(side * side * 100, np.float32).sum(), 256, assumed=1)\n"
        "print(cost.per_pixel, cost.of(512**2))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    per_pixel, whole = map(float, said.split())
    assert 400 <= per_pixel <= 400 * 2
    assert 400 * 512**2 <= whole <= 400 * 512**2 * 2.2


def test_where_the_peak_is_not_told_the_cost_is_assumed(monkeypatch):
    monkeypatch.setattr(memory, "_peak_growth", lambda work: None)
    assert memory.measure_cost(lambda side: None, 64, assumed=4096).of(100) == 409_600


def test_work_that_hides_its_memory_is_not_taken_for_free(monkeypatch):
    monkeypatch.setattr(memory, "_peak_growth", lambda work: 0)
    assert memory.measure_cost(lambda side: None, 64, assumed=4096).per_pixel >= 1024


def test_a_limit_counts_what_the_process_holds_already(monkeypatch):
    monkeypatch.setattr(memory, "resident", lambda: 300)
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    assert memory.budget(1000) == 500
    assert 0 < memory.budget(None) < 1000


def test_this_process_holds_memory_and_the_system_has_some():
    assert memory.free_memory() > 2**20
    if sys.platform == "linux":
        assert memory.resident() > 2**20


def test_a_lack_of_memory_is_known_by_its_cause():
    outer = ModelFileError("x.onnx: the network failed")
    outer.__cause__ = RuntimeError("Failed to allocate memory for requested buffer of size 9")
    assert memory.is_out_of_memory(outer)
    assert not memory.is_out_of_memory(ModelFileError("x.onnx: the network failed"))


@pytest.mark.parametrize(("size", "words"), [(1.5e9, "1.5 GB"), (2_000_000, "2 MB"), (-5, "0 MB")])
def test_sizes_in_words(size, words):
    assert memory.in_words(size) == words
