"""What people type on the command line, as values; numbers in words; and results as text or JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, TypeVar, get_args

from tintype.atomic import atomic_path
from tintype.errors import UsageError
from tintype.recipe.schema import Direction

Choice = TypeVar("Choice", bound=str)

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def one_of(option: str, given: str, choices: tuple[Choice, ...]) -> Choice:
    """The choice that was typed.

    Raises:
        UsageError: There is no such choice.
    """
    for choice in choices:
        if choice == given:
            return choice
    raise UsageError(f"{option} {given}: choose {', '.join(choices[:-1])} or {choices[-1]}")


def chosen_direction(given: str | None) -> Direction | None:
    """The direction that was typed, if one was.

    Raises:
        UsageError: There is no such direction.
    """
    return None if given is None else one_of("--direction", given, get_args(Direction))


def byte_count(option: str, given: str) -> int:
    """Bytes in plain numbers or with a unit: 500MB, 2GB, 2GiB.

    Raises:
        UsageError: It is none, or zero.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?", given.strip().lower(), re.ASCII)
    count = int(float(match[1]) * _UNITS[match[2] or ""]) if match else 0
    if count < 1:
        raise UsageError(f"{option} {given}: give a number of bytes, as in 500MB, 2GB or 2GiB")
    return count


def counted(count: int, what: str) -> str:
    """A number of things in words."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def print_or_write(data: dict[str, Any], text: str, json_file: Path | None) -> None:
    """Print the text and write the data to the file, where there is one; with "-" print the data alone, as JSON."""
    as_json = json.dumps(data, indent=1)
    if json_file is not None and str(json_file) == "-":
        print(as_json)  # noqa: T201
        return
    print(text)  # noqa: T201
    if json_file is not None:
        with atomic_path(json_file) as temporary:
            temporary.write_text(as_json + "\n", encoding="utf-8")
