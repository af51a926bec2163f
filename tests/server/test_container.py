"""The container file holds together with the repository; `benchmarks/container_steps.py` carries out its steps."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from tintype.cli import app

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def steps():
    """Instruction and argument of each step."""
    lines = [line for line in (ROOT / "Containerfile").read_text().splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def last(steps, instruction):
    return [argument for name, argument in steps if name == instruction][-1]


def test_what_is_copied_is_there(steps):
    copied = [argument.split()[:-1] for name, argument in steps if name == "COPY" and not argument.startswith("--from")]
    assert {"pyproject.toml", "src"} <= {name for names in copied for name in names}
    assert all((ROOT / name).exists() for names in copied for name in names)


def test_the_extras_that_are_installed_exist_and_bring_no_torch(steps):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = re.findall(r"\[(\w+)\]", " ".join(argument for name, argument in steps if name == "RUN"))
    assert set(asked) == {"serve"} <= set(extras)
    assert not any("torch" in one for one in extras["serve"])


def test_its_command_is_one_that_the_command_line_takes(steps):
    words = json.loads(last(steps, "ENTRYPOINT")) + json.loads(last(steps, "CMD"))
    assert words[:2] == ["tintype", "serve"]
    context = get_command(app).commands["serve"].make_context("serve", words[2:])
    assert (context.params["host"], context.params["models"]) == ("0.0.0.0", ())
    assert str(context.params["port"]) == last(steps, "EXPOSE")
    assert context.params["token"] is None  # which the server refuses at this address: it must come from outside


def test_it_does_not_run_as_root_and_installs_before_that(steps):
    names = [name for name, _ in steps]
    assert last(steps, "USER") not in ("root", "0")
    assert names.index("USER") > max(index for index, name in enumerate(names) if name == "RUN")


def test_its_health_is_asked_by_a_program_that_compiles(steps):
    words = json.loads(last(steps, "HEALTHCHECK").partition(" CMD ")[2])
    assert words[:2] == ["python", "-c"]
    compile(words[2], "healthcheck", "exec")
    assert f"127.0.0.1:{last(steps, 'EXPOSE')}/healthz" in words[2]


def test_nothing_secret_is_in_it(steps):
    assert not any(name in ("ENV", "ARG") for name, _ in steps)
