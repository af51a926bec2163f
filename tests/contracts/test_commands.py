"""The command line is a promise: its commands, arguments and options change here first."""

from __future__ import annotations

import inspect

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from tintype.cli import app
from tintype.cli_translate import colorize, translate

TRANSLATE = [
    *("INPUTS", "--model", "-m", "--out", "--direction", "--strength", "--keep-colour", "--format"),
    *("--overwrite", "--no-overwrite", "--json", "--workers", "--memory", "--tile", "--edges", "--no-edges"),
    *("--statistics", "--hdu", "--plane", "--stretch", "--flux", "--page", "--other-pages", "--pyramid"),
    *("--uncertainty", "--seed", "--hint", "--hints", "--reference", "--isolate", "--time-limit", "--max-pixels"),
]
SPELLINGS = ("colorize", "colourise", "colourize", "colorise")
COMMANDS = {
    "": ["--version"],
    "demo": ["--out"],
    "train": ["RECIPE", "OVERRIDES", "--out"],
    "sweep": [
        *("RECIPE", "SETTINGS", "--out", "--trials", "--search", "--jobs", "--storage", "--prune", "--no-prune"),
        "--retry-failed",
    ],
    "translate": TRANSLATE,
    **dict.fromkeys(SPELLINGS, TRANSLATE),
    "evaluate": [
        "--model",
        "-m",
        "--baseline",
        "--features",
        "--lpips",
        "--ms-ssim",
        "--no-ms-ssim",
        "--data",
        "--direction",
        "--size",
        "--json",
    ],
    "blind": [
        *("INPUTS", "--model", "-m", "--data", "--out", "--direction", "--size", "--count", "--practice", "--controls"),
        *("--exposure", "--strength", "--seed", "--score", "--json", "--csv"),
    ],
    "sample": ["PICTURE", "--model", "-m", "-n", "--count", "--out", "--seed", "--label"],
    "serve": [
        *("--model", "-m", "--host", "--port", "--token", "--workers", "--queue", "--max-bytes", "--max-pixels"),
        *("--time-limit", "--studio", "--no-studio", "--runs", "--blind-test"),
    ],
    "report": ["RUNS", "--out"],
    "export": ["MODEL", "--out", "--direction", "--int8", "--fp16", "--size", "--calibrate", "--limit"],
    "import": ["SOURCE", "--out", "--net", "--epoch", "--reference-mode"],
    "inspect": ["FILE", "--direction", "--json"],
    "doctor": ["--json"],
    "recipe": [],
    "recipe list": [],
    "recipe show": ["RECIPE", "OVERRIDES", "--summary"],
    "recipe schema": [],
    "data": [],
    "data check": ["FOLDER", "--kind", "--sheet", "--json"],
    "data get": ["NAME", "--out", "--keep", "--list"],
    "data prepare": ["SOURCE", "--out", "--b", "--size", "--crop", "--format", "--validation", "--test"],
}


def walk(command, name=""):
    """Every command and group below one, by the words that call it."""
    yield name, command
    for word, below in getattr(command, "commands", {}).items():
        yield from walk(below, f"{name} {word}".strip())


FOUND = dict(walk(get_command(app)))


def parameters(command):
    names = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            names.append(parameter.name.upper())
        elif "completion" not in parameter.name:
            names += [*parameter.opts, *parameter.secondary_opts]
    return names


def test_the_commands_and_their_options_are_those_that_were_promised():
    assert {name: sorted(parameters(command)) for name, command in FOUND.items()} == {
        name: sorted(options) for name, options in COMMANDS.items()
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself_and_all_it_takes(name):
    command = FOUND[name]
    assert command.help
    assert [parameter.name for parameter in command.params if not parameter.help] == []
    result = CliRunner().invoke(app, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert result.output.startswith("Usage:")


def test_colorize_is_translate_with_a_model_of_its_own():
    ours, theirs = (inspect.signature(one).parameters for one in (colorize, translate))
    assert sorted(ours) == sorted(theirs)
    kinds = {name: [(one[name].default, one[name].annotation) for one in (ours, theirs)] for name in ours}
    assert [name for name, (one, other) in kinds.items() if one != other] == ["model"]


def test_help_lists_one_spelling_of_colorize():
    shown = [name for name in SPELLINGS if not FOUND[name].hidden]
    assert shown == ["colorize"]


@pytest.mark.parametrize("arguments", [["paint"], ["recipe", "lost"], ["translate", "--modle", "x"], ["demo", "extra"]])
def test_wrong_usage_ends_with_code_2(arguments):
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_the_version_is_printed():
    import tintype

    assert CliRunner().invoke(app, ["--version"]).output == f"tintype {tintype.__version__}\n"
