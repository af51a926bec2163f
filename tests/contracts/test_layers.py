"""The house keeps its shape: imports go downward only, and files stay short enough to read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import tintype

SOURCE = Path(tintype.__file__).parent

LAYERS = (
    ("cli",),
    ("cli_groups", "cli_serve", "cli_translate"),
    (
        "command_blind",
        "command_doctor",
        "command_export",
        "command_inspect",
        "command_line",
        "command_sample",
        "command_serve",
        "command_translate",
        "demo",
    ),
    ("arguments", "blind", "blind_score"),
    ("sweep",),
    ("api",),
    ("server",),
    ("report",),
    ("report_charts",),
    ("charts", "report_compare"),
    ("report_run",),
    ("report_pictures", "report_scores", "report_warnings"),
    ("report_events",),
    ("training",),
    ("blind_answers", "consistency", "evaluation", "many"),
    ("judging",),
    ("methods", "inference"),
    ("data", "networks", "losses", "metrics"),
    ("image",),
    ("recipe",),
    ("allocation", "atomic", "console", "signals"),
    ("errors",),
)
"""Top to bottom. A unit (a package, or a module of the top level) imports itself and units of lower layers, nothing
else; so there can be no cycle between units."""

LEVEL = {unit: level for level, units in enumerate(LAYERS) for unit in units}
OUTSIDE = ("__init__", "__main__")
MOST_LINES = 400
MOST_LINES_OF_A_NETWORK = 250


def test_every_module_has_a_layer_and_imports_only_from_lower_ones():
    assert violations(SOURCE) == []


def test_no_source_file_is_too_long_to_be_read():
    assert too_long(SOURCE) == []


def test_an_invented_upward_import_is_caught_wherever_it_stands(tmp_path):
    for package in ("image", "training"):
        (tmp_path / package).mkdir()
    (tmp_path / "image" / "file.py").write_text("def read():\n    import tintype.training.trainer\n")
    (tmp_path / "image" / "grid.py").write_text("if True:\n    from tintype import data\n")
    (tmp_path / "image" / "color.py").write_text("from ..training.trainer import Trainer\n")
    (tmp_path / "training" / "trainer.py").write_text("import tintype.image.file\nfrom tintype import __version__\n")
    assert violations(tmp_path) == [
        "image/color.py:1 imports training, which is not below image",
        "image/file.py:2 imports training, which is not below image",
        "image/grid.py:2 imports data, which is not below image",
    ]


def test_neighbours_of_one_layer_are_strangers_and_unknown_modules_are_caught(tmp_path):
    (tmp_path / "losses.py").write_text("from tintype.metrics import psnr\n")
    (tmp_path / "evaluation.py").write_text("from tintype import Translator\n")
    (tmp_path / "helpers.py").write_text("")
    assert violations(tmp_path) == [
        "evaluation.py:1 imports Translator, which is not below evaluation",
        "helpers.py belongs to no layer",
        "losses.py:1 imports metrics, which is not below losses",
    ]


def test_imports_for_the_type_checker_alone_are_free(tmp_path):
    (tmp_path / "errors.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from tintype.cli import app\n"
        "else:\n    import tintype.cli\n"
    )
    assert violations(tmp_path) == ["errors.py:5 imports cli, which is not below errors"]


def test_a_file_that_is_too_long_is_caught(tmp_path):
    (tmp_path / "networks").mkdir()
    (tmp_path / "networks" / "unet.py").write_text("\n" * (MOST_LINES_OF_A_NETWORK + 1))
    (tmp_path / "report.py").write_text("\n" * MOST_LINES)
    assert too_long(tmp_path) == [f"networks/unet.py has {MOST_LINES_OF_A_NETWORK + 1} lines"]


def violations(root: Path) -> list[str]:
    """A line for each file of a source tree that has no layer, and for each import that does not go downward."""
    found = []
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        unit = relative.parts[0].removesuffix(".py")
        if len(relative.parts) == 1 and unit in OUTSIDE:
            continue
        if unit not in LEVEL:
            found.append(f"{relative.as_posix()} belongs to no layer")
            continue
        for line, imported in imports(ast.parse(path.read_text(encoding="utf-8")), relative):
            if imported != unit and LEVEL.get(imported, -1) <= LEVEL[unit]:
                found.append(f"{relative.as_posix()}:{line} imports {imported}, which is not below {unit}")
    return found


def imports(tree: ast.AST, file: Path) -> Iterator[tuple[int, str]]:
    """Line and unit of each import of Tintype's own modules, inside functions too; not those for the type checker."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                for other in node.orelse:
                    yield from imports(ast.Module([other], []), file)
                continue
            case ast.Import():
                names = [alias.name for alias in node.names]
            case ast.ImportFrom():
                package = ["tintype", *file.parts[:-1]]
                base = (
                    [*package[: len(package) + 1 - node.level], *filter(None, [node.module])]
                    if node.level
                    else [node.module]
                )
                names = [f"{'.'.join(base)}.{alias.name}" for alias in node.names]
            case _:
                names = []
        for name in names:
            parts = name.split(".")
            if parts[0] == "tintype" and parts[1:] != ["__version__"]:
                yield node.lineno, parts[1] if len(parts) > 1 else "__init__"
        yield from imports(node, file)


def too_long(root: Path) -> list[str]:
    """A line for each file of a source tree that has more lines than a reader can be asked to hold in mind."""
    found = []
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        most = MOST_LINES_OF_A_NETWORK if relative.parts[0] == "networks" else MOST_LINES
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > most:
            found.append(f"{relative.as_posix()} has {lines} lines")
    return found
