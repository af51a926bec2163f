"""What a sweep was begun with, as all its processes see it: values may be added later, all else must stay."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tintype.errors import RecipeMismatchError
from tintype.sweep.definition import Definition
from tintype.sweep.points import Point, common_settings


def definition_record(definition: Definition, points: Sequence[Point]) -> dict[str, Any]:
    """Everything that decides the trials, as JSON values; `points` are those of a grid, or an example of a space."""
    return {
        "search": "tpe" if definition.space else "grid",
        "fields": definition.fields,
        "points": {} if definition.space else {point.key: point.name for point in points},
        "space": definition.space,
        "settings": common_settings(points, definition.fields),
    }


def refuse_changes(out: Path, old: Mapping[str, Any] | None, new: Mapping[str, Any], points: Sequence[Point]) -> None:
    """Refuse a definition that is not what the sweep was begun with, or more of it.

    Raises:
        RecipeMismatchError: With the field that differs.
    """
    if old is None:
        return
    try:
        began = [point for point in points if point.key in old["points"]] or points
        pairs: list[tuple[str, Any, Any]] = [
            ("search", old["search"], new["search"]),
            ("the fields that are tried", sorted(old["fields"]), sorted(new["fields"])),
            *((field, old["space"].get(field), new["space"].get(field)) for field in old["space"]),
        ]
        settings = common_settings(began, new["fields"])
        pairs += [
            (field, old["settings"].get(field, "absent"), settings.get(field, "absent"))
            for field in {**old["settings"], **settings}
        ]
        missing = [name for key, name in old["points"].items() if key not in new["points"]]
    except (KeyError, TypeError, AttributeError):
        raise RecipeMismatchError(f"{out}: its storage holds no sweep of this version; choose another --out") from None
    differing = [
        f"  {field}: {_shown(before)} in the sweep, {_shown(after)} asked"
        for field, before, after in pairs
        if before != after
    ]
    differing += [f"  trial {name}: in the sweep, not asked any more" for name in missing]
    if differing:
        raise RecipeMismatchError(
            f"{out}: holds another sweep:\n{differing[0]}\n"
            "values may be added, everything else must stay; choose another --out"
        )


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
