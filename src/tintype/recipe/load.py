"""Reading recipes: YAML, `extends` and `section.field=value` overrides; a mistake is one line that names the field.

`extends: NAME` starts from a built-in recipe or from a file beside this one. Values are plain YAML: no interpolation,
no class paths, nothing that runs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tintype.errors import RecipeError
from tintype.recipe.schema import Recipe

_MAX_BYTES = 1 << 20
# Taken as they stand: a folder may be called 2024.
_TEXTS = ("name", "description", "path", "path_b", "more", "init_from", "backbone", "revision", "weights")


def preset_names() -> list[str]:
    """Names of the built-in recipes, sorted."""
    folder = resources.files("tintype.recipe") / "presets"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_recipe(recipe: str | Path | Recipe, overrides: Iterable[str] = ()) -> Recipe:
    """The resolved recipe.

    Args:
        recipe: Name of a built-in recipe, a YAML file, or a recipe that is only to be changed.
        overrides: `section.field=value` strings, values in YAML; the last one wins. Setting `training.steps` clears
            `training.epochs` and the other way round; another `kind` of a section keeps the fields that it shares.

    Raises:
        RecipeError: No such recipe or field, a value that does not fit, or parts that contradict each other.
    """
    if isinstance(recipe, Recipe):
        where, tree = f"recipe {recipe.name}", recipe.model_dump(mode="json")
    else:
        where, tree = _read(recipe, seen=())
    for text in sorted(overrides, key=lambda text: not text.partition("=")[0].endswith(".kind")):  # kinds decide fields
        _override(tree, text)
    return parse_recipe(tree, where)


def parse_recipe(tree: Mapping[str, Any], where: str) -> Recipe:
    """The recipe that a plain tree describes; `where` opens the message of an error."""
    try:
        return Recipe.model_validate(dict(tree))
    except ValidationError as error:
        raise RecipeError(f"{where}: {_explain(error.errors()[0])}") from None


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML, every field written out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)


def recipe_fields(model: type[BaseModel] = Recipe, prefix: str = "") -> list[str]:
    """Dotted names of all fields of all alternatives, in the order of the schema."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        sections = _models_in(field.annotation)
        names += [] if sections else [prefix + name]
        for section in sections:
            names += [dotted for dotted in recipe_fields(section, f"{prefix}{name}.") if dotted not in names]
    return names


def _models_in(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401 - any typing form
    if isinstance(annotation, type):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _read(recipe: str | Path, seen: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """What messages call the recipe, and its tree with everything that it extends filled in."""
    name = str(recipe)
    path = Path(recipe)
    if isinstance(recipe, str) and name in preset_names():
        where = f"recipe {name}"
        text = (resources.files("tintype.recipe") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    else:
        where = name
        text = _read_file(path, name)
    if where in seen:
        raise RecipeError(f"{where}: extends itself by way of {' -> '.join(seen)}: remove one `extends`")
    try:
        tree = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise RecipeError(
            f"{where}{line}: not valid YAML ({getattr(error, 'problem', None) or 'cannot be read'})"
        ) from None
    if not isinstance(tree, dict):
        raise RecipeError(f"{where}: a recipe is a mapping of sections (data, codec, training, ...), this is not one")
    parent = tree.pop("extends", None)
    if parent is None:
        return where, tree
    if not isinstance(parent, str):
        raise RecipeError(f"{where}: extends needs the name of a recipe or a YAML file, got {parent!r}")
    base: str | Path = parent if parent in preset_names() else path.parent / parent
    return where, _merge(_read(base, (*seen, where))[1], tree)


def _read_file(path: Path, name: str) -> str:
    if not path.suffix and not path.exists():
        close = difflib.get_close_matches(name, preset_names(), n=1)
        hint = f"did you mean {close[0]}?" if close else f"built-in ones: {', '.join(preset_names())}"
        raise RecipeError(f"{name}: no such recipe; {hint}")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise RecipeError(f"{name}: larger than {_MAX_BYTES} bytes, so not a recipe")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(f"{name}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{name}: not a text file, so not a recipe") from None


def _merge(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`changes` laid over `base`; a section whose `kind` changes starts afresh."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and value.get("kind", old.get("kind")) == old.get("kind"):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    for key, other in (("steps", "epochs"), ("epochs", "steps")):
        if changes.get(key) is not None and other not in changes:
            merged.pop(other, None)
    return merged


def _override(tree: dict[str, Any], text: str) -> None:
    dotted, equals, value = text.partition("=")
    keys = dotted.strip().split(".")
    if not equals or not all(keys):
        raise RecipeError(f"{text}: an override is written section.field=value, as in training.steps=2000")
    try:
        parsed = value if keys[-1] in _TEXTS else yaml.safe_load(value)
    except yaml.YAMLError:
        raise RecipeError(f"{text}: the value is not valid YAML") from None
    if isinstance(parsed, str) and keys[-1] not in _TEXTS:
        parsed = _number(parsed)
    change: Any = parsed
    for key in reversed(keys):
        change = {key: change}
    if keys[1:] == ["kind"] and isinstance(tree.get(keys[0]), dict):
        change = {keys[0]: {**_shared_fields(keys[0], parsed, tree[keys[0]]), "kind": parsed}}
    tree.update(_merge(tree, change))


def _shared_fields(section: str, kind: object, values: dict[str, Any]) -> dict[str, Any]:
    """What another kind of a section takes over from the one before: fields of the same name."""
    field = Recipe.model_fields.get(section)
    for model in _models_in(field.annotation) if field else []:
        if "kind" in model.model_fields and model.model_fields["kind"].default == kind:
            return {name: value for name, value in values.items() if name in model.model_fields}
    return {}


def _number(text: str) -> str | float:
    """YAML 1.1 reads `2e-4` as text; people mean the number."""
    try:
        return float(text)
    except ValueError:
        return text


def _explain(error: ErrorDetails) -> str:
    """One line for one pydantic error: the dotted field, what came, what was needed."""
    path = [str(part) for place, part in enumerate(error["loc"]) if place != 1 or part not in _kinds()]
    field = ".".join(path)
    value = error.get("input")
    match error["type"]:
        case "extra_forbidden":
            return f"unknown field {field}{_nearest(field)}"
        case "missing":
            return f"{field} is missing"
        case "union_tag_invalid" | "literal_error":
            context = error.get("ctx", {})
            tag = f"{field}.kind" if error["type"] == "union_tag_invalid" else field
            given = context.get("tag", value)
            return f"{tag}: got {given!r}, needed {context.get('expected_tags') or context.get('expected')}"
        case "union_tag_not_found":
            return f"{field}.kind is missing"
        case "value_error":
            return f"{field}: {error['msg'].removeprefix('Value error, ')}" if field else error["msg"][13:]
        case _:
            shown = repr(value) if not isinstance(value, dict) else "a section"
            return f"{field}: got {shown}, {error['msg'][0].lower()}{error['msg'][1:]}"


@cache
def _kinds() -> frozenset[str]:
    """The kinds of all sections, which pydantic puts into the path to a field after the name of its section."""
    sections = [section for field in Recipe.model_fields.values() for section in _models_in(field.annotation)]
    return frozenset(one.model_fields["kind"].default for one in sections if "kind" in one.model_fields)


def _kinds_with(field: str) -> list[str]:
    """The kinds of its section that a field belongs to."""
    section, _, name = field.partition(".")
    models = _models_in(Recipe.model_fields[section].annotation) if section in Recipe.model_fields else []
    return [one.model_fields["kind"].default for one in models if {"kind", name} <= one.model_fields.keys()]


def _nearest(field: str) -> str:
    if of_others := _kinds_with(field):
        return f", which is for {field.partition('.')[0]}.kind={' or '.join(of_others)}"
    names = recipe_fields()
    by_leaf: Sequence[str] = [name for name in names if name.rpartition(".")[2] == field.rpartition(".")[2]]
    close = by_leaf or difflib.get_close_matches(field, names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else "; `tintype recipe schema` lists all fields"
