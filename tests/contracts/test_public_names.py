"""The Python interface is a promise: its names change here first."""

from __future__ import annotations

import inspect

import pytest

import tintype

PUBLIC = [
    "DecodedImage",
    "Hint",
    "Recipe",
    "TintypeError",
    "Translator",
    "evaluate",
    "evaluate_samples",
    "load_recipe",
    "palette_of",
    "read_hints",
    "read_image",
    "train",
    "write_image",
]


def test_the_public_names_are_those_that_were_promised():
    assert sorted(tintype.__all__) == PUBLIC
    assert dir(tintype) == sorted([*PUBLIC, "__version__"])


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there_and_documented(name):
    thing = getattr(tintype, name)
    assert thing.__name__ == name
    assert inspect.getdoc(thing) and thing.__doc__


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_says_the_type_of_everything(name):
    thing = getattr(tintype, name)
    if inspect.isfunction(thing):
        signature = inspect.signature(thing)
        assert signature.return_annotation is not inspect.Signature.empty
        assert all(parameter.annotation is not parameter.empty for parameter in signature.parameters.values())
    else:
        assert inspect.isclass(thing)


def test_another_name_is_an_attribute_error_that_names_it():
    with pytest.raises(AttributeError, match=r"tintype.*'colorise'"):
        _ = tintype.colorise
