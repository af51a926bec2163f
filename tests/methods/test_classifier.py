"""The losses of a classifier against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from tintype.methods import Batch, ClassifierMethod, build_method
from tintype.methods.classifier import exchange_chroma
from tintype.recipe import load_recipe

SMALL = ["generator.filters=2", "generator.classes=3", "data.size=16", "data.load_size=null"]


def method_of(*overrides: str) -> ClassifierMethod:
    method = build_method(load_recipe("caltech101-classifier", [*SMALL, *overrides]))
    assert isinstance(method, ClassifierMethod)
    return method


def batch_of(count: int) -> Batch:
    return Batch(torch.rand(count, 3, 16, 16) * 2 - 1, torch.arange(count) % 3)


def cross_entropy(logits: torch.Tensor, numbers: torch.Tensor, smoothing: float) -> float:
    values = logits.detach().numpy().astype(np.float64)
    log_probability = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
    labels = (1 - smoothing) * np.eye(3)[numbers.numpy()] + smoothing / 3
    return float(-(labels * log_probability).sum(axis=1).mean())


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_loss_is_the_cross_entropy_of_smoothed_labels(smoothing: float) -> None:
    method, batch = method_of("method.foreign_chroma=0", f"method.label_smoothing={smoothing}"), batch_of(4)
    out = method.forward(batch)
    terms = method.loss("classifier", batch, out)
    assert set(terms) == {"c/cross_entropy"}
    assert terms["c/cross_entropy"].item() == pytest.approx(cross_entropy(out.classes, batch.target, smoothing), 1e-5)
    assert list(method.networks) == ["classifier"]


def test_pictures_in_foreign_colours_are_judged_for_their_colours_alone() -> None:
    method, batch = method_of("method.foreign_chroma=0.5", "method.label_smoothing=0"), batch_of(5)
    out = method.forward(batch)
    terms = method.loss("classifier", batch, out)
    assert terms["c/cross_entropy"].item() == pytest.approx(cross_entropy(out.classes[2:], batch.target[2:], 0), 1e-5)
    assert out.foreign is not None
    own = torch.sigmoid(-out.foreign).detach().numpy()
    expected = -(np.log(1 - own[:2]).sum() + np.log(own[2:]).sum()) / 5
    assert terms["c/foreign_chroma"].item() == pytest.approx(expected, 1e-5)


def test_what_the_judge_learns_reaches_the_features() -> None:
    method, batch = method_of("method.foreign_chroma=0.5"), batch_of(4)
    method.loss("classifier", batch, method.forward(batch))["c/foreign_chroma"].backward()
    assert method.networks["classifier"].stem[0].weight.grad.abs().max() > 0
    assert method.networks["classifier"].head.weight.grad is None


def test_a_batch_that_is_too_small_for_its_part_is_left_in_its_colours() -> None:
    method, batch = method_of("method.foreign_chroma=0.2"), batch_of(4)
    assert set(method.loss("classifier", batch, method.forward(batch))) == {"c/cross_entropy", "c/foreign_chroma"}


def test_chroma_is_exchanged_and_luminance_stays() -> None:
    pictures = torch.rand(2, 3, 16, 16) * 0.2 - 0.1  # near grey, where sRGB has all that Lab asks for
    made = exchange_chroma(pictures[:1], pictures[1:])
    first, second, ours = (
        rgb2lab((one[0].permute(1, 2, 0).numpy() + 1) / 2) for one in (pictures[:1], pictures[1:], made)
    )
    np.testing.assert_allclose(ours[..., 0], first[..., 0], atol=0.05)
    np.testing.assert_allclose(ours[..., 1:], second[..., 1:], atol=0.05)


def test_the_network_alone_is_shipped() -> None:
    method = method_of()
    assert [(phase.name, phase.networks) for phase in method.phases] == [("classifier", ("classifier", "judge"))]
    assert method.exports == {"": "classifier"}
    assert method.memory() == {}
