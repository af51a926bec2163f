"""What is typed, as values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tintype.arguments import byte_count, counted, print_or_write
from tintype.errors import UsageError


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ("1", 1),
        ("123456", 123456),
        ("500MB", 500_000_000),
        ("2GB", 2_000_000_000),
        ("2 gb", 2_000_000_000),
        ("2G", 2_000_000_000),
        ("2GiB", 2 * 2**30),
        ("1.5KiB", 1536),
        ("1TB", 10**12),
        ("64B", 64),
    ],
)
def test_bytes_are_read_with_and_without_unit(given, count):
    assert byte_count("--memory", given) == count


@pytest.mark.parametrize("given", ["", "0", "0.1B", "-1", "GB", "2XB", "1e9", "nan", "2GBB", "²GB"])
def test_what_is_no_number_of_bytes_is_refused_with_an_example(given):
    with pytest.raises(UsageError, match="as in 500MB, 2GB or 2GiB") as error:
        byte_count("--memory", given)
    assert str(error.value).startswith(f"--memory {given}: ")


def test_things_are_counted_in_words():
    assert [counted(count, "picture") for count in (0, 1, 1234)] == ["0 pictures", "1 picture", "1,234 pictures"]


def test_results_are_text_and_a_file_or_json_alone(tmp_path, capsys):
    print_or_write({"a": 1}, "one", tmp_path / "a.json")
    assert capsys.readouterr().out == "one\n"
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}
    print_or_write({"a": 1}, "one", Path("-"))
    assert json.loads(capsys.readouterr().out) == {"a": 1}
