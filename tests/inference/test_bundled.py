"""`bundled` and `bundled:NAME` stand for the models of the package wherever a model is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.inference.conftest import write_bundled

from tintype.errors import ModelFileError, UsageError
from tintype.image.file import DecodedImage
from tintype.inference.bundled import (
    BUNDLED,
    bundled_card,
    bundled_model,
    bundled_name,
    colouriser,
    model_name,
    model_path,
)
from tintype.inference.modelfile import find_model
from tintype.inference.translator import Translator


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder of small models in place of those of the package."""
    return write_bundled(tmp_path, monkeypatch)


def test_the_default_is_the_one_for_photographs():
    assert bundled_name("bundled") == "photos" == BUNDLED[0]
    assert bundled_name(Path("bundled:hubble")) == "hubble"


@pytest.mark.parametrize("path", ["runs/bundled", "bundled.onnx", "./runs", "/bundled", "C:bundled", "bundle", ""])
def test_everything_else_is_a_path(path):
    assert bundled_name(path) is None
    assert model_path(path) == Path(path)


@pytest.mark.parametrize("given", ["bundled", "bundled:photos", Path("bundled:photos")])
def test_a_name_stands_for_a_file_of_the_package(models, given):
    assert find_model(given) == model_path(given) == bundled_model() == models / "photos.onnx"


def test_colorize_needs_no_more_than_the_name():
    assert [str(colouriser(name)) for name in BUNDLED] == ["bundled:photos", "bundled:hubble"]
    assert colouriser("./photos") == Path("photos")
    assert colouriser("runs/photos") == Path("runs/photos")


@pytest.mark.parametrize("name", ["", "faces", "../photos", "photos.onnx"])
def test_a_name_that_there_is_not_is_refused_and_the_others_are_told(models, name):
    with pytest.raises(UsageError, match="give bundled:photos or bundled:hubble, or the path of a model"):
        find_model(f"bundled:{name}")


def test_a_file_that_is_missing_asks_for_another_installation(models):
    with pytest.raises(ModelFileError, match=r"photos\.safetensors: is missing from this installation"):
        bundled_model("photos", ".safetensors")


def test_the_card_is_read_as_it_was_written(models):
    assert bundled_card("hubble") == "# hubble\n\nLearnt from é.\n"


def test_results_name_the_model_and_not_its_file(models):
    translate = Translator("bundled:hubble")
    assert translate.card.step == 1
    made = translate(DecodedImage(np.full((20, 30, 1), 0.5, np.float32)))
    assert made.provenance is not None and made.provenance.model == "bundled:hubble"


def test_files_elsewhere_keep_their_names(models, tmp_path_factory):
    assert model_name(models / "photos.onnx") == "bundled:photos"
    assert model_name(models / "other.onnx") == "other.onnx"
    assert model_name(tmp_path_factory.mktemp("other") / "photos.onnx") == "photos.onnx"
