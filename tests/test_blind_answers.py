"""Files of answers come from strangers: what is whole is read, everything else is refused in one line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.blind_people import KINDS, make_person, make_test

from tintype.blind_answers import MAX_BYTES, cleaned, read_answers
from tintype.errors import InputError


@pytest.fixture
def plain():
    return make_person([True] * len(KINDS)).model_dump(mode="json")


def written(tmp_path, data):
    path = tmp_path / "answers.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


def refusal(path) -> str:
    with pytest.raises(InputError) as caught:
        read_answers(path)
    message = str(caught.value)
    assert "\n" not in message and message.isprintable()
    assert message.startswith(str(path))
    return message


def test_what_was_written_is_read_back(tmp_path, plain):
    assert read_answers(written(tmp_path, plain)).model_dump(mode="json") == plain


def test_numbers_may_be_written_as_javascript_does(tmp_path, plain):
    text = json.dumps(plain).replace('"strength": 1.0', '"strength": 1').replace('"exposure": 1.0', '"exposure": 1')
    assert read_answers(written(tmp_path, text)).digest == plain["digest"]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["test"]["items"][0].update(kind="model"),
        lambda data: data["test"]["items"][0].update(name="other.jpg"),
        lambda data: data["test"].update(exposure=None),
        lambda data: data.update(digest="f" * 16),
    ],
)
def test_a_test_that_was_changed_is_found_out_by_its_digest(change, tmp_path, plain):
    change(plain)
    assert "digest" in refusal(written(tmp_path, plain))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["answers"].pop(),
        lambda data: data["answers"].append(data["answers"][0]),
        lambda data: data["answers"][0].update(id="p99"),
    ],
)
def test_there_must_be_one_answer_for_each_picture(change, tmp_path, plain):
    change(plain)
    assert "one answer for each picture" in refusal(written(tmp_path, plain))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["answers"][0].update(ms=float("nan")),
        lambda data: data["answers"][0].update(ms=-1),
        lambda data: data["answers"][0].update(said="perhaps"),
        lambda data: data.update(format="tintype blind answers 2"),
        lambda data: data.update(session="../../etc/passwd"),
        lambda data: data.update(nickname="x" * 1000),
        lambda data: data.update(extra={"a": 1}),
        lambda data: data["test"].update(items=[]),
        lambda data: data["test"].update(items=data["test"]["items"] * 300),
        lambda data: data["test"].update({"\x1b[2J\n": 1}),
        lambda data: data.pop("test"),
    ],
)
def test_what_is_out_of_bounds_is_refused(change, tmp_path, plain):
    change(plain)
    refusal(written(tmp_path, plain))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00\xff", "[" * 100_000, '{"answers": 1e999}'])
def test_rubbish_is_refused(text, tmp_path):
    refusal(written(tmp_path, text))


def test_a_file_that_is_too_large_is_not_parsed(tmp_path):
    assert "1 MiB" in refusal(written(tmp_path, " " * (MAX_BYTES + 1)))


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    refusal(tmp_path / "lost.json")
    refusal(tmp_path)


def test_a_test_without_pictures_of_the_model_is_none():
    with pytest.raises(ValueError, match="pictures of the model are missing"):
        make_test(("real", "real"))


@given(st.text())
def test_cleaned_text_can_be_printed_and_stays_as_it_is(text):
    once = cleaned(text)
    assert once.isprintable() and len(once) <= 200
    assert cleaned(once) == once
