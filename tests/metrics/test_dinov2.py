import sys

import numpy as np
import pytest
import torch
from PIL import Image

from tintype.errors import InputError, MissingExtraError
from tintype.metrics.features import open_features
from tintype.metrics.fetch import CACHE_VARIABLE

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache that holds a tiny network where the published one would be."""
    folder = tmp_path_factory.mktemp("cache")
    torch.manual_seed(0)
    config = transformers.Dinov2Config(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14
    )
    transformers.Dinov2Model(config).save_pretrained(folder / "dinov2-base")
    return folder


def test_features_are_the_class_token_of_normalised_pictures(cache, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(cache))
    network = open_features("dinov2")
    pictures = np.random.default_rng(0).random((2, 300, 260, 3)).astype(np.float32)
    features = network(pictures)
    assert features.shape == (2, network.channels) == (2, 24)
    assert features.dtype == np.float64

    planes = [[Image.fromarray(plane) for plane in np.moveaxis(p, -1, 0)] for p in pictures]
    resized = np.array([[plane.resize((224, 224), Image.Resampling.BICUBIC) for plane in p] for p in planes])
    normalised = (resized - np.reshape([0.485, 0.456, 0.406], (3, 1, 1))) / np.reshape([0.229, 0.224, 0.225], (3, 1, 1))
    model = transformers.Dinov2Model.from_pretrained(cache / "dinov2-base").eval()
    with torch.no_grad():
        expected = model(torch.from_numpy(normalised).float()).pooler_output
    assert features == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-6)


def test_the_protocol_names_weights_and_size(cache, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(cache))
    name, digest, *rest = open_features("dinov2").protocol.split()
    assert (name, rest) == ("dinov2-base", ["224", "px", "bicubic", "antialiased"])
    assert len(digest.rstrip(",")) == 8


def test_without_a_network_the_error_names_the_files_and_where_to_put_them(tmp_path, monkeypatch):
    def offline(*_, revision):
        assert len(revision) == 40, "what comes is fixed by its hash"
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    with pytest.raises(InputError) as caught:
        open_features("dinov2")
    message = str(caught.value)
    assert "model.safetensors" in message and str(tmp_path / "dinov2-base") in message and "online" in message
    assert "\n" not in message


def test_damaged_files_are_an_error_of_one_line(tmp_path, monkeypatch):
    (tmp_path / "dinov2-base").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "dinov2-base" / name).write_text("damaged")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match="no usable facebook/dinov2-base") as caught:
        open_features("dinov2")
    assert "\n" not in str(caught.value)


def test_without_transformers_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"tintype\[train,features\]"):
        open_features("dinov2")
