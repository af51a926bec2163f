"""The offline feature network: what comes with the package, and how pictures reach it."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import make_picture

from tintype.errors import UsageError
from tintype.image.resize import resize
from tintype.inference.classifier import Classifier
from tintype.inference.modelfile import read_card
from tintype.inference.runtime import OnnxRuntime
from tintype.metrics.classifier import open_caltech101, open_fashion
from tintype.recipe import load_recipe

WEIGHTS = Path(str(resources.files("tintype.metrics"))) / "weights" / "caltech101-classifier.onnx"


def pictures(count: int, height: int = 80, width: int = 96) -> np.ndarray:
    return np.stack([np.float32(make_picture(seed, height, width) / 255) for seed in range(count)])


def test_the_protocol_names_the_network_its_weights_and_the_kernel() -> None:
    digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    assert open_caltech101().protocol == f"caltech101-classifier {digest[:8]}, 64 px lanczos3"
    assert WEIGHTS.stat().st_size < 8 << 20


def test_features_are_those_of_the_trained_model_on_the_middle_square() -> None:
    features = open_caltech101()(pictures(3))
    assert features.shape == (3, open_caltech101().channels)
    assert features.dtype == np.float64
    small = [resize(picture, 64, 77).clip(0, 1)[:, 6:70] for picture in pictures(3)]
    expected, _ = Classifier(OnnxRuntime(WEIGHTS), read_card(WEIGHTS))(small)
    np.testing.assert_allclose(features, expected, atol=1e-4)


def test_features_do_not_depend_on_what_else_is_asked_for() -> None:
    network, many = open_caltech101(), pictures(70, 64, 64)
    together = network(many)
    np.testing.assert_array_equal(together, network(many))
    np.testing.assert_allclose(together[66:67], network(many[66:67]), atol=1e-5)


@pytest.mark.parametrize("size", [(20, 31), (64, 64), (300, 200)])
def test_pictures_of_any_size_are_taken(size: tuple[int, int]) -> None:
    assert np.isfinite(open_caltech101()(pictures(1, *size))).all()


def test_no_pictures_give_no_features() -> None:
    assert open_caltech101()(np.empty((0, 64, 64, 3), np.float32)).shape == (0, open_caltech101().channels)


@pytest.mark.parametrize("shape", [(64, 64, 3), (1, 64, 64, 2), (1, 0, 64, 3)])
def test_what_is_no_pictures_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="needed n h w 3"):
        open_caltech101()(np.zeros(shape, np.float32))


def test_colour_changes_the_features() -> None:
    coloured = pictures(4)
    grey = np.repeat(coloured.mean(axis=3, keepdims=True), 3, axis=3)
    there, back = open_caltech101()(coloured), open_caltech101()(grey)
    assert np.linalg.norm(there - back) > 0.1 * np.linalg.norm(there)


def test_the_one_for_fashion_sees_grey_and_gives_logits_beside_features() -> None:
    weights, network = WEIGHTS.with_name("fashion-classifier.onnx"), open_fashion()
    assert weights.stat().st_size < 1 << 20
    assert network.protocol.startswith("fashion-classifier ") and network.protocol.endswith(", 28 px lanczos3")
    grey = pictures(3, 28, 28).mean(axis=3, keepdims=True)
    features, logits = network.describe(grey)
    expected = Classifier(OnnxRuntime(weights), read_card(weights))(list(grey))
    np.testing.assert_allclose(features, expected[0], atol=1e-4)
    np.testing.assert_allclose(logits, expected[1], atol=1e-4)
    assert logits.shape == (3, len(read_card(weights).classes)) == (3, 10)
    np.testing.assert_allclose(network(np.repeat(grey, 3, axis=3)), features, atol=1e-3)


@pytest.mark.parametrize("name", ["caltech101-classifier", "fashion-classifier"])
def test_the_recipe_that_made_the_weights_is_the_one_that_is_shipped(name: str) -> None:
    made, shipped = read_card(WEIGHTS.with_name(f"{name}.onnx")).recipe, load_recipe(name)
    for section in ("data", "codec", "generator", "method", "optimiser", "training", "evaluation"):
        theirs, ours = getattr(made, section).model_dump(), getattr(shipped, section).model_dump()
        assert {**theirs, "path": ""} == {**ours, "path": ""}, section
