"""What ONNX Runtime computes with: the CPU, or an accelerator where the installed package and the machine have one.

ONNX Runtime calls these execution providers. Which ones there are depends on the package that is installed:
onnxruntime, onnxruntime-gpu, onnxruntime-directml, onnxruntime-openvino.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tintype.errors import UsageError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

VARIABLE = "TINTYPE_PROVIDER"
"""Environment variable that names the provider to take."""

PROVIDERS = {
    "cuda": ("CUDAExecutionProvider", "CUDA"),
    "coreml": ("CoreMLExecutionProvider", "CoreML"),
    "directml": ("DmlExecutionProvider", "DirectML"),
    "openvino": ("OpenVINOExecutionProvider", "OpenVINO"),
    "cpu": ("CPUExecutionProvider", "CPU"),
}
"""What ONNX Runtime calls each provider, and what it is called for people; in the order in which they are tried."""


def available_providers() -> tuple[str, ...]:
    """Those of `PROVIDERS` that the installed ONNX Runtime was built with, in order."""
    import onnxruntime

    found = set(onnxruntime.get_available_providers())
    return tuple(name for name, (theirs, _) in PROVIDERS.items() if theirs in found)


def wanted_providers(given: str | None = None) -> tuple[str, ...]:
    """The providers to try, the CPU last.

    Args:
        given: The one to take; default: that of the environment variable TINTYPE_PROVIDER, or else all there are.

    Raises:
        UsageError: There is no such provider, or the installed ONNX Runtime lacks it.
    """
    available = available_providers()
    named = given or os.environ.get(VARIABLE)
    if not named:
        return available
    where = "provider" if given else VARIABLE
    if named not in PROVIDERS:
        raise UsageError(f"{where} {named}: choose one of {', '.join(PROVIDERS)}")
    if named not in available:
        raise UsageError(
            f"{where} {named}: the installed ONNX Runtime has {', '.join(available)} only; install its package with "
            f"{PROVIDERS[named][1]}, or leave it out"
        )
    return tuple(dict.fromkeys((named, "cpu")))


def start_session(
    path: Path, options: SessionOptions, providers: Sequence[str]
) -> tuple[InferenceSession, str, tuple[str, ...]]:
    """Open a model with the first provider that starts.

    Args:
        path: The model.
        options: Of the session.
        providers: Names from `PROVIDERS`, the CPU last; its errors are those of the file and come through.

    Returns:
        The session, the name of its provider, and sentences on those that did not start.
    """
    import onnxruntime

    notes: list[str] = []
    for name in providers:
        theirs, title = PROVIDERS[name]
        options.enable_mem_pattern = name != "directml"  # which has no such memory
        wanted = [theirs] if name == "cpu" else [theirs, PROVIDERS["cpu"][0]]
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=wanted)
        except Exception as error:  # ONNX Runtime's errors share no base but Exception
            if name == "cpu":
                raise
            reason = str(error).strip().partition("\n")[0][:200]
        else:
            # With libraries missing it goes on without the provider, and only prints so.
            if session.get_providers()[0] == theirs:
                return session, name, tuple(notes)
            reason = "its libraries or its device are missing"
        notes.append(f"{title} did not start ({reason}); another provider was used")
    raise AssertionError("the CPU is always there")
