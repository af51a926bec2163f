"""Published backbones: from folders and files, without a network, and never again once a run has begun."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from tintype.console import Reporter
from tintype.errors import InputError, RecipeError
from tintype.inference.torch_runtime import load_network
from tintype.methods import Method, build_method
from tintype.metrics.fetch import CACHE_VARIABLE
from tintype.networks import EncoderUNet, build_generator
from tintype.recipe import Recipe, load_recipe
from tintype.training import train
from tintype.training.backbones import with_architecture
from tintype.training.rundir import RunDir
from tintype.training.start import start_from

transformers = pytest.importorskip("transformers")

ARCHITECTURE = "{model_type: resnet, embedding_size: 4, hidden_sizes: [4, 8], depths: [1, 2], layer_type: basic}"
SETTINGS = ["codec.chroma_size=null", "data.size=16", "generator.kind=encoder_unet", "generator.filters=2"]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole classifier as its makers publish it: `config.json` and `model.safetensors`."""
    torch.manual_seed(5)
    config = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[4, 8], depths=[1, 2], layer_type="basic")
    folder = tmp_path_factory.mktemp("published") / "own-resnet"
    transformers.ResNetForImageClassification(config).save_pretrained(folder)
    return folder


def recipe_of(*more: str) -> Recipe:
    return load_recipe("tiny", [*SETTINGS, *more])


def started(recipe: Recipe, run: Path) -> tuple[Method, list[str]]:
    recipe = with_architecture(recipe, RunDir(run))
    torch.manual_seed(1)
    method = build_method(recipe)
    return method, start_from(method, recipe)


def maps_of(method: Method, x: Tensor) -> list[Tensor]:
    network = method.networks["generator"].eval()
    assert isinstance(network, EncoderUNet)
    with torch.no_grad():
        return list(network.encoder.model(pixel_values=x).feature_maps)


def test_a_folder_gives_architecture_and_weights(published: Path, tmp_path: Path) -> None:
    method, notes = started(recipe_of(f"generator.backbone={published}"), tmp_path / "run")
    whole = transformers.ResNetForImageClassification.from_pretrained(published).eval()
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected = whole.resnet(x, output_hidden_states=True).hidden_states[1:]
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(maps_of(method, x), expected, strict=True))
    assert len(notes) == 1
    assert notes[0].startswith(f"encoder of the generator starts from {published}, sha256 ")


def test_the_cache_is_looked_at_before_the_hub(published: Path, tmp_path: Path) -> None:
    shutil.copytree(published, tmp_path / "cache" / "own-resnet")
    _, notes = started(recipe_of("generator.backbone=somebody/own-resnet"), tmp_path / "run")
    assert "starts from somebody/own-resnet, sha256 " in notes[0]


def test_a_run_says_which_commit_of_the_hub_it_got(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "hub" / "snapshots" / "0123abcd"
    shutil.copytree(published, snapshot)
    asked = []

    def fetch(backbone: str, name: str, revision: str | None) -> str:
        asked.append((backbone, name, revision))
        return str(snapshot / name)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fetch)
    recipe = recipe_of("generator.backbone=somebody/own-resnet", "generator.revision=1234")
    _, notes = started(recipe, tmp_path / "run")
    assert asked == [("somebody/own-resnet", name, "1234") for name in ("config.json", "model.safetensors")]
    assert "starts from somebody/own-resnet at commit 0123abcd, sha256 " in notes[0]


def test_a_revision_is_kept_apart_and_refused_where_it_means_nothing(published: Path, tmp_path: Path) -> None:
    shutil.copytree(published, tmp_path / "cache" / "own-resnet@v2")
    _, notes = started(recipe_of("generator.backbone=somebody/own-resnet", "generator.revision=v2"), tmp_path / "run")
    assert "starts from somebody/own-resnet, sha256 " in notes[0]
    with pytest.raises(RecipeError, match=r"generator\.revision=v2: .* is a folder and has no revisions"):
        started(recipe_of(f"generator.backbone={published}", "generator.revision=v2"), tmp_path / "run")
    for change, said in (("revision=../x", "string should match"), ("weights=none", "revision has no effect")):
        with pytest.raises(RecipeError, match=said):
            load_recipe("tiny", [*SETTINGS, "data.size=32", "generator.revision=v2", f"generator.{change}"])


def test_without_a_network_the_error_names_the_file_and_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"microsoft/resnet-18: its model\.safetensors cannot be fetched") as caught:
        started(load_recipe("tiny", [*SETTINGS, "data.size=32"]), tmp_path / "run")
    message = str(caught.value)
    assert str(tmp_path / "cache" / "resnet-18") in message
    assert "generator.weights=none" in message
    assert "\n" not in message


def test_an_unknown_backbone_asks_for_its_configuration_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"somebody/net: its config\.json cannot be fetched"):
        started(recipe_of("generator.backbone=somebody/net", "data.size=32"), tmp_path / "run")


def test_random_weights_need_nothing_from_anywhere(tmp_path: Path) -> None:
    _, notes = started(load_recipe("tiny", [*SETTINGS, "data.size=32", "generator.weights=none"]), tmp_path / "run")
    assert notes == ["encoder of the generator starts from random weights, as generator.weights=none asks"]


class Block(nn.Module):
    """A basic block of a ResNet with the names that torchvision gives its parts."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        same = stride == 1 and channels == out
        self.downsample = (
            None if same else nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class TorchvisionResNet(nn.Module):
    """A small one, with its classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 7, 2, 3, bias=False), nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(Block(4, 4, 1))
        self.layer2 = nn.Sequential(Block(4, 8, 2), Block(8, 8, 1))
        self.fc = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        first = self.layer1(x)
        return [first, self.layer2(first)]


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_torchvisions_state_dict_gives_the_same_maps(suffix: str, tmp_path: Path) -> None:
    torch.manual_seed(2)
    theirs = TorchvisionResNet()
    theirs(torch.rand(4, 3, 32, 32))  # statistics of its own
    path = tmp_path / f"resnet{suffix}"
    state = theirs.eval().state_dict()
    torch.save(state, path) if suffix == ".pth" else save_file(state, path)
    recipe = recipe_of(f"generator.architecture={ARCHITECTURE}", f"generator.weights={path}")
    method, notes = started(recipe, tmp_path / "run")
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected = theirs(x)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(maps_of(method, x), expected, strict=True))
    assert str(path) in notes[0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.pth", None, "there is no such file"),
        ("x.pth", b"nonsense", "damaged, or no file of weights"),
        ("x.safetensors", b"nonsense", "damaged, or no file of weights"),
        ("x.pth", [1, 2], "is no state dict of named tensors"),
        ("x.pth", {"conv1.weight": torch.zeros(1)}, "do not fit generator.backbone"),
        ("x.pth", {"a": torch.zeros(1)}, "weights are missing or of another shape"),
    ],
)
def test_files_that_hold_no_such_weights_are_refused_in_one_line(
    name: str, content: object, message: str, tmp_path: Path
) -> None:
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    elif content is not None:
        torch.save(content, tmp_path / name)
    recipe = recipe_of(f"generator.architecture={ARCHITECTURE}", f"generator.weights={tmp_path / name}")
    with pytest.raises((InputError, RecipeError), match=message) as caught:
        started(recipe, tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_code_in_a_file_of_weights_is_not_run(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(tmp_path / "run-by-pickle"),)

    torch.save({"conv1.weight": Payload()}, tmp_path / "x.pth")
    recipe = recipe_of(f"generator.architecture={ARCHITECTURE}", f"generator.weights={tmp_path / 'x.pth'}")
    with pytest.raises(InputError, match="damaged, or no file of weights"):
        started(recipe, tmp_path / "run")
    assert not (tmp_path / "run-by-pickle").exists()


def test_a_run_that_began_goes_on_and_its_model_loads_without_what_it_began_with(
    published: Path, tmp_path: Path, picture_set: Path
) -> None:
    folder = tmp_path / "own-resnet"
    shutil.copytree(published, folder)
    settings = [*SETTINGS, f"data.path={picture_set}", f"generator.backbone={folder}"]
    quiet = Reporter(quiet=True)
    assert train("tiny", tmp_path / "run", [*settings, "training.steps=1"], reporter=quiet)
    shutil.rmtree(folder)
    assert train("tiny", tmp_path / "run", [*settings, "training.steps=2"], reporter=quiet)
    network, card = load_network(tmp_path / "run/model.safetensors")
    assert isinstance(network, EncoderUNet)
    assert card.step > 0
    assert network.eval()(torch.zeros(1, 1, 16, 16)).shape == (1, 2, 16, 16)


def test_a_recipe_whose_architecture_nobody_has_read_builds_nothing() -> None:
    with pytest.raises(RecipeError, match=r"that of somebody/net is not known here"):
        build_generator(recipe_of("generator.backbone=somebody/net", "data.size=32"))


def test_a_configuration_that_names_code_gives_its_layers_alone(published: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(published, folder)
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace("{", '{"auto_map": {"AutoBackbone": "x.Y"}, ', 1))
    recipe = with_architecture(recipe_of(f"generator.backbone={folder}"), RunDir(tmp_path / "run"))
    assert recipe.generator.kind == "encoder_unet"
    assert recipe.generator.architecture is not None
    assert set(recipe.generator.architecture) >= {"model_type", "depths", "hidden_sizes"}
    assert "auto_map" not in recipe.generator.architecture
