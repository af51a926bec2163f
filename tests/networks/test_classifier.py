"""The residual classifier: shapes, what its features are, and how deep it reaches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tintype.networks import build_generator
from tintype.networks.classifier import Classifier
from tintype.recipe import Recipe, load_recipe


def recipe(*overrides: str) -> Recipe:
    return load_recipe("caltech101-classifier", ["generator.filters=4", *overrides])


@pytest.mark.parametrize("side", [28, 64, 33])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_pictures_of_any_size_get_features_and_a_logit_for_each_class(side: int, norm: str) -> None:
    made = recipe(f"generator.norm={norm}", "generator.classes=5", "generator.stages=3")
    features, logits = build_generator(made)(torch.rand(2, 3, side, side))
    assert features.shape == (2, made.generator.features) == (2, 16)
    assert logits.shape == (2, 5)


def test_logits_are_linear_in_the_features() -> None:
    network = build_generator(recipe()).eval()
    features, logits = network(torch.rand(3, 3, 64, 64))
    weight, bias = (value.detach().numpy() for value in (network.head.weight, network.head.bias))
    np.testing.assert_allclose(logits.detach(), features.detach().numpy() @ weight.T + bias, rtol=1e-4, atol=1e-5)


def test_dropout_reaches_the_logits_only_and_only_in_training() -> None:
    network = build_generator(recipe("generator.dropout=0.9", "generator.norm=none"))
    x = torch.rand(2, 3, 64, 64)
    (first, logits), (second, others) = network(x), network(x)
    assert torch.equal(first, second)
    assert not torch.equal(logits, others)
    network.eval()
    assert torch.equal(network(x)[1], network(x)[1])


def test_each_stage_but_the_first_halves_the_picture_and_doubles_the_channels() -> None:
    network = Classifier(1, 10, filters=3, stages=3, blocks=2, stem_stride=1)
    x = network.stem(torch.rand(1, 1, 28, 28))
    shapes = [tuple((x := block(x)).shape[1:]) for block in network.stages]
    assert shapes == [(3, 28, 28), (3, 28, 28), (6, 14, 14), (6, 14, 14), (12, 7, 7), (12, 7, 7)]


def test_a_block_that_changes_nothing_in_size_adds_to_its_input() -> None:
    block = Classifier(3, 2, filters=4, stages=1, norm="none").stages[0]
    for parameter in block.layers.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.rand(1, 4, 8, 8)
    assert torch.equal(block(x), x)
