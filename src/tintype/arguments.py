"""What people type on the command line, as values; and numbers in words."""

from __future__ import annotations

import re
from typing import TypeVar, get_args

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
