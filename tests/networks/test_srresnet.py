"""The enlarging generator: the published form, where it starts, and how far it sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tintype.image.resize import resize
from tintype.networks import build_generator
from tintype.networks.srresnet import BicubicEnlarging, SrResNet
from tintype.recipe import load_recipe

ENLARGE = ["codec={kind: enlarge, scale: %d}", "data.size=48"]


def test_the_published_form_has_the_published_layers() -> None:
    with torch.device("meta"):
        network = SrResNet(3, 3, norm="batch", activation="prelu", end_kernel=9, upsample="shuffle", skip="none")
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    # k9n64, sixteen blocks of two k3n64, k3n64, two k3n256, k9n3 (Ledig et al. 2017, figure 4)
    assert [layer.out_channels for layer in convolutions] == [64, *[64] * 33, 256, 256, 3]
    assert [layer.kernel_size[0] for layer in convolutions] == [9, *[3] * 35, 9]
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in network.modules()) == 33
    assert sum(isinstance(layer, nn.PReLU) for layer in network.modules()) == 1 + 16 + 2


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_its_bicubic_enlarging_is_that_of_the_baseline(scale: int) -> None:
    picture = np.random.default_rng(0).random((7, 5, 3), dtype=np.float32)
    enlarged = BicubicEnlarging(scale)(torch.from_numpy(picture).permute(2, 0, 1)[None])
    expected = resize(picture, 7 * scale, 5 * scale, "cubic")
    np.testing.assert_allclose(enlarged[0].permute(1, 2, 0).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("upsample", ["direct", "shuffle", "resize"])
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_with_a_bicubic_skip_it_begins_as_bicubic_enlarging(upsample: str, scale: int) -> None:
    generator = f"generator={{kind: srresnet, filters: 2, blocks: 1, upsample: {upsample}}}"
    network = build_generator(load_recipe("tiny", [ENLARGE[0] % scale, ENLARGE[1], generator]))
    x = torch.rand(2, 3, 5, 6) * 2 - 1
    assert torch.equal(network(x), BicubicEnlarging(scale)(x))


@pytest.mark.parametrize("upsample", ["direct", "shuffle"])
def test_pixel_shuffles_begin_without_checkerboards(upsample: str) -> None:
    generator = f"generator={{kind: srresnet, filters: 4, blocks: 1, skip: none, upsample: {upsample}, norm: none}}"
    network = build_generator(load_recipe("tiny", [ENLARGE[0] % 2, ENLARGE[1], generator]))
    first = network.enlarge[:2] if upsample == "direct" else network.enlarge[0][:2]
    enlarged = first(torch.randn(1, 4, 6, 6))
    assert enlarged.std() > 0.01
    assert torch.equal(enlarged, enlarged[..., ::2, ::2].repeat_interleave(2, -1).repeat_interleave(2, -2))


@pytest.mark.parametrize(("scale", "end_kernel"), [(2, 3), (4, 9), (3, 5)])
@pytest.mark.parametrize("upsample", ["direct", "shuffle", "resize"])
def test_the_receptive_radius_covers_every_pixel_that_changes_an_output_pixel(
    scale: int, end_kernel: int, upsample: str
) -> None:
    network = SrResNet(1, 1, scale=scale, filters=1, blocks=2, end_kernel=end_kernel, upsample=upsample).double()
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.01, 0.02)  # positive weights: no path is switched off by an activation
    furthest = 0
    for offset in range(scale):
        x = torch.rand(1, 1, 50, 50, dtype=torch.float64, requires_grad=True)
        network(x)[0, 0, 25 * scale + offset, 25 * scale + offset].backward()
        reached = x.grad[0, 0].nonzero()
        furthest = max(furthest, 25 - int(reached.min()), int(reached.max()) - 25)
    assert network.receptive_radius_px - 2 <= furthest <= network.receptive_radius_px
