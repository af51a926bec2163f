"""The documentation is true to the code: links lead somewhere, commands exist, references are current, examples run."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.inference.conftest import write_model
from typer.main import get_command

from tintype.cli import app
from tintype.image.file import read_image, write_image
from tintype.recipe import load_recipe, preset_names
from tintype.sweep.definition import read_definition
from tintype.sweep.points import grid_points

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
by_name = {"ids": lambda path: path.relative_to(ROOT).as_posix()}


def commands_in(text):
    """The lines of code blocks that call `tintype`, as words after it."""
    blocks = re.findall(r"^```(?:sh|bash|console)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("tintype ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


def check_command(words):
    """Parse a command as typer would, and its recipe with its changes; raises where anything in it does not exist."""
    command = get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    if hasattr(command, "commands") and words and not words[0].startswith("-"):
        raise ValueError(f"no command {words[0]}")
    context = command.make_context("tintype", list(words))
    recipe = context.params.get("recipe")
    if recipe and "settings" in context.params and (recipe in preset_names() or (ROOT / recipe).is_file()):
        definition = read_definition(str(ROOT / recipe) if "/" in recipe else recipe, context.params["settings"] or [])
        assert definition.space or grid_points(definition)
    elif recipe and not recipe.endswith((".yaml", ".yml")):
        load_recipe(recipe, context.params["overrides"] or [])


@pytest.mark.parametrize("page", PAGES, **by_name)
def test_every_relative_link_of_a_page_leads_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    files = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:", target)]
    assert [file for file in files if file and not (page.parent / file).exists()] == []


@pytest.mark.parametrize("page", PAGES, **by_name)
def test_every_command_of_a_page_can_be_typed(page):
    for words in commands_in(page.read_text(encoding="utf-8")):
        check_command(words)


def test_the_readme_shows_commands_and_every_built_in_recipe():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(commands_in(text)) >= 3
    assert [name for name in preset_names() if f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    "line",
    [
        "paint x",
        "train hubble",
        "train tiny data.pth=x",
        "translate old --model m --into new",
        "recipe show tiny training.steps=many",
    ],
)
def test_a_command_that_does_not_exist_would_be_noticed(line):
    (words,) = commands_in(f"```\ntintype {line}  # as a page would have it\n```\n")
    with pytest.raises(Exception, match=r".") as caught:
        check_command(words)
    assert not isinstance(caught.value, AttributeError | KeyError | TypeError)


def test_the_reference_pages_are_what_their_script_writes():
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for name, text in (("recipes.md", script.recipes_page()), ("commands.md", script.commands_page())):
        current = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert current == text, f"docs/{name} is out of date: run python docs/make_reference.py"


def test_the_credits_name_every_bundled_picture():
    folder = ROOT / "src" / "tintype" / "data" / "bundled" / "hubble"
    credits = (folder / "CREDITS.txt").read_text(encoding="utf-8")
    ids = [path.stem.removesuffix("_256") for path in sorted(folder.glob("*.jpg"))]
    assert credits.partition("picture's id:")[2].split() == ids
    assert "CC BY 4.0" in credits and "ESA/Hubble" in credits
    assert "ESA/Hubble" in (ROOT / "NOTICE").read_text(encoding="utf-8")


# --- examples --------------------------------------------------------------------------------------------------------


def run_example(name, *arguments):
    return subprocess.run(
        [sys.executable, ROOT / "examples" / name, *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What the first example leaves behind after two steps of the smallest recipe."""
    root = tmp_path_factory.mktemp("example")
    old = root / "old"
    old.mkdir()
    write_image(old / "picture.tif", np.linspace(0, 1, 60 * 40, dtype=np.float32).reshape(60, 40, 1), bits=16)
    (old / "notes.txt").write_text("no picture")
    result = run_example(
        "train_and_translate.py", "tiny", old, "--run", root / "run", "--out", root / "new", "training.steps=2"
    )
    return root, result


def test_the_first_example_trains_and_translates(trained):
    root, result = trained
    assert result.returncode == 0, result.stderr
    assert "picture.tif: 40 x 60 pixels, 16 bits" in result.stdout
    assert read_image(root / "new" / "picture.png").pixels.shape == (60, 40, 3)
    assert (root / "run" / "report.html").is_file()


def test_the_second_example_shows_strengths_side_by_side(trained):
    root, _ = trained
    out = root / "strengths.png"
    result = run_example("strengths.py", root / "old" / "picture.tif", "--model", root / "run", "--out", out)
    assert result.returncode == 0, result.stderr
    assert read_image(out).pixels.shape == (60, 160, 3)


def test_the_third_example_says_whether_the_model_beats_doing_nothing(trained):
    root, _ = trained
    result = run_example("beats_doing_nothing.py", root / "run")
    assert "grey copy" in result.stdout, result.stderr
    assert result.returncode == 1  # after two steps it does not


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "small.onnx")


def test_the_fourth_example_colours_a_folder_past_what_is_no_picture(small_model, tmp_path):
    (tmp_path / "old").mkdir()
    for name, height in (("a.png", 30), ("b.tif", 20)):
        write_image(tmp_path / "old" / name, np.full((height, 40, 1), 0.5, np.float32), bits=16)
    (tmp_path / "old" / "notes.txt").write_text("no picture")
    result = run_example("colourise_folder.py", tmp_path / "old", "--out", tmp_path / "new", "--model", small_model)
    assert result.returncode == 1
    assert result.stdout == "a.png: 40 x 30 pixels, 16 bits\nb.tif: 40 x 20 pixels, 16 bits\n"
    assert "notes.txt" in result.stderr and result.stderr.count("\n") == 1
    assert read_image(tmp_path / "new" / "b.png").pixels.shape == (20, 40, 3)


def test_the_fifth_example_takes_paths_arrays_and_pictures_of_pillow(small_model, tmp_path):
    write_image(tmp_path / "a.png", np.linspace(0, 1, 30 * 40, dtype=np.float32).reshape(30, 40, 1))
    result = run_example("numpy_and_pil.py", tmp_path / "a.png", "--out", tmp_path / "new", "--model", small_model)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "path: (30, 40, 3) float32, 8 bits, by small.onnx",
        "Pillow: RGB (40, 30)",
        "numpy: (30, 40, 3) uint8, the same as by Pillow: True",
    ]
    made = [read_image(tmp_path / "new" / f"from_{name}").pixels for name in ("path.tif", "pillow.png", "numpy.png")]
    np.testing.assert_array_equal(made[0], made[2])
    np.testing.assert_array_equal(made[1], made[2])


@pytest.mark.parametrize("example", EXAMPLES, **by_name)
def test_an_example_is_short_and_says_how_it_is_called(example):
    text = example.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert f"python examples/{example.name} " in text
