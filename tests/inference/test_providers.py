"""The first provider that starts runs a model, which one is said, and without accelerators it is the CPU as ever."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from tintype.errors import ModelFileError, UsageError
from tintype.inference.providers import available_providers, wanted_providers
from tintype.inference.runtime import OnnxRuntime, open_runtime
from tintype.inference.translator import Translator

HONEST = onnxruntime.InferenceSession


@pytest.fixture(autouse=True)
def no_wish(monkeypatch):
    monkeypatch.delenv("TINTYPE_PROVIDER", raising=False)


@pytest.fixture
def machine(monkeypatch):
    """A machine with accelerators: `start` says of each provider whether it starts, fails or quietly gives way."""
    asked = []

    def make(**start):
        names = {
            "cuda": "CUDAExecutionProvider",
            "coreml": "CoreMLExecutionProvider",
            "directml": "DmlExecutionProvider",
        }
        here = ["AzureExecutionProvider", "CPUExecutionProvider", *(names[name] for name in reversed(start))]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: here)
        states = {names[name]: state for name, state in start.items()}

        def session(path, options, providers):
            asked.append((providers, options.enable_mem_pattern))
            if states.get(providers[0]) == "fails":
                raise RuntimeError("no driver\nand a long story")
            made = HONEST(path, options, providers=["CPUExecutionProvider"])
            if states.get(providers[0]) == "starts":
                made.get_providers = lambda: providers
            return made

        monkeypatch.setattr(onnxruntime, "InferenceSession", session)
        return asked

    return make


def test_without_accelerators_it_is_the_cpu_with_the_threads_that_are_given(machine, onnx_model):
    asked = machine()
    runtime = OnnxRuntime(onnx_model, 3)
    assert (runtime.name, runtime.notes) == ("ONNX Runtime (CPU)", ())
    assert asked == [(["CPUExecutionProvider"], True)]
    assert runtime._session.get_session_options().intra_op_num_threads == 3


def test_an_accelerator_that_starts_is_taken_and_named(machine, onnx_model):
    asked = machine(cuda="starts", directml="starts")
    translator = Translator(onnx_model)
    assert translator.runtime.name == "ONNX Runtime (CUDA)"
    assert asked == [(["CUDAExecutionProvider", "CPUExecutionProvider"], True)]
    assert translator.predict(np.zeros((9, 9), np.uint8)).translation().notes == ()


def test_one_that_does_not_start_gives_way_with_a_note(machine, onnx_model):
    machine(cuda="fails", coreml="gives way")
    translator = Translator(onnx_model)
    assert translator.runtime.name == "ONNX Runtime (CPU)"
    assert translator.predict(np.zeros((9, 9), np.uint8)).translation().notes == (
        "CUDA did not start (no driver); another provider was used",
        "CoreML did not start (its libraries or its device are missing); another provider was used",
    )


def test_the_next_accelerator_is_tried_before_the_cpu(machine, onnx_model):
    asked = machine(cuda="fails", directml="starts")
    assert OnnxRuntime(onnx_model).name == "ONNX Runtime (DirectML)"
    assert asked[-1] == (["DmlExecutionProvider", "CPUExecutionProvider"], False)


def test_one_can_be_forced_by_argument_and_by_environment(machine, onnx_model, monkeypatch):
    machine(cuda="starts", directml="starts")
    monkeypatch.setenv("TINTYPE_PROVIDER", "directml")
    assert Translator(onnx_model).runtime.name == "ONNX Runtime (DirectML)"
    assert Translator(onnx_model, provider="cpu").runtime.name == "ONNX Runtime (CPU)"


def test_what_is_not_there_is_refused_in_one_line(machine, onnx_model, monkeypatch, tmp_path):
    machine(cuda="starts")
    assert available_providers() == ("cuda", "cpu") == wanted_providers()
    with pytest.raises(UsageError, match=r"^provider gpu: choose one of cuda, coreml, directml, openvino, cpu$"):
        Translator(onnx_model, provider="gpu")
    monkeypatch.setenv("TINTYPE_PROVIDER", "openvino")
    with pytest.raises(UsageError, match=r"^TINTYPE_PROVIDER openvino: the installed ONNX Runtime has cuda, cpu only"):
        OnnxRuntime(onnx_model)
    with pytest.raises(UsageError, match=r"is of ONNX Runtime, and .* is run by torch"):
        open_runtime(tmp_path / "model.safetensors", provider="cpu")


def test_a_damaged_file_is_no_matter_of_providers(machine, tmp_path):
    machine(cuda="gives way")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ModelFileError, match="is damaged or no model file"):
        OnnxRuntime(tmp_path / "model.onnx")
