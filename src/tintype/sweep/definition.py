"""What a sweep is to try, from a YAML file or from the command line: plain data, nothing of it resolved yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from tintype.atomic import atomic_path
from tintype.errors import RecipeError, UsageError
from tintype.recipe import preset_names
from tintype.recipe.section import Section

Search = Literal["grid", "tpe"]

RECIPE = "recipe"
"""Among the fields that are tried: which recipe the others are laid over."""

_MAX_BYTES = 1 << 20
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")
_LOGARITHMIC_FROM = 10
_TEXTS = (
    "path",
    "path_b",
    "more",
    "init_from",
    "backbone",
    "revision",
    "weights",
)  # taken as they stand, as in recipes


class Range(Section):
    """Numbers from `low` to `high`, both included; whole ones where both ends are whole."""

    low: float
    high: float
    whole: bool

    @property
    def logarithmic(self) -> bool:
        """Whether factors count rather than differences: where the ends are a factor of 10 or more apart."""
        return self.low > 0 and self.high >= _LOGARITHMIC_FROM * self.low

    def __str__(self) -> str:
        scale = "logarithmic" if self.logarithmic else "linear"
        return f"{self.low:g} to {self.high:g}, {'whole numbers, ' * self.whole}{scale}"


class Then(Section):
    """A second step: finished trials that go on to a greater length, from a copy of their run folder."""

    where: dict[str, Any] = Field({}, description="Values by field of the trials that go on; empty: all of them.")
    steps: int | None = Field(None, ge=1, description="Their new length in batches; give steps or epochs.")
    epochs: float | None = Field(None, gt=0, description="Their new length in epochs.")

    @model_validator(mode="after")
    def _one_length(self) -> Then:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give the new length as steps or as epochs, one of the two")
        return self

    @property
    def length(self) -> tuple[str, float]:
        """Field of the recipe and its new value."""
        return ("training.steps", self.steps) if self.steps is not None else ("training.epochs", self.epochs or 0)


class Definition(Section):
    """Everything that decides which trials a sweep consists of."""

    recipe: str = Field(description="Name of a built-in recipe, or a YAML file beside this one.")
    overrides: dict[str, Any] = Field({}, description="Values by field that all trials share.")
    grid: dict[str, list[Any]] = Field({}, description="Lists of values by field; every combination is trained.")
    points: list[dict[str, Any]] = Field(
        [], description="Sets of values by field, each combined with the whole grid: for what is no full grid."
    )
    space: dict[str, str | list[Any]] = Field({}, description="Ranges (LOW..HIGH) or lists by field, for TPE.")
    then: Then | None = Field(None, description="Trials that go on to a greater length.")
    report: str = Field("", description="Title of the report.")
    notes: str = Field("", description="What a reader of the results must know.")

    @model_validator(mode="after")
    def _holds_together(self) -> Definition:
        places: dict[str, str] = {}
        varied: dict[str, Iterable[str]] = {
            "grid": self.grid,
            "space": self.space,
            "points": self.points[0] if self.points else {},
        }
        for place, fields in varied.items():
            for field in fields:
                if field in places:
                    raise ValueError(f"{field} stands in {places[field]} and in {place}: leave one out")
                places[field] = place
        for field, values in [*self.grid.items(), *self.space.items()]:
            if not values:
                raise ValueError(f"{places[field]}.{field} has no values: give at least one")
        for number, point in enumerate(self.points, start=1):
            if point.keys() != self.points[0].keys():
                raise ValueError(f"points: number {number} has other fields than the first: give each the same ones")
        if self.space and (self.grid or self.points or self.then):
            raise ValueError("space is for TPE, which combines values itself: leave grid, points and then out")
        if self.then and self.then.length[0] in places:
            raise ValueError(f"then: {self.then.length[0]} is tried already: leave it out there, or leave `then` out")
        for field in self.then.where if self.then else ():
            if field not in places:
                raise ValueError(f"then.where.{field}: only fields that are tried can choose trials")
        for field, given in self.space.items():
            read_range(field, given)
        return self

    @property
    def fields(self) -> list[str]:
        """The fields that are tried, in the order of the definition."""
        return [*(self.points[0] if self.points else ()), *self.grid, *self.space]


def read_range(field: str, given: str | list[Any]) -> Range | list[Any]:
    """A range as it was written, or the list itself.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(given, list):
        return given
    match = _RANGE.fullmatch(given.strip())
    if match is None:
        raise ValueError(f"space.{field}: got {given!r}, needed a range, as in 1e-5..1e-2, or a list")
    low, high = float(match[1]), float(match[2])
    if low >= high:
        raise ValueError(f"space.{field}: {given} is empty: the first number must be the smaller one")
    return Range(low=low, high=high, whole=all(re.fullmatch(r"[-+]?\d+", text) for text in match.groups()))


def read_definition(recipe: str, settings: Iterable[str] = (), search: Search | None = None) -> Definition:
    """The definition that a command line gives.

    Args:
        recipe: Name of a built-in recipe, a YAML file of one, or a YAML file of a definition (with `recipe:` in it).
        settings: `section.field=value` for all trials, `section.field=v1,v2` for a list, `section.field=low..high` for
            a range. They replace what the file says of the same field.
        search: "tpe" makes a space of the lists too.

    Raises:
        RecipeError: The file cannot be read or does not hold together.
        UsageError: A setting cannot be read.
    """
    tree: dict[str, Any] = {"recipe": recipe}
    where = f"sweep of {recipe}"
    path = Path(recipe)
    if recipe not in preset_names() and path.suffix in (".yaml", ".yml") and path.is_file():
        found = _read_file(path)
        if "recipe" in found:
            tree, where = found, recipe
            _find_recipes(tree, path.parent)
    for text in settings:
        _set(tree, text)
    for place in ("grid", "points", "space", "overrides"):
        if tree.get(place) is None:
            tree.pop(place, None)
    if (search == "tpe" or tree.get("space")) and isinstance(tree.get("grid"), dict):
        tree["space"] = {**tree.pop("grid"), **tree.get("space", {})}
    try:
        definition = Definition.model_validate(tree)
    except ValidationError as error:
        raise RecipeError(f"{where}: {_explain(error)}") from None
    if search == "grid" and definition.space:
        raise UsageError(f"{where}: --search grid has no use for ranges: give lists, or --search tpe")
    if search == "tpe" and not definition.space:
        raise UsageError(f"{where}: --search tpe needs ranges or lists, as in optimiser.lr=1e-5..1e-2")
    return definition


def write_definition(definition: Definition, out: Path) -> None:
    """Write sweep.yaml into the sweep folder; it reads as an experiment.

    Raises:
        OutputError: That is not possible.
    """
    tree = definition.model_dump(mode="json", exclude_defaults=True)
    with atomic_path(out / "sweep.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100), encoding="utf-8")


def _read_file(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise RecipeError(f"{path}: larger than {_MAX_BYTES} bytes, so not the definition of a sweep")
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        problem = getattr(error, "problem", None) or "cannot be read"
        raise RecipeError(f"{path}: not valid YAML ({problem})") from None
    if not isinstance(tree, dict):
        raise RecipeError(f"{path}: neither a recipe nor the definition of a sweep: both are mappings")
    return _numbers(tree)


def _find_recipes(tree: dict[str, Any], folder: Path) -> None:
    """Give recipes that lie beside a definition the paths that they have from here."""

    def found(base: Any) -> Any:  # noqa: ANN401 - any YAML value
        beside = isinstance(base, str) and base not in preset_names() and (folder / base).exists()
        return str(folder / base) if beside else base

    tree[RECIPE] = found(tree[RECIPE])
    for fields in (tree.get("grid"), *(tree.get("points") or ())):
        if isinstance(fields, dict) and RECIPE in fields:
            given = fields[RECIPE]
            fields[RECIPE] = [found(one) for one in given] if isinstance(given, list) else found(given)


def _set(tree: dict[str, Any], text: str) -> None:
    """Lay one setting of the command line over a definition."""
    field, equals, given = text.partition("=")
    field = field.strip()
    if not equals or not all(field.split(".")):
        raise UsageError(f"{text}: a setting is written section.field=value, as in optimiser.lr=1e-4,1e-3")
    parts = _split(given)
    for point in tree.get("points") or ():
        if isinstance(point, dict) and field in point:
            raise UsageError(f"{text}: {field} is paired with others under `points`: change it there")
    was_tried = field in (tree.get("grid") or {})
    for other in ("overrides", "grid", "space"):
        if isinstance(tree.get(other), dict):
            tree[other].pop(field, None)
    place: str
    value: Any
    if len(parts) == 1 and _RANGE.fullmatch(given.strip()):
        place, value = "space", given.strip()
    elif len(parts) > 1 or was_tried:
        place, value = "grid", [_value(field, part) for part in parts if part.strip()]
    else:
        place, value = "overrides", _value(field, given)
    if not isinstance(tree.get(place), dict):
        tree[place] = {}
    tree[place][field] = value


def _split(text: str) -> list[str]:
    """A text at its commas, but for those in brackets, braces and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append("")
            continue
        parts[-1] += letter
    return parts


def _value(field: str, text: str) -> Any:  # noqa: ANN401 - any YAML value
    if field.rpartition(".")[2] in _TEXTS:
        return text
    try:
        return _numbers(yaml.safe_load(text))
    except yaml.YAMLError:
        raise UsageError(f"{field}={text}: the value is not valid YAML") from None


def _numbers(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    """The value with numbers where YAML 1.1 sees text, as in `2e-4`."""
    if isinstance(value, Mapping):
        return {key: _numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_numbers(one) for one in value]
    if isinstance(value, str) and re.fullmatch(_NUMBER, value):
        return float(value)
    return value


def _explain(error: ValidationError) -> str:
    """One line for the first mistake: the field, what came, what was needed."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"] if part not in ("str", "list[any]"))
    match first["type"]:
        case "extra_forbidden":
            return f"unknown field {field}; a sweep has {', '.join(Definition.model_fields)}"
        case "missing":
            return f"{field} is missing"
        case "value_error":
            message = first["msg"].removeprefix("Value error, ")
            return f"{field}: {message}" if field else message
        case _:
            return f"{field}: got {first['input']!r}, {first['msg'][0].lower()}{first['msg'][1:]}"
