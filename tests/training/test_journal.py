from __future__ import annotations

import json
from pathlib import Path

import pytest

from tintype.errors import OutputError
from tintype.training.journal import Journal


def events(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_going_on_cuts_off_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    journal.write("log", 1, lr=0.1)
    length = journal.length
    journal.write("log", 2)
    journal.close()
    with path.open("a") as file:
        file.write('{"event": "log", "ste')  # a process that was killed while writing
    journal = Journal(path, length=length)
    journal.write("log", 2, lr=0.2)
    journal.close()
    assert events(path) == [{"event": "log", "step": 1, "lr": 0.1}, {"event": "log", "step": 2, "lr": 0.2}]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"events\.jsonl: cannot be written"):
        Journal(tmp_path / "gone" / "events.jsonl")
