import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torchmetrics.functional.image.lpips as theirs
from torch.nn import functional as F

from tintype.errors import InputError, UsageError
from tintype.metrics import fetch
from tintype.metrics.fetch import ALEXNET, CACHE_VARIABLE, LPIPS_ALEX, LPIPS_VGG, VGG16
from tintype.metrics.lpips import SIDE, Lpips, open_lpips
from tintype.metrics.tensors import read_state

SHIPPED = Path(theirs.__file__).parent / "lpips_models"
"""torchmetrics ships the published weights of the channels."""

# Number of the layer, its channels and window; then after which numbers maxima are pooled: torchvision's files.
CONVOLUTIONS = {
    "alex": [(0, 64, 11), (3, 192, 5), (6, 384, 3), (8, 256, 3), (10, 256, 3)],
    "vgg": [
        *[(0, 64, 3), (2, 64, 3), (5, 128, 3), (7, 128, 3), (10, 256, 3), (12, 256, 3), (14, 256, 3)],
        *[(17, 512, 3), (19, 512, 3), (21, 512, 3), (24, 512, 3), (26, 512, 3), (28, 512, 3)],
    ],
}
POOLED_BEFORE = {"alex": (3, 6), "vgg": (5, 10, 17, 24)}
JUDGED = {"alex": (0, 3, 6, 8, 10), "vgg": (2, 7, 14, 21, 28)}


def published(trunk):
    """Random weights under the names and in the shapes of the published file."""
    rng = torch.Generator().manual_seed(3)
    state, inputs = {"classifier.1.weight": torch.zeros(2, 2)}, 3
    for number, outputs, size in CONVOLUTIONS[trunk]:
        scale = (2 / (inputs * size * size)) ** 0.5
        state[f"features.{number}.weight"] = scale * torch.randn(outputs, inputs, size, size, generator=rng)
        state[f"features.{number}.bias"] = 0.1 * torch.randn(outputs, generator=rng)
        inputs = outputs
    return state


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    x = rng.random((2, 49, 64, 3))
    return x, np.clip(x + 0.2 * rng.normal(size=x.shape), 0, 1)


@pytest.mark.parametrize(("trunk", "known"), [("alex", LPIPS_ALEX), ("vgg", LPIPS_VGG)])
def test_the_published_weights_of_the_channels_have_the_known_hash_and_are_read(trunk, known):
    path = SHIPPED / f"{trunk}.pth"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == known.sha256
    state = read_state(path)
    assert [state[f"lin{i}.model.1.weight"].shape[1] for i in range(5)] == [
        outputs for number, outputs, _ in CONVOLUTIONS[trunk] if number in JUDGED[trunk]
    ]
    assert all((tensor >= 0).all() for tensor in state.values())


@pytest.mark.parametrize("trunk", ["alex", "vgg"])
def test_the_distance_equals_the_definition(trunk, pictures):
    state, linear = published(trunk), read_state(SHIPPED / f"{trunk}.pth")
    found = Lpips(trunk, state, linear, "x")(*pictures)
    expected = [definition(trunk, state, linear, x, y) for x, y in zip(*pictures, strict=True)]
    assert found == pytest.approx(expected, rel=1e-4)
    assert found.dtype == np.float64


def test_equal_pictures_are_0_apart_and_order_does_not_matter(pictures):
    lpips = Lpips("alex", published("alex"), read_state(SHIPPED / "alex.pth"), "x")
    x, y = pictures
    assert lpips(x, x) == pytest.approx(0, abs=1e-9)
    assert lpips(x, y) == pytest.approx(lpips(y, x))
    assert (lpips(x, y) > 0).all()
    assert lpips(x[:0], y[:0]).shape == (0,)


@pytest.mark.parametrize("trunk", ["alex", "vgg"])
def test_the_smallest_pictures_leave_something_in_every_layer(trunk):
    lpips = Lpips(trunk, published(trunk), read_state(SHIPPED / f"{trunk}.pth"), "x")
    x = np.random.default_rng(0).random((1, SIDE, SIDE, 3))
    assert np.isfinite(lpips(x, 1 - x)).all()
    with pytest.raises(UsageError, match="too small: use 32 x 32 pixels or more"):
        lpips(x[:, 1:], x[:, 1:])
    with pytest.raises(UsageError, match="give two of one shape"):
        lpips(x, x[:, 1:])


def test_weights_of_another_network_are_refused_by_name():
    with pytest.raises(InputError, match=r"lpips alex: 0\.weight has shape"):
        Lpips("alex", published("vgg"), read_state(SHIPPED / "alex.pth"), "x")
    with pytest.raises(InputError, match=r"lpips alex channel weights: 2\.weight is missing"):
        heads = {key: tensor for key, tensor in read_state(SHIPPED / "alex.pth").items() if "lin2" not in key}
        Lpips("alex", published("alex"), heads, "x")


@pytest.mark.parametrize(("trunk", "network", "linear"), [("alex", ALEXNET, LPIPS_ALEX), ("vgg", VGG16, LPIPS_VGG)])
def test_opening_takes_the_files_of_the_cache_and_names_them(trunk, network, linear, tmp_path, monkeypatch, pictures):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    (tmp_path / linear.name).write_bytes((SHIPPED / f"{trunk}.pth").read_bytes())
    torch.save(published(trunk), tmp_path / network.name)
    made = fetch.PublishedWeights(
        network.name, network.url, hashlib.sha256((tmp_path / network.name).read_bytes()).hexdigest(), ""
    )
    monkeypatch.setattr(f"tintype.metrics.lpips.{'ALEXNET' if trunk == 'alex' else 'VGG16'}", made)
    lpips = open_lpips(trunk)
    assert lpips.protocol == f"lpips 0.1 {trunk} {made.sha256[:8]}+{linear.sha256[:8]}, pictures as they are"
    assert lpips(*pictures).shape == (2,)


def definition(trunk, state, linear, x, y):
    """One distance, from the weights by their published names."""
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    # The authors' shift and scale are these in [-1, 1], to three digits.
    assert np.abs((2 * mean - 1) - [-0.030, -0.088, -0.188]).max() < 1e-9
    assert np.abs(2 * deviation - [0.458, 0.448, 0.450]).max() < 1e-9
    maps = [torch.from_numpy(((p - mean) / deviation).astype(np.float32)).permute(2, 0, 1)[None] for p in (x, y)]
    total, judged = 0.0, 0
    for number, _, size in CONVOLUTIONS[trunk]:
        stride, padding = (4, 2) if size == 11 else (1, size // 2)
        for i, one in enumerate(maps):
            if number in POOLED_BEFORE[trunk]:
                one = F.max_pool2d(one, 3 if trunk == "alex" else 2, stride=2)
            weight, bias = state[f"features.{number}.weight"], state[f"features.{number}.bias"]
            maps[i] = F.conv2d(one, weight, bias, stride, padding).clamp(min=0)
        if number in JUDGED[trunk]:
            a, b = (one[0].double().numpy() for one in maps)
            a, b = (p / np.maximum(np.linalg.norm(p, axis=0), 1e-10) for p in (a, b))
            channel_weights = linear[f"lin{judged}.model.1.weight"].double().numpy().ravel()
            total += (channel_weights[:, None, None] * (a - b) ** 2).sum(axis=0).mean()
            judged += 1
    return total
