"""Using a model needs no torch: importing what uses one never loads it, and commands work without it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.blind_people import KINDS, make_person

import tintype
from tintype.image.file import read_image, write_image
from tintype.recipe import load_recipe

HEAVY = ("torch", "lightning_fabric", "onnx", "onnxscript", "jinja2", "matplotlib", "optuna", "pooch", "tensorboard")
"""What only `tintype[train]` brings."""

ON_TORCH = ("dinov2", "inception", "lpips", "tensors")
"""Modules of the metrics that are imported where their network is asked for."""

ON_GRADIO = (
    "studio_batch",
    "studio_blind",
    "studio_colour",
    "studio_hints",
    "studio_page",
    "studio_runs",
    "studio_scores",
)
"""Modules of the studio that are imported where it is shown; gradio brings jinja2, `tests/server` proves: no torch."""

SOURCE = Path(tintype.__file__).parent
LIGHT = (
    "tintype",
    "tintype.allocation",
    "tintype.arguments",
    "tintype.atomic",
    "tintype.blind_answers",
    "tintype.blind_score",
    "tintype.cli",
    "tintype.command_blind",
    "tintype.command_doctor",
    "tintype.command_inspect",
    "tintype.command_line",
    "tintype.cli_serve",
    "tintype.command_sample",
    "tintype.command_serve",
    "tintype.command_translate",
    "tintype.console",
    "tintype.data.arrays",
    "tintype.data.cache",
    "tintype.data.check",
    "tintype.data.download",
    "tintype.data.idx",
    "tintype.data.public_sets",
    "tintype.data.prepare",
    "tintype.data.source",
    "tintype.data.split",
    "tintype.errors",
    "tintype.evaluation",
    "tintype.sweep.definition",
    "tintype.sweep.points",
    "tintype.judging",
    "tintype.many",
    "tintype.inference.colourings",
    "tintype.inference.classifier",
    *(f"tintype.inference.{name}" for name in ("batch", "bundled", "modelfile", "one", "options", "plan", "runtime")),
    *(f"tintype.inference.{name}" for name in ("hints", "palette", "providers", "sampling", "search")),
    *(f"tintype.inference.{name}" for name in ("stream", "translator", "usage", "worker")),
    *(
        f"tintype.{package}.{file.stem}"
        for package in ("image", "metrics", "recipe", "server")
        for file in sorted((SOURCE / package).glob("*.py"))
        if file.stem not in ("__init__", *ON_TORCH, *ON_GRADIO)
    ),
)

WITHOUT_TORCH = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        if root in {HEAVY}:
            raise ModuleNotFoundError(f"No module named {{root!r}}", name=root)

sys.meta_path.insert(0, Absent())
from tintype.cli import main
main()
"""


def heavy_after_importing(modules) -> list[str]:
    """Which of the heavy libraries a fresh interpreter has loaded after importing modules."""
    program = (
        f"import sys\nfor name in {list(modules)}: __import__(name)\n"
        f"import json; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


def run_without_torch(*arguments) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_importing_what_uses_models_loads_nothing_that_only_training_needs():
    assert heavy_after_importing(LIGHT) == []


def test_the_check_would_find_torch_where_it_is_loaded():
    assert {"torch", "lightning_fabric"} <= set(heavy_after_importing(["tintype.training"]))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The recipe `tiny` with random weights, as an ONNX file."""
    from tintype.inference.onnx import export_onnx
    from tintype.networks import build_generator
    from tintype.training.cards import make_card

    recipe = load_recipe("tiny")
    network = build_generator(recipe).eval()
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    export_onnx(network, make_card(recipe, network, 0), path)
    return path


def test_pictures_are_translated_where_torch_is_not_installed(model, tmp_path):
    (tmp_path / "old").mkdir()
    grey = np.linspace(0, 1, 50 * 70, dtype=np.float32).reshape(50, 70, 1)
    write_image(tmp_path / "old" / "a.png", grey)
    result = run_without_torch("translate", tmp_path / "old", "--model", model, "--out", tmp_path / "new")
    assert result.returncode == 0, result.stderr
    image = read_image(tmp_path / "new" / "a.png")
    assert image.pixels.shape == (50, 70, 3)


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", "MODEL"],
        ["recipe", "show", "tiny"],
        ["data", "check", "bundled:hubble"],
        ["data", "get", "--list"],
    ],
)
def test_commands_that_only_look_work_there_too(arguments, model):
    result = run_without_torch(*(model if word == "MODEL" else word for word in arguments))
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_answers_of_a_human_test_are_scored_there_too(tmp_path):
    (tmp_path / "a.json").write_text(make_person([True] * len(KINDS)).model_dump_json())
    result = run_without_torch("blind", "--score", tmp_path / "a.json")
    assert result.returncode == 0, result.stderr
    assert "fooling rate" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "tiny", "--out", "RUN"],
        ["sweep", "tiny", "training.seed=0,1", "--out", "RUN"],
        ["demo", "--out", "RUN"],
        ["evaluate", "--model", "MODEL", "--data", "bundled:hubble"],
        ["blind", "MODEL", "--data", "bundled:hubble", "--out", "RUN.html"],
        ["report", "RUN", "--out", "RUN/report.html"],
        ["import", "latest_net_G.pth", "--out", "RUN/model.safetensors"],
        ["export", "RUN/model.safetensors", "--out", "RUN/model.onnx"],
        ["data", "get", "facades", "--out", "RUN"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_that_need_more_say_what_to_install_in_one_line(arguments, model, tmp_path):
    words = [word.replace("MODEL", str(model)).replace("RUN", str(tmp_path / "run")) for word in arguments]
    result = run_without_torch(*words)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("tintype: ") and "tintype[train]" in result.stderr
    assert result.stderr.count("\n") == 1
