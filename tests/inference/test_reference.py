"""Generators of the reference implementation: read as they were written, computing what they did, or refused.

The oracle is the reference's order of layers, written down anew as nested `nn.Sequential`s, so that names, positions
and outputs come from torch and not from the module under test.
"""

from __future__ import annotations

import io
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from tintype.cli import app
from tintype.errors import ModelFileError, UsageError
from tintype.image.file import read_image, write_image
from tintype.inference import reference
from tintype.inference.modelfile import read_card, read_safetensors
from tintype.inference.onnx import export_onnx
from tintype.inference.reference import contradictions, import_reference, read_options
from tintype.inference.runtime import OnnxRuntime, open_runtime
from tintype.inference.torch_runtime import load_network

RECORDED = Path(__file__).parents[1] / "data" / "reference_checkpoint"


# --- the oracle ------------------------------------------------------------------------------------------------------


class Skip(nn.Module):
    """A level of the reference's U-Net around the levels below it."""

    def __init__(self, outer, inner, below, norm, *, channels_in=None, outermost=False, dropout=False):
        super().__init__()
        self.outermost = outermost
        bias = norm == "instance"
        down = nn.Conv2d(channels_in or outer, inner, 4, 2, 1, bias=bias)
        up = nn.ConvTranspose2d(inner if below is None else 2 * inner, outer, 4, 2, 1, bias=bias or outermost)
        if outermost:
            layers = [down, below, nn.ReLU(), up, nn.Tanh()]
        elif below is None:
            layers = [nn.LeakyReLU(0.2), down, nn.ReLU(), up, normalisation(norm, outer)]
        else:
            layers = [nn.LeakyReLU(0.2), down, normalisation(norm, inner), below]
            layers += [nn.ReLU(), up, normalisation(norm, outer), *([nn.Dropout(0.5)] if dropout else [])]
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class Residual(nn.Module):
    def __init__(self, channels, norm, dropout):
        super().__init__()
        bias = norm == "instance"
        half = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), normalisation(norm, channels)]
        other = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), normalisation(norm, channels)]
        self.conv_block = nn.Sequential(*half, nn.ReLU(), *([nn.Dropout(0.5)] if dropout else []), *other)

    def forward(self, x):
        return x + self.conv_block(x)


class Whole(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x)


def normalisation(norm, channels):
    match norm:
        case "batch":
            return nn.BatchNorm2d(channels)
        case "instance":
            return nn.InstanceNorm2d(channels)
        case "none":
            return nn.Identity()


def unet(levels=7, norm="batch", dropout=False, channels=(3, 3), n=2):
    block = Skip(8 * n, 8 * n, None, norm)
    for _ in range(levels - 5):
        block = Skip(8 * n, 8 * n, block, norm, dropout=dropout)
    for outer in (4 * n, 2 * n, n):
        block = Skip(outer, 2 * outer, block, norm)
    return randomised(Whole(Skip(channels[1], n, block, norm, channels_in=channels[0], outermost=True)))


def resnet(blocks=6, norm="instance", dropout=False, channels=(3, 3), n=2):
    bias = norm == "instance"
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(channels[0], n, 7, bias=bias), normalisation(norm, n), nn.ReLU()]
    for width in (n, 2 * n):
        layers += [nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias), normalisation(norm, 2 * width), nn.ReLU()]
    layers += [Residual(4 * n, norm, dropout) for _ in range(blocks)]
    for width in (4 * n, 2 * n):
        up = nn.ConvTranspose2d(width, width // 2, 3, 2, 1, output_padding=1, bias=bias)
        layers += [up, normalisation(norm, width // 2), nn.ReLU()]
    return randomised(Whole(nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(n, channels[1], 7), nn.Tanh())))


def randomised(network):
    """Weights, gains and statistics that are all unlike their defaults."""
    random = torch.Generator().manual_seed(0)
    for name, value in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            value.fill_(80)
        elif name.endswith("running_var") or (value.ndim == 1 and name.endswith("weight")):
            value.copy_(torch.rand(value.shape, generator=random) + 0.5)
        else:
            value.copy_(torch.randn(value.shape, generator=random) * (0.2 if value.ndim == 1 else 0.3))
    return network.eval()


def picture(channels, size):
    return np.random.default_rng(1).uniform(-1, 1, (1, channels, size, size)).astype(np.float32)


def folder_of(tmp_path, state, name="latest_net_G.pth", **how):
    folder = tmp_path / "run"
    folder.mkdir(exist_ok=True)
    torch.save(state, folder / name, **how)
    return folder


def run_imported(folder, x, **how):
    out = folder.parent / "model.safetensors"
    imported = import_reference(folder, out, **how)
    return imported, open_runtime(out)[0](x)


def true_output(network, x):
    with torch.no_grad():
        return network(torch.from_numpy(x)).numpy()


# --- what is computed ------------------------------------------------------------------------------------------------

NETWORKS = {
    "unet_128, batch": (lambda: unet(7), ("unet", 7, "batch", None)),
    "unet_128, batch, dropout": (lambda: unet(7, dropout=True), ("unet", 7, "batch", None)),
    "unet_128, instance": (lambda: unet(7, "instance"), ("unet", 7, "instance", None)),
    "unet_256, batch": (lambda: unet(8), ("unet", 8, "batch", None)),
    "unet_128, no norm": (lambda: unet(7, "none"), ("unet", 7, "none", None)),
    "resnet_6blocks, instance": (lambda: resnet(6), ("resnet", 6, "instance", False)),
    "resnet_6blocks, instance, dropout": (lambda: resnet(6, dropout=True), ("resnet", 6, "instance", True)),
    "resnet_9blocks, batch": (lambda: resnet(9, "batch"), ("resnet", 9, "batch", False)),
    "resnet_9blocks, batch, dropout": (lambda: resnet(9, "batch", True), ("resnet", 9, "batch", True)),
    "resnet_6blocks, no norm": (lambda: resnet(6, "none"), ("resnet", 6, "none", False)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_found_out_from_its_weights_and_computes_the_same(name, tmp_path):
    make, facts = NETWORKS[name]
    network = make()
    x = picture(3, 256 if facts[1] == 8 else 128)
    imported, output = run_imported(folder_of(tmp_path, network.state_dict()), x)
    layout = imported.layout
    assert (layout.kind, layout.depth, layout.norm, layout.dropout) == facts
    assert (layout.filters, layout.channels_in, layout.channels_out) == (2, 3, 3)
    expected = true_output(network, x)
    assert expected.std() > 0.05
    np.testing.assert_allclose(output, expected, atol=1e-5)


def test_a_file_of_the_reference_itself_gives_the_output_that_was_recorded(tmp_path):
    imported = import_reference(RECORDED, tmp_path / "model.safetensors")
    assert str(imported.layout) == "residual generator of 6 blocks, 4 filters, instance normalisation, 3 to 3 channels"
    assert imported.notes == ()
    recipe = imported.card.recipe
    assert (recipe.generator.dropout, recipe.data.kind, recipe.data.size) == (0.5, "side_by_side", 128)
    output = open_runtime(tmp_path / "model.safetensors")[0](np.load(RECORDED / "input.npy"))
    np.testing.assert_allclose(output, np.load(RECORDED / "expected_G_eval.npy"), atol=1e-5)


def test_a_file_without_its_options_gives_the_same(tmp_path):
    shutil.copy(RECORDED / "latest_net_G.pth", tmp_path)
    imported = import_reference(tmp_path / "latest_net_G.pth", tmp_path / "model.safetensors")
    assert imported.card.recipe.generator.dropout == 0.5
    output = open_runtime(tmp_path / "model.safetensors")[0](np.load(RECORDED / "input.npy"))
    np.testing.assert_allclose(output, np.load(RECORDED / "expected_G_eval.npy"), atol=1e-5)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module."])
def test_prefixes_of_wrappers_are_passed_over(prefix, tmp_path):
    network, x = resnet(6), picture(3, 32)
    state = {prefix + name: value for name, value in network.state_dict().items()}
    np.testing.assert_allclose(run_imported(folder_of(tmp_path, state), x)[1], true_output(network, x), atol=1e-5)


def test_the_old_way_of_writing_files_is_read(tmp_path):
    network, x = resnet(6, "batch"), picture(3, 32)
    folder = folder_of(tmp_path, network.state_dict(), _use_new_zipfile_serialization=False)
    np.testing.assert_allclose(run_imported(folder, x)[1], true_output(network, x), atol=1e-5)


def test_half_and_double_precision_are_read(tmp_path):
    network, x = resnet(6).double(), picture(3, 32)
    folder = folder_of(tmp_path, network.state_dict())
    np.testing.assert_allclose(run_imported(folder, x)[1], true_output(network.float(), x), atol=1e-5)
    folder = folder_of(tmp_path, network.half().state_dict())
    np.testing.assert_allclose(run_imported(folder, x)[1], true_output(network.float(), x), atol=1e-5)


def test_statistics_that_instance_norm_once_kept_change_nothing(tmp_path):
    network, x = resnet(6), picture(3, 32)
    state = network.state_dict()
    for index, channels in {"2": 2, "5": 4, "8": 8, "10.conv_block.2": 8, "17": 4}.items():
        state[f"model.{index}.running_mean"] = torch.ones(channels)
        state[f"model.{index}.running_var"] = torch.full((channels,), 9.0)
        state[f"model.{index}.num_batches_tracked"] = torch.tensor(3)
    np.testing.assert_allclose(run_imported(folder_of(tmp_path, state), x)[1], true_output(network, x), atol=1e-5)


def test_counts_that_batch_norm_once_lacked_are_not_missed(tmp_path):
    network, x = unet(7), picture(3, 128)
    state = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
    np.testing.assert_allclose(run_imported(folder_of(tmp_path, state), x)[1], true_output(network, x), atol=1e-5)


def test_biases_that_once_stood_before_batch_norm_go_into_its_mean(tmp_path):
    network, x = resnet(6, "batch"), picture(3, 32)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is None:
            width = module.out_channels
            module.bias = nn.Parameter(torch.linspace(-0.5, 0.5, width))
    expected = true_output(network, x)
    np.testing.assert_allclose(run_imported(folder_of(tmp_path, network.state_dict()), x)[1], expected, atol=1e-5)


@pytest.mark.parametrize("make", [lambda: unet(7), lambda: resnet(6, "batch")], ids=["unet", "resnet"])
def test_reference_mode_normalises_by_the_picture_and_survives_export(make, tmp_path):
    network, x = make(), picture(3, 256)
    imported, output = run_imported(folder_of(tmp_path, network.state_dict()), x, batch_statistics=True)
    assert imported.card.recipe.inference.batch_statistics
    assert imported.card.tiling == "approximate"
    plain = true_output(network, x)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
    expected = true_output(network, x)
    assert np.abs(expected - plain).max() > 0.01
    np.testing.assert_allclose(output, expected, atol=1e-5)
    loaded, card = load_network(tmp_path / "model.safetensors")
    export_onnx(loaded, card, tmp_path / "model.onnx", size=128)
    np.testing.assert_allclose(OnnxRuntime(tmp_path / "model.onnx")(x), expected, atol=1e-4)


def test_reference_mode_says_where_it_changes_nothing(tmp_path):
    network, x = resnet(6), picture(3, 32)
    imported, output = run_imported(folder_of(tmp_path, network.state_dict()), x, batch_statistics=True)
    assert any("--reference-mode changes nothing" in note for note in imported.notes)
    np.testing.assert_allclose(output, true_output(network, x), atol=1e-5)


# --- what becomes of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "codec", "data"),
    [((3, 3), "rgb", "folders"), ((1, 3), "rgb", "folders"), ((1, 1), "gray", "folders"), ((1, 2), "lab", "colour")],
)
def test_channels_choose_the_codec(channels, codec, data, tmp_path):
    network = resnet(6, channels=channels)
    imported, _ = run_imported(folder_of(tmp_path, network.state_dict()), picture(channels[0], 32))
    recipe = imported.card.recipe
    assert (recipe.codec.kind, recipe.data.kind, recipe.data.size) == (codec, data, 256)
    assert getattr(recipe.codec, "source", None) == {(3, 3): "rgb", (1, 3): "grey"}.get(channels)


def test_options_become_fields_of_the_recipe_and_old_names_are_known(tmp_path):
    folder = folder_of(tmp_path, unet(7).state_dict())
    (folder / "opt.txt").write_text(
        "------------ Options -------------\n"
        "batchSize: 4\n                 fineSize: 128                           \t[default: 256]\nloadSize: 143\n"
        "which_direction: BtoA\ndataset_mode: aligned\ngan_mode: lsgan\nlambda_L1: 10.0\nlr: 0.001\nbeta1: 0.9\n"
        "no_dropout: True\nwhich_model_netG: unet_128\nnorm: batch\nmodel: pix2pix\n"
        "-------------- End ----------------\n"
    )
    imported = import_reference(folder, tmp_path / "model.safetensors")
    recipe = imported.card.recipe
    assert imported.notes == ()
    assert (recipe.data.size, recipe.data.load_size, recipe.data.direction) == (128, 143, "ba")
    assert recipe.data.kind == "side_by_side"
    assert (recipe.method.adversarial, recipe.method.lambda_l1) == ("lsgan", 10)
    assert (recipe.optimiser.lr, recipe.optimiser.betas, recipe.training.batch_size) == (0.001, (0.9, 0.999), 4)
    assert recipe.generator.dropout == 0


@pytest.mark.parametrize(
    ("net", "order", "direction"), [("G_A", "AtoB", "ab"), ("G_B", "AtoB", "ba"), ("G_A", "BtoA", "ba")]
)
def test_a_generator_of_two_becomes_a_model_of_its_direction(net, order, direction, tmp_path):
    folder, x = folder_of(tmp_path, resnet(6).state_dict(), f"latest_net_{net}.pth"), picture(3, 32)
    (folder / "train_opt.txt").write_text(
        f"model: cycle_gan\ndataset_mode: unaligned\ndirection: {order}\ngan_mode: vanilla\nlambda_A: 8.0\n"
        "lambda_B: 9.0\nlambda_identity: 0.5\npool_size: 20\n"
    )
    imported = import_reference(folder, tmp_path / "model.safetensors", net=net)
    recipe, method = imported.card.recipe, imported.card.recipe.method
    assert (recipe.data.kind, imported.card.direction) == ("unpaired", direction)
    assert [note.split(":")[0] for note in imported.notes] == ["lambda_A and lambda_B differ"]
    assert (method.kind, method.adversarial, method.pool) == ("cyclegan", "vanilla", 20)
    assert (method.lambda_cycle, method.lambda_cycle_b, method.lambda_identity) == (8, 9, 4)
    network, card = load_network(tmp_path / "model.safetensors")
    assert card.direction == direction
    assert network(torch.from_numpy(x)).shape == x.shape


@pytest.mark.parametrize(("net", "direction"), [("G_A", "ab"), ("G_B", "ba")])
def test_without_options_the_names_of_files_tell_the_direction(net, direction, tmp_path):
    folder = folder_of(tmp_path, resnet(6).state_dict(), f"latest_net_{net}.pth")
    card = import_reference(folder, tmp_path / "model.safetensors", net=net).card
    assert (card.direction, card.recipe.method.kind) == (direction, "cyclegan")
    other = {"ab": "ba", "ba": "ab"}[direction]
    with pytest.raises(UsageError, match=f"translates {direction}; name it model_{direction}.safetensors"):
        import_reference(folder, tmp_path / f"model_{other}.safetensors", net=net)


def test_options_that_contradict_the_weights_are_named_and_lose(tmp_path):
    folder = folder_of(tmp_path, unet(7).state_dict())
    (folder / "train_opt.txt").write_text("netG: resnet_9blocks\nngf: 64\nnorm: syncbatch\ninput_nc: 1\n")
    imported = import_reference(folder, tmp_path / "model.safetensors")
    assert imported.card.recipe.generator.kind == "unet"
    assert imported.notes == (
        "the options say netG resnet_9blocks, the weights unet_128; the weights count",
        "the options say ngf 64, the weights 2; the weights count",
        "the options say input_nc 1, the weights 3; the weights count",
    )


def test_nonsense_in_options_changes_nothing(tmp_path):
    folder = folder_of(tmp_path, unet(7).state_dict())
    (folder / "train_opt.txt").write_bytes(
        b"crop_size: 100\nload_size: many\nlr: -1\nbeta1: nan\nlambda_L1: inf\nbatch_size: 1e99\n\xff\xfe: \x00\n"
    )
    recipe = import_reference(folder, tmp_path / "model.safetensors").card.recipe
    assert (recipe.data.size, recipe.data.load_size, recipe.optimiser.lr) == (256, None, 2e-4)
    assert (recipe.method.lambda_l1, recipe.training.batch_size) == (100, 1)


def test_of_two_generators_one_is_chosen_and_the_other_named(tmp_path):
    one, other, x = resnet(6), resnet(9), picture(3, 32)
    folder = folder_of(tmp_path, one.state_dict(), "latest_net_G_A.pth")
    folder_of(tmp_path, other.state_dict(), "latest_net_G_B.pth")
    folder_of(tmp_path, other.state_dict(), "25_net_G_A.pth")
    folder_of(tmp_path, {}, "latest_net_D_A.pth")
    imported, output = run_imported(folder, x)
    assert imported.notes == ("G_B not imported: --net chooses",)
    assert imported.card.direction == "ab"
    np.testing.assert_allclose(output, true_output(one, x), atol=1e-5)
    imported, output = run_imported(folder, x, net="G_B")
    assert imported.card.direction == "ba"
    np.testing.assert_allclose(output, true_output(other, x), atol=1e-5)
    assert run_imported(folder, x, epoch="25")[0].layout.depth == 9
    with pytest.raises(ModelFileError, match=r"no 30_net_G\.pth; it has 25_net_G_A\.pth, latest_net_G_A\.pth"):
        run_imported(folder, x, epoch="30")


def test_the_channels_of_the_way_back_contradict_nothing(tmp_path):
    folder = folder_of(tmp_path, resnet(6, channels=(1, 3)).state_dict(), "latest_net_G_B.pth")
    (folder / "train_opt.txt").write_text("input_nc: 3\noutput_nc: 1\n")
    imported = import_reference(folder, tmp_path / "model.safetensors", net="G_B")
    assert contradictions(read_options(folder), imported.layout, imported.checkpoint) == []


def test_the_commands_take_an_imported_model(tmp_path):
    model, arguments = tmp_path / "model.safetensors", ["import", str(RECORDED), "--out"]
    result = CliRunner().invoke(app, [*arguments, str(model)])
    assert result.exit_code == 0 and "residual generator of 6 blocks" in result.stdout
    write_image(tmp_path / "a.png", np.full((40, 52, 3), 0.5, np.float32))
    for command in (
        ["export", str(model), "--out", str(tmp_path / "model.onnx")],
        ["inspect", str(tmp_path / "model.onnx")],
        ["translate", str(tmp_path / "a.png"), "--model", str(model), "--out", str(tmp_path / "new")],
    ):
        assert CliRunner().invoke(app, command).exit_code == 0, command
    assert read_image(tmp_path / "new" / "a.png").pixels.shape == (40, 52, 3)
    assert read_card(tmp_path / "model.onnx").model_copy(update={"exported": None}) == read_card(model)


def test_the_same_file_gives_the_same_model(tmp_path):
    for name in ("a", "b"):
        import_reference(RECORDED, tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert {str(value.dtype) for value in read_safetensors(tmp_path / "a.safetensors")[0].values()} == {"float32"}


# --- what is refused -------------------------------------------------------------------------------------------------


class Code:
    def __reduce__(self):
        return os.mkdir, ("pwned",)


def saved(content, **how):
    file = io.BytesIO()
    torch.save(content, file, **how)
    return file.getvalue()


def changed(**changes):
    state = resnet(6, "batch").state_dict()
    for name, value in changes.items():
        state[name.replace("__", ".")] = value
    return saved(state)


def without(*names):
    return saved({name: value for name, value in resnet(6, "batch").state_dict().items() if name not in names})


def bomb():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"")
        archive.writestr("x/data/0", bytes(10_000_000))
    return file.getvalue()


def crowd():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(reference.MAX_MEMBERS + 1):
            archive.writestr(f"x/data/{number}", b"")
    return file.getvalue()


MUTATIONS = {
    "truncated": (lambda: changed()[:-1000], "damaged"),
    "truncated, old form": (
        lambda: saved(resnet(6).state_dict(), _use_new_zipfile_serialization=False)[:-9],
        "damaged",
    ),
    "empty": (lambda: b"", "damaged"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), "damaged"),
    "text": (lambda: b"<html>404 Not Found</html>", "damaged"),
    "wrong names": (lambda: saved({"conv.weight": torch.zeros(2, 2, 3, 3)}), "neither a U-Net nor a residual"),
    "a discriminator": (
        lambda: saved({"model.0.weight": torch.zeros(2, 6, 4, 4), "model.0.bias": torch.zeros(2)}),
        r"model\.0\.weight",
    ),
    "a missing weight": (lambda: without("model.12.conv_block.5.weight"), r"lacks model\.12\.conv_block\.5\.weight"),
    "a missing first layer": (lambda: without("model.1.weight"), r"lacks model\.1\.weight"),
    "a missing mean": (lambda: without("model.5.running_mean"), r"lacks model\.5\.running_mean"),
    "no statistics at all": (
        lambda: without(*(name for name in resnet(6, "batch").state_dict() if "running" in name)),
        "without statistics",
    ),
    "a weight too many": (lambda: changed(model__30__weight=torch.zeros(2)), r"holds model\.30\.weight, which"),
    "a wrong shape": (lambda: changed(model__4__weight=torch.zeros(4, 3, 3, 3)), r"model\.4\.weight has shape \(4, 3"),
    "a wrong first shape": (lambda: changed(model__1__weight=torch.zeros(5)), r"shapes \(5,\)"),
    "an empty first weight": (lambda: changed(model__1__weight=torch.zeros(0, 3, 7, 7)), r"shapes \(0, 3"),
    "too many filters": (lambda: changed(model__1__weight=torch.zeros(600, 3, 1, 1)), "fits no recipe"),
    "four channels": (lambda: saved(resnet(6, channels=(4, 3)).state_dict()), "4 to 3 channels"),
    "twice, with and without prefix": (lambda: changed(module__model__4__weight=torch.zeros(1)), "twice"),
    "anti-aliased": (lambda: changed(model__7__filt=torch.zeros(4, 1, 3, 3)), "anti-aliased"),
    "not a number": (lambda: changed(model__4__weight=torch.full((4, 2, 3, 3), torch.nan)), "not finite"),
    "whole numbers": (lambda: changed(model__4__weight=torch.zeros(4, 2, 3, 3, dtype=torch.int32)), "tensor of floats"),
    "sparse": (lambda: changed(model__4__weight=torch.eye(3).to_sparse()), "tensor of floats"),
    "huge by a trick": (lambda: changed(model__4__weight=torch.zeros(1).expand(2**40)), "more than"),
    "strings": (lambda: saved({"a": "b", "c": "d"}), "not weights"),
    "a wrapper": (lambda: saved({"state_dict": {"a": torch.zeros(1)}, "epoch": 3}), "state_dict, epoch are not"),
    "a list": (lambda: saved([torch.zeros(1)]), "holds a list"),
    "nothing": (lambda: saved({}), "not weights by name"),
    "a zip bomb": (bomb, "zip bomb"),
    "too many members": (crowd, "members"),
    "code": (lambda: saved({"a": Code()}), "wants to call .*mkdir"),
    "code, old form": (lambda: saved({"a": Code()}, _use_new_zipfile_serialization=False), "wants to call .*mkdir"),
    "a plain pickle with code": (lambda: pickle.dumps({"a": Code()}), "run code"),
    "a whole module": (lambda: saved(nn.Conv2d(1, 1, 1)), r"wants to call torch\.nn"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_bad_file_ends_in_one_clear_line(name, tmp_path, monkeypatch):
    content, message = MUTATIONS[name]
    monkeypatch.chdir(tmp_path)
    path, out = tmp_path / "latest_net_G.pth", tmp_path / "model.safetensors"
    path.write_bytes(content())
    with pytest.raises(ModelFileError, match=message) as error:
        import_reference(path, out)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    result = CliRunner().invoke(app, ["import", str(path), "--out", str(out)])
    assert isinstance(result.exception, ModelFileError) and result.exception.exit_code == 1
    assert result.output == ""
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_files_beyond_the_limits_are_refused_before_they_are_read(tmp_path, monkeypatch):
    path = tmp_path / "latest_net_G.pth"
    path.write_bytes(changed())
    for limit, message in (("MAX_BYTES", "at most 10 are read"), ("MAX_PICKLE_BYTES", "list of weights")):
        with monkeypatch.context() as patch, pytest.raises(ModelFileError, match=message):
            patch.setattr(reference, limit, 10)
            patch.setattr(torch, "load", None)
            import_reference(path, tmp_path / "model.safetensors")


def test_what_is_not_there_is_said_to_be_missing(tmp_path):
    out = tmp_path / "model.safetensors"
    with pytest.raises(ModelFileError, match="no such file or folder"):
        import_reference(tmp_path / "lost", out)
    with pytest.raises(ModelFileError, match=r"holds no latest_net_G\.pth; give the folder"):
        import_reference(tmp_path, out)


def test_wrong_usage_is_told_apart_from_bad_files(tmp_path):
    with pytest.raises(UsageError, match=r"must end in \.safetensors"):
        import_reference(RECORDED, tmp_path / "model.onnx")
    with pytest.raises(UsageError, match="leave them out"):
        import_reference(RECORDED / "latest_net_G.pth", tmp_path / "model.safetensors", net="G")
