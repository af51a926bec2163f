"""The loss of a classifier against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tintype.methods import Batch, build_method
from tintype.recipe import load_recipe


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_loss_is_the_cross_entropy_of_smoothed_labels(smoothing: float) -> None:
    small = ["generator.filters=2", "generator.classes=3", "data.size=16", "data.load_size=null"]
    recipe = load_recipe("caltech101-classifier", [*small, f"method.label_smoothing={smoothing}"])
    method = build_method(recipe)
    batch = Batch(torch.rand(4, 3, 16, 16), torch.tensor([0, 2, 1, 2]))
    logits = method.forward(batch)
    terms = method.loss("classifier", batch, logits)
    values = logits.detach().numpy().astype(np.float64)
    log_probability = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
    labels = (1 - smoothing) * np.eye(3)[[0, 2, 1, 2]] + smoothing / 3
    assert set(terms) == {"c/cross_entropy"}
    assert terms["c/cross_entropy"].item() == pytest.approx(-(labels * log_probability).sum(axis=1).mean(), rel=1e-5)


def test_one_network_learns_in_one_phase_and_is_shipped() -> None:
    method = build_method(load_recipe("caltech101-classifier", ["generator.filters=2"]))
    assert [(phase.name, phase.networks, phase.rate) for phase in method.phases] == [
        ("classifier", ("classifier",), "generator")
    ]
    assert method.exports == {"": "classifier"}
    assert method.memory() == {}
