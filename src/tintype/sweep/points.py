"""The trials of a sweep: a resolved recipe for each set of values, and names for people and for comparing."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tintype.errors import RecipeError
from tintype.recipe import Recipe, load_recipe
from tintype.sweep.definition import RECIPE, Definition

_LONGEST_NAME = 120
_FREE = re.compile(
    r"name|description|data\.path(_b)?|"
    r"training\.(log_every|validate_every|checkpoint_every|sample_\w+|tensorboard)"
)
"""Fields of a recipe that may change when a sweep goes on; where the pictures lie is checked by each run itself."""


@dataclass(frozen=True, slots=True)
class Point:
    """One trial: what it is called, what is tried in it, and its recipe.

    `key` says in JSON which values it has, alike in every process that shares the sweep. `parent` is the name of the
    trial that this one goes on from.
    """

    key: str
    name: str
    values: dict[str, Any]
    recipe: Recipe
    parent: str | None = None


def grid_points(definition: Definition) -> list[Point]:
    """All trials of a grid in the order of its fields, the last one varying fastest, within that the paired points.

    Each is followed by the one that goes on from it.

    Raises:
        RecipeError: One of them is no valid recipe.
    """
    axes = [[(field, value) for value in values] for field, values in definition.grid.items()]
    found: dict[str, Point] = {}
    for combination in itertools.product(*axes):
        for paired in definition.points or [{}]:
            point = make_point(definition, {**paired, **dict(combination)})
            found.setdefault(point.key, point)
    points = list(found.values())
    if definition.then is None:
        return points
    chosen = {point.name for point in points if _matches(point, definition.then.where)}
    if not chosen:
        raise RecipeError(f"{definition.recipe}: then.where fits none of the trials: {definition.then.where}")
    field, length = definition.then.length
    chains = (
        [_with_length(point, field), *([_longer(point, field, length)] if point.name in chosen else [])]
        for point in points
    )
    return list(itertools.chain.from_iterable(chains))


def example_point(definition: Definition) -> Point:
    """A point of a space, to learn whether the rest of the recipe holds together."""
    values = {}
    for field, given in definition.space.items():
        if isinstance(given, list):
            values[field] = given[0]
        else:
            low = given.partition("..")[0]
            values[field] = int(low) if low.lstrip("+-").isdigit() else float(low)
    return make_point(definition, values)


def make_point(definition: Definition, values: Mapping[str, Any]) -> Point:
    """The trial that a set of values makes.

    Raises:
        RecipeError: It is no valid recipe.
    """
    given = {**definition.overrides, **values}
    base = str(given.pop(RECIPE, definition.recipe))
    try:
        recipe = load_recipe(base, [f"{field}={_yaml(value)}" for field, value in given.items()])
    except RecipeError as error:
        shown = ", ".join(f"{field}={_plain(value)}" for field, value in values.items())
        raise RecipeError(f"trial {shown}: {error}" if values else str(error)) from None
    flat = flat_recipe(recipe)
    resolved = {field: flat.get(field, value) for field, value in values.items()}
    key = json.dumps(resolved, sort_keys=True)
    return Point(key, _name(resolved, key) or recipe.name, resolved, recipe)


def common_settings(points: Sequence[Point], fields: Sequence[str]) -> dict[str, Any]:
    """What all recipes agree in, by field, without what is tried and what may change."""
    recipes = [flat_recipe(point.recipe) for point in points if point.parent is None]
    return {
        field: value
        for field, value in recipes[0].items()
        if field not in fields
        and not _FREE.fullmatch(field)
        and all(field in other and other[field] == value for other in recipes)
    }


def flat_recipe(recipe: Recipe) -> dict[str, Any]:
    """Values by dotted field."""
    flat: dict[str, Any] = {}

    def walk(tree: dict[str, Any], prefix: str) -> None:
        for key, value in tree.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{key}.")
            else:
                flat[prefix + key] = value

    walk(recipe.model_dump(mode="json"), "")
    return flat


def short_names(fields: Sequence[str]) -> dict[str, str]:
    """The last word of each field where that tells it from the others, else the whole field."""
    leaves = [field.rpartition(".")[2] for field in fields]
    return {
        field: leaf if leaves.count(leaf) == 1 and leaf != "kind" else field
        for field, leaf in zip(fields, leaves, strict=True)
    }


def _matches(point: Point, where: Mapping[str, Any]) -> bool:
    return all(point.values.get(field) == value for field, value in where.items())


def _with_length(point: Point, field: str) -> Point:
    length = flat_recipe(point.recipe)[field]
    return Point(point.key, point.name, {**point.values, field: length}, point.recipe)


def _longer(point: Point, field: str, length: float) -> Point:
    before = flat_recipe(point.recipe)[field]
    if before is None:
        raise RecipeError(f"trial {point.name}: its length is not given in {field}, so `then` cannot raise that")
    if length <= before:
        raise RecipeError(f"trial {point.name}: then.{field.rpartition('.')[2]}={length:g} is not above {before:g}")
    return Point(
        key=json.dumps({**json.loads(point.key), "then": {field: length}}, sort_keys=True),
        name=f"{point.name},{field.rpartition('.')[2]}={_plain(length)}",
        values={**point.values, field: length},
        recipe=load_recipe(point.recipe, [f"{field}={length}"]),
        parent=point.name,
    )


def _yaml(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """A value as an override takes it."""
    if isinstance(value, str):
        return value
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()


def _name(values: Mapping[str, Any], key: str) -> str:
    """Name of a folder that people can read; a part of a hash where letters had to go."""
    short = short_names(list(values))
    text = ",".join(f"{short[field]}={_plain(value)}" for field, value in values.items())
    safe = re.sub(r"[^\w.,=+-]+", "-", text, flags=re.ASCII)
    if safe == text and len(safe) <= _LONGEST_NAME and not safe.startswith("."):
        return safe
    return f"{safe[:_LONGEST_NAME].lstrip('.')},{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _plain(value: Any) -> str:  # noqa: ANN401 - any YAML value
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return value if isinstance(value, str) else json.dumps(value)
