"""Perceptual content loss: features of the shipped classifier, or of VGG weights by path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tintype.errors import InputError, UsageError
from tintype.methods import perceptual
from tintype.methods.perceptual import open_perceptual
from tintype.metrics.classifier import open_caltech101
from tintype.metrics.lpips import vgg_layers
from tintype.networks import Classifier


def test_the_shipped_classifier_is_rebuilt_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Classifier] = []
    monkeypatch.setattr(
        perceptual, "Classifier", lambda *args, **more: kept.append(Classifier(*args, **more)) or kept[0]
    )
    open_perceptual("caltech101")
    pictures = np.random.default_rng(0).random((2, 64, 64, 3), dtype=np.float32)
    with torch.no_grad():
        features, _ = kept[0](torch.from_numpy(pictures).permute(0, 3, 1, 2) * 2 - 1)
    np.testing.assert_allclose(features.numpy(), open_caltech101()(pictures), atol=1e-4)


def test_equal_pictures_are_at_no_distance_and_blurring_costs_gradients() -> None:
    torch.manual_seed(0)
    loss, target = open_perceptual("caltech101"), torch.rand(2, 3, 32, 32) * 2 - 1
    assert loss(target, target).item() == 0
    blurred = torch.nn.functional.avg_pool2d(target, 5, 1, 2).requires_grad_()
    distance = loss(blurred, target)
    distance.backward()
    assert 0.05 < distance.item() < 5
    assert blurred.grad.abs().max() > 0


@pytest.mark.parametrize("counts", [(2, 2, 3, 3, 3), (2, 2, 4, 4, 4)], ids=["VGG16", "VGG19"])
def test_weights_of_vgg_are_taken_from_a_file(counts: tuple[int, ...], tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = vgg_layers(counts)
    torch.save({f"features.{name}": value for name, value in layers.state_dict().items()}, tmp_path / "vgg.pth")
    loss = open_perceptual(str(tmp_path / "vgg.pth"))
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    assert loss(x, x).item() == 0
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = layers(((x + 1) / 2 - mean[:, None, None]) / deviation[:, None, None])
        torch.testing.assert_close(list(loss._features(x))[-1], expected, atol=1e-4, rtol=1e-4)


def test_a_file_that_is_missing_or_holds_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file; give caltech101 or the weights of VGG16 or VGG19"):
        open_perceptual(str(tmp_path / "none.pth"))
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"0\.weight is missing"):
        open_perceptual(str(tmp_path / "other.pth"))
