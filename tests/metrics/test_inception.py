import hashlib

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tintype.errors import InputError, UsageError
from tintype.metrics.features import open_features
from tintype.metrics.fetch import CACHE_VARIABLE, INCEPTION, PublishedWeights
from tintype.metrics.inception import InceptionFeatures, InceptionV3
from tintype.metrics.tensors import load_state, read_state


def convolutions():
    """Every convolution of the published file: its name, and its shape as out, in, height, width."""
    yield "Conv2d_1a_3x3", (32, 3, 3, 3)
    yield "Conv2d_2a_3x3", (32, 32, 3, 3)
    yield "Conv2d_2b_3x3", (64, 32, 3, 3)
    yield "Conv2d_3b_1x1", (80, 64, 1, 1)
    yield "Conv2d_4a_3x3", (192, 80, 3, 3)
    for name, n, pool in (("Mixed_5b", 192, 32), ("Mixed_5c", 256, 64), ("Mixed_5d", 288, 64)):
        yield f"{name}.branch1x1", (64, n, 1, 1)
        yield f"{name}.branch5x5_1", (48, n, 1, 1)
        yield f"{name}.branch5x5_2", (64, 48, 5, 5)
        yield f"{name}.branch3x3dbl_1", (64, n, 1, 1)
        yield f"{name}.branch3x3dbl_2", (96, 64, 3, 3)
        yield f"{name}.branch3x3dbl_3", (96, 96, 3, 3)
        yield f"{name}.branch_pool", (pool, n, 1, 1)
    yield "Mixed_6a.branch3x3", (384, 288, 3, 3)
    yield "Mixed_6a.branch3x3dbl_1", (64, 288, 1, 1)
    yield "Mixed_6a.branch3x3dbl_2", (96, 64, 3, 3)
    yield "Mixed_6a.branch3x3dbl_3", (96, 96, 3, 3)
    for name, c in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        yield f"{name}.branch1x1", (192, 768, 1, 1)
        yield f"{name}.branch7x7_1", (c, 768, 1, 1)
        yield f"{name}.branch7x7_2", (c, c, 1, 7)
        yield f"{name}.branch7x7_3", (192, c, 7, 1)
        yield f"{name}.branch7x7dbl_1", (c, 768, 1, 1)
        yield f"{name}.branch7x7dbl_2", (c, c, 7, 1)
        yield f"{name}.branch7x7dbl_3", (c, c, 1, 7)
        yield f"{name}.branch7x7dbl_4", (c, c, 7, 1)
        yield f"{name}.branch7x7dbl_5", (192, c, 1, 7)
        yield f"{name}.branch_pool", (192, 768, 1, 1)
    yield "Mixed_7a.branch3x3_1", (192, 768, 1, 1)
    yield "Mixed_7a.branch3x3_2", (320, 192, 3, 3)
    yield "Mixed_7a.branch7x7x3_1", (192, 768, 1, 1)
    yield "Mixed_7a.branch7x7x3_2", (192, 192, 1, 7)
    yield "Mixed_7a.branch7x7x3_3", (192, 192, 7, 1)
    yield "Mixed_7a.branch7x7x3_4", (192, 192, 3, 3)
    for name, n in (("Mixed_7b", 1280), ("Mixed_7c", 2048)):
        yield f"{name}.branch1x1", (320, n, 1, 1)
        yield f"{name}.branch3x3_1", (384, n, 1, 1)
        yield f"{name}.branch3x3_2a", (384, 384, 1, 3)
        yield f"{name}.branch3x3_2b", (384, 384, 3, 1)
        yield f"{name}.branch3x3dbl_1", (448, n, 1, 1)
        yield f"{name}.branch3x3dbl_2", (384, 448, 3, 3)
        yield f"{name}.branch3x3dbl_3a", (384, 384, 1, 3)
        yield f"{name}.branch3x3dbl_3b", (384, 384, 3, 1)
        yield f"{name}.branch_pool", (192, n, 1, 1)


@pytest.fixture(scope="module")
def state():
    """Random weights under the names and in the shapes of the published file, which has a classifier too."""
    rng = torch.Generator().manual_seed(1)
    state = {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    for name, shape in convolutions():
        fan_in = np.prod(shape[1:])
        state[f"{name}.conv.weight"] = torch.randn(shape, generator=rng) * float(2 / fan_in) ** 0.5
        for key, low in (("weight", 0.8), ("bias", -0.2), ("running_mean", -0.2), ("running_var", 0.8)):
            state[f"{name}.bn.{key}"] = low + 0.4 * torch.rand(shape[0], generator=rng)
    return state


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).random((2, 40, 60, 3))


@pytest.fixture(scope="module")
def batch(pictures):
    """The pictures as the network sees them, in double precision."""
    planes = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    return F.interpolate(planes, (299, 299), mode="bicubic", antialias=True) * 2 - 1


@pytest.fixture(scope="module")
def expected(state, batch):
    with torch.no_grad():
        return plain({name: value.double() for name, value in state.items()}, batch).numpy()


def test_the_published_file_is_as_large_as_what_is_expected_in_it(state):
    assert len(list(convolutions())) == 94
    weights = sum(tensor.numel() for key, tensor in state.items() if "running" not in key and "fc" not in key)
    assert weights == 21_785_568, "23,834,568 of the published network, less its classifier of 1,000 classes"


def test_the_network_is_a_plain_computation_from_the_published_names(state, expected, batch):
    network = InceptionV3()
    load_state("inception", network, state)
    with torch.no_grad():
        assert network.double()(batch).numpy() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_features_are_those_of_pictures_resized_and_scaled(state, expected, pictures):
    network = InceptionFeatures(state, "0123456789")
    features = network(pictures)
    assert features.shape == (2, network.channels) == (2, 2048)
    assert features.dtype == np.float64
    assert features == pytest.approx(expected, rel=1e-4, abs=1e-5)  # it computes in single precision
    assert features.std() > 1e-2
    assert network.protocol == "inception-2015-12-05 01234567, 299 px bicubic antialiased"


def test_opening_takes_the_file_of_the_cache(state, tmp_path, monkeypatch):
    torch.save(
        state, tmp_path / INCEPTION.name, _use_new_zipfile_serialization=False
    )  # of the age of the published one
    digest = hashlib.sha256((tmp_path / INCEPTION.name).read_bytes()).hexdigest()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(
        "tintype.metrics.inception.INCEPTION", PublishedWeights(INCEPTION.name, INCEPTION.url, digest, "")
    )
    network = open_features("inception")
    assert digest[:8] in network.protocol
    assert network(np.zeros((0, 8, 8, 3))).shape == (0, 2048)


def test_another_network_and_other_arrays_are_refused_in_one_line(state):
    with pytest.raises(InputError, match=r"Mixed_7c.branch_pool.conv.weight is missing"):
        InceptionFeatures({key: tensor for key, tensor in state.items() if "Mixed_7c.branch_pool" not in key}, "x")
    with pytest.raises(InputError, match=r"Conv2d_1a_3x3.conv.weight has shape \(1,\) instead of \(32, 3, 3, 3\)"):
        InceptionFeatures({**state, "Conv2d_1a_3x3.conv.weight": torch.zeros(1)}, "x")
    with pytest.raises(UsageError, match="`n h w 3` is needed"):
        InceptionFeatures(state, "x")(np.zeros((8, 8, 3)))


def test_files_that_hold_more_than_weights_are_not_read(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"network": torch.nn.ReLU()}, path)
    with pytest.raises(InputError, match="holds more than weights"):
        read_state(path)
    torch.save([1, 2], path)
    with pytest.raises(InputError, match="no state dict"):
        read_state(path)
    path.write_bytes(b"damaged")
    with pytest.raises(InputError, match="is damaged"):
        read_state(path)


def plain(state, x):
    """Inception of 2015, written out."""

    def unit(name, x, stride=1, padding=0):
        x = F.conv2d(x, state[f"{name}.conv.weight"], stride=stride, padding=padding)
        mean, variance, weight, bias = (
            state[f"{name}.bn.{key}"][:, None, None] for key in ("running_mean", "running_var", "weight", "bias")
        )
        return ((x - mean) / (variance + 1e-3).sqrt() * weight + bias).clamp(min=0)

    def average(x):
        ones = torch.ones_like(x[:1, :1])
        return F.avg_pool2d(x, 3, 1, 1) / F.avg_pool2d(ones, 3, 1, 1)

    x = unit("Conv2d_1a_3x3", x, 2)
    x = unit("Conv2d_2b_3x3", unit("Conv2d_2a_3x3", x), padding=1)
    x = unit("Conv2d_4a_3x3", unit("Conv2d_3b_1x1", F.max_pool2d(x, 3, 2)))
    x = F.max_pool2d(x, 3, 2)
    for name in ("Mixed_5b.", "Mixed_5c.", "Mixed_5d."):
        five = unit(name + "branch5x5_2", unit(name + "branch5x5_1", x), padding=2)
        double = unit(name + "branch3x3dbl_2", unit(name + "branch3x3dbl_1", x), padding=1)
        double = unit(name + "branch3x3dbl_3", double, padding=1)
        x = torch.cat([unit(name + "branch1x1", x), five, double, unit(name + "branch_pool", average(x))], 1)
    double = unit("Mixed_6a.branch3x3dbl_2", unit("Mixed_6a.branch3x3dbl_1", x), padding=1)
    double = unit("Mixed_6a.branch3x3dbl_3", double, 2)
    x = torch.cat([unit("Mixed_6a.branch3x3", x, 2), double, F.max_pool2d(x, 3, 2)], 1)
    for name in ("Mixed_6b.", "Mixed_6c.", "Mixed_6d.", "Mixed_6e."):
        seven = unit(name + "branch7x7_2", unit(name + "branch7x7_1", x), padding=(0, 3))
        seven = unit(name + "branch7x7_3", seven, padding=(3, 0))
        double = unit(name + "branch7x7dbl_1", x)
        for number, padding in ((2, (3, 0)), (3, (0, 3)), (4, (3, 0)), (5, (0, 3))):
            double = unit(f"{name}branch7x7dbl_{number}", double, padding=padding)
        x = torch.cat([unit(name + "branch1x1", x), seven, double, unit(name + "branch_pool", average(x))], 1)
    three = unit("Mixed_7a.branch3x3_2", unit("Mixed_7a.branch3x3_1", x), 2)
    seven = unit("Mixed_7a.branch7x7x3_2", unit("Mixed_7a.branch7x7x3_1", x), padding=(0, 3))
    seven = unit("Mixed_7a.branch7x7x3_4", unit("Mixed_7a.branch7x7x3_3", seven, padding=(3, 0)), 2)
    x = torch.cat([three, seven, F.max_pool2d(x, 3, 2)], 1)
    for name in ("Mixed_7b.", "Mixed_7c."):
        three = unit(name + "branch3x3_1", x)
        double = unit(name + "branch3x3dbl_2", unit(name + "branch3x3dbl_1", x), padding=1)
        pooled = average(x) if name == "Mixed_7b." else F.max_pool2d(x, 3, 1, 1)
        x = torch.cat(
            [
                unit(name + "branch1x1", x),
                unit(name + "branch3x3_2a", three, padding=(0, 1)),
                unit(name + "branch3x3_2b", three, padding=(1, 0)),
                unit(name + "branch3x3dbl_3a", double, padding=(0, 1)),
                unit(name + "branch3x3dbl_3b", double, padding=(1, 0)),
                unit(name + "branch_pool", pooled),
            ],
            1,
        )
    return x.mean((2, 3))
