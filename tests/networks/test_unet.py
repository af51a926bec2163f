from __future__ import annotations

import pytest
import torch
from torch import nn

from tintype.networks import build_generator
from tintype.networks.unet import UNet
from tintype.recipe import load_recipe


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("channels", "levels", "norm", "count"),
    [  # the published pix2pix networks, counted from their released layers
        ((3, 3), 8, "batch", 54_413_955),
        ((3, 3), 8, "instance", 54_409_603),
        ((3, 3), 7, "batch", 41_828_995),
        ((1, 2), 8, "batch", 54_409_858),
    ],
)
def test_it_has_as_many_parameters_as_the_published_network(
    channels: tuple[int, int], levels: int, norm: str, count: int
) -> None:
    with torch.device("meta"):
        assert parameters(UNet(*channels, levels=levels, norm=norm)) == count


@pytest.mark.parametrize("levels", [5, 6, 7, 8])
def test_dropout_sits_in_the_middle_blocks_only(levels: int) -> None:
    with torch.device("meta"):
        network = UNet(1, 3, filters=2, levels=levels)
    dropped = [int(level) for level, block in network.up.items() if any(isinstance(m, nn.Dropout) for m in block)]
    assert dropped == {8: [6, 5, 4], 7: [5, 4], 6: [4], 5: [3]}[levels]


@pytest.mark.parametrize("upsample", ["transposed", "resize"])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_output_is_smaller_than_the_input_by_the_output_stride(upsample: str, norm: str, stride: int) -> None:
    network = UNet(1, 2, filters=2, levels=4, norm=norm, upsample=upsample, output_stride=stride)
    output = network(torch.rand(2, 1, 32, 48))
    assert output.shape == (2, 2, 32 // stride, 48 // stride)
    assert output.abs().max() <= 1


def test_a_wrong_output_stride_is_refused() -> None:
    with pytest.raises(ValueError, match="power of two below"):
        UNet(1, 2, levels=3, output_stride=3)
    with pytest.raises(ValueError, match="power of two below"):
        UNet(1, 2, levels=3, output_stride=8)


@pytest.mark.parametrize("upsample", ["transposed", "resize"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_the_receptive_radius_is_the_furthest_pixel_that_changes_an_output_pixel(
    upsample: str, stride: int, blocks: int
) -> None:
    network = UNet(
        1, 1, filters=2, levels=2, bottleneck_blocks=blocks, norm="none", upsample=upsample, output_stride=stride
    ).double()
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.01, 0.02)  # positive weights: no path is switched off by an activation
    furthest = 0
    for output in range(40 // stride, 40 // stride + 4):
        x = torch.rand(1, 1, 80, 80, dtype=torch.float64, requires_grad=True)
        network(x)[0, 0, output, output].backward()
        reached = x.grad[0, 0].nonzero()
        first, last = output * stride, (output + 1) * stride - 1
        furthest = max(furthest, first - int(reached.min()), int(reached.max()) - last)
    assert furthest == network.receptive_radius_px


@pytest.mark.parametrize("blocks", [0, 2])
def test_without_instance_norm_a_tile_equals_the_same_part_of_the_whole(blocks: int) -> None:
    network = UNet(1, 1, filters=2, levels=2, bottleneck_blocks=blocks, norm="batch").eval()
    assert network.tiling == "exact"
    radius = -(-network.receptive_radius_px // 8) * 8
    x = torch.rand(1, 1, 96, 96)
    whole = network(x)[..., 40:56, 40:56]
    part = network(x[..., 40 - radius : 56 + radius, 40 - radius : 56 + radius])
    torch.testing.assert_close(part[..., radius : radius + 16, radius : radius + 16], whole)


def test_residual_blocks_stand_between_encoder_and_decoder_and_change_no_other_name() -> None:
    plain, blocks = (UNet(1, 3, filters=2, levels=3, bottleneck_blocks=count).state_dict() for count in (0, 2))
    assert {name for name in blocks if not name.startswith("bottleneck.")} == plain.keys()
    assert {name.split(".")[1] for name in blocks.keys() - plain.keys()} == {"0", "1"}


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_residual_blocks_change_the_output_and_work_on_the_smallest_map(norm: str) -> None:
    network = UNet(1, 3, filters=2, levels=3, bottleneck_blocks=2, norm=norm).eval()
    x = torch.rand(1, 1, network.multiple_of, network.multiple_of)
    output = network(x)
    network.bottleneck = nn.Sequential()
    assert not torch.allclose(network(x), output)


def test_instance_norm_makes_tiling_approximate() -> None:
    assert UNet(1, 1, filters=2, levels=2, norm="instance").tiling == "approximate"


def test_hints_begin_without_effect_and_leave_all_other_weights_as_they_were() -> None:
    networks = []
    for overrides in ([], ["data.hints.mean=4"]):
        torch.manual_seed(5)
        networks.append(build_generator(load_recipe("tiny", ["generator.levels=3", *overrides])).eval())
    before, after = networks
    states = before.state_dict(), after.state_dict()
    assert states[1].keys() - states[0].keys() == {"hints.weight"}
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    x, hints = torch.rand(2, 1, 16, 24) * 2 - 1, torch.rand(2, 3, 16, 24)
    with torch.no_grad():
        assert torch.equal(after(x, hints=hints), before(x))
        torch.nn.init.normal_(after.hints.weight)
        assert torch.equal(after(x, hints=torch.zeros_like(hints)), before(x))
        assert torch.equal(after(x), before(x))
        assert not torch.equal(after(x, hints=hints), before(x))


def test_hints_reach_just_the_places_that_the_picture_reaches_there() -> None:
    network = UNet(1, 2, filters=2, levels=3, norm="none", hints=True).eval()
    torch.nn.init.normal_(network.hints.weight)
    x, hints = torch.rand(1, 1, 64, 64), torch.zeros(1, 3, 64, 64)
    nudged, told = x.clone(), hints.clone()
    nudged[..., 30, 33] += 1
    told[..., 30, 33] = 1
    with torch.no_grad():
        by_picture = (network(nudged, hints=hints) - network(x, hints=hints)).abs().sum(1) > 0
        by_hint = (network(x, hints=told) - network(x, hints=hints)).abs().sum(1) > 0
    assert by_hint.any()
    assert torch.equal(by_hint, by_picture)
