"""Writes docs/recipes.md and docs/commands.md from the schema of a recipe, the built-in recipes and the command line.

Run it after changing any of them: `python docs/make_reference.py`. A test compares the files with what it would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from tintype.cli import app
from tintype.recipe import Recipe, load_recipe, preset_names

Schema = dict[str, Any]

RECIPES_INTRO = """\
# Recipes

<!-- written by docs/make_reference.py; change the schema or that script, not this file -->

A recipe decides everything about a training run: pictures, colour space, networks, losses, length. It is plain
YAML data, with no class paths and nothing that runs. `RECIPE` on the command line is the name of a built-in recipe or a
YAML file.

```
tintype recipe list                                  # names and descriptions
tintype recipe show hubble-lab                       # every field written out
tintype recipe show hubble-lab training.steps=2000   # the same with a change
tintype recipe schema                                # all of it as JSON schema, for editors and programs
```

**Change single fields** on the command line as `section.field=value`; values are YAML, the last one wins. Setting
`training.steps` clears `training.epochs`, and the other way round. An unknown field is an error that names the
nearest one.

**Keep changes in a file** by extending a built-in recipe, or a file beside yours:

```yaml
name: my-photos
extends: hubble-lab
data: {path: photos, augment: {flip_vertical: false, quarter_turns: false}}
training: {steps: 8000}
```

Sections are merged field by field; a section whose `kind` changes starts afresh.
"""

PRESETS_INTRO = """
## Built-in recipes

Those without pictures of their own need `data.path=FOLDER`. Where a description names a document, it is one of the
reports whose systems Tintype rebuilds, with the settings given there.

| recipe | what it is | pictures | length |
|---|---|---|---|
"""

FIELDS_INTRO = """
## Fields

`required` stands where a field has no default. In sections that choose between kinds, `kind` names the choice; the
fields that all kinds share come first.
"""

COMMANDS_INTRO = """\
# Commands

<!-- written by docs/make_reference.py; change the commands or that script, not this file -->

What each command prints for `--help`. `MODEL` is a run folder, a `.onnx` or a `.safetensors` file; `RECIPE` is a
built-in name or a YAML file, see [recipes](recipes.md).

Progress and remarks go to standard error, as a bar on a terminal and as plain lines otherwise; results go to standard
output. An error begins with `tintype:` and says what was wrong with what, and what to do.

| exit code | meaning |
|---|---|
| 0 | all done |
| 1 | an input failed, and the others were done; or a run could not go on |
| 2 | wrong usage: an unknown option, recipe or field, or a command whose extra is not installed |
| 130 | interrupted; a training run is saved, and the same command goes on |

`train`, `demo`, `evaluate`, `report`, `export`, `import` and `data get` need `tintype[train]`; the others work in the
base install, without torch.
Decoded training pictures are kept in `~/.cache/tintype`, or where the environment variable `TINTYPE_CACHE` says.
"""


def recipes_page() -> str:
    """The reference of recipes, as Markdown."""
    schema = Recipe.model_json_schema()
    parts = [RECIPES_INTRO, PRESETS_INTRO, *map(_preset_row, preset_names()), FIELDS_INTRO]
    plain = {}
    for name, field in schema["properties"].items():
        kinds = _sections(field, schema)
        if not kinds:
            plain[name] = field
            continue
        parts.append(f"\n### {name}\n")
        parts += _section_text(name, kinds, schema)
    top = _table([_row(name, field, name in schema["required"]) for name, field in plain.items()])
    return "".join([*parts, "\n### Top level\n", top])


def commands_page() -> str:
    """The reference of commands, as Markdown."""
    parts = [COMMANDS_INTRO]
    for words in _commands(get_command(app), ()):
        result = CliRunner().invoke(app, [*words, "--help"], prog_name="tintype", env={"COLUMNS": "100"})
        parts.append(f"\n## tintype {' '.join(words)}".rstrip() + f"\n\n```\n{result.output.rstrip()}\n```\n")
    return "".join(parts)


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 - typer hides its classes
    yield words
    for word, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            yield from _commands(below, (*words, word))


def _preset_row(name: str) -> str:
    recipe = load_recipe(name)
    training = recipe.training
    length = f"{training.steps:,} steps" if training.steps else f"{training.epochs:g} epochs"
    return f"| `{name}` | {recipe.description} | {recipe.data.path or 'yours'} | {length} of {training.batch_size} |\n"


def _section_text(name: str, kinds: list[Schema], schema: Schema) -> list[str]:
    rows = [_rows(f"{name}.", kind, schema) for kind in kinds]
    if len(kinds) == 1:
        tag = _kind_of(kinds[0])
        return [f"\n{_text(kinds[0])}{f' (`kind: {tag}`)' if tag else ''}\n", _table(rows[0])]
    shared = [row for row in rows[0] if all(row in others for others in rows)]
    parts = [_table(shared)] if shared else []
    for kind, own in zip(kinds, rows, strict=True):
        parts.append(f"\n**`kind: {_kind_of(kind)}`** \N{EN DASH} {_text(kind)}\n")
        rest = [row for row in own if row not in shared]
        parts += [_table(rest)] if rest else []
    return parts


def _rows(prefix: str, section: Schema, schema: Schema) -> list[str]:
    rows = []
    for name, field in section["properties"].items():
        if name == "kind" and "const" in field:
            continue
        nested = _sections(field, schema)
        if not nested or _optional(field):
            rows.append(_row(prefix + name, field, name in section.get("required", ())))
        for below in nested:
            rows += _rows(f"{prefix}{name}.", below, schema)
    return rows


def _row(name: str, field: Schema, required: bool) -> str:
    default = "required" if required else _default(field.get("default"))
    return f"| `{name}` | {_type(field)} | {default} | {field.get('description', '')} |\n"


def _table(rows: list[str]) -> str:
    return "".join(["\n| field | type | default | meaning |\n|---|---|---|---|\n", *rows])


def _sections(field: Schema, schema: Schema) -> list[Schema]:
    """The sections that a field may hold; none if it holds a plain value."""
    found = [field, *field.get("oneOf", ()), *field.get("anyOf", ())]
    return [schema["$defs"][part["$ref"].rpartition("/")[2]] for part in found if "$ref" in part]


def _optional(field: Schema) -> bool:
    return {"type": "null"} in field.get("anyOf", ())


def _kind_of(section: Schema) -> str:
    return section["properties"].get("kind", {}).get("const", "")


def _text(section: Schema) -> str:
    return " ".join(section["description"].split())


def _type(field: Schema) -> str:
    if "anyOf" in field:
        return " or ".join(_type(part) for part in field["anyOf"])
    if "$ref" in field:
        return "section"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    match field["type"]:
        case "array" if "prefixItems" in field:
            return f"{len(field['prefixItems'])} times {_type(field['prefixItems'][0])}"
        case "array":
            return f"list of {_type(field['items'])}"
        case "null":
            return "none"
        case "boolean":
            return "true or false"
        case "string":
            return "text"
        case kind:
            return ", ".join([kind, *_limits(field)])


def _limits(field: Schema) -> list[str]:
    words = (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"), ("exclusiveMaximum", "below"))
    large = 2**63
    return [f"{word} {field[key]:g}" for key, word in words if key in field and field[key] < large]


def _default(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case "" | [] | ():
            return "empty"
        case list() | tuple():
            return f"`[{', '.join(map(str, value))}]`"
        case _:
            return f"`{value}`"


def main() -> None:
    """Write both files beside this script."""
    folder = Path(__file__).parent
    (folder / "recipes.md").write_text(recipes_page(), encoding="utf-8")
    (folder / "commands.md").write_text(commands_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
