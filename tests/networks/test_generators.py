"""The networks of plain GANs have exactly the parameters that they should have, and sides that they can have."""

from __future__ import annotations

import pytest
import torch

from tintype.methods.summary import format_summary, summarise
from tintype.networks import build_discriminator, build_generator
from tintype.networks.blocks import Head
from tintype.networks.dcgan import DcganDiscriminator, DcganGenerator
from tintype.networks.lapgan import LapganDiscriminator, LapganGenerator, enlarged, pyramid
from tintype.recipe import load_recipe
from tintype.recipe.generators import halvings


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", ["fashion-gan", "fashion-gan-document"])
def test_the_networks_of_the_document_have_its_numbers_of_parameters(name):
    recipe = load_recipe(name)
    assert parameters(build_generator(recipe)) == 227_344
    assert parameters(build_discriminator(recipe, 1)) == 201_217


def test_a_summary_counts_parameters_and_multiplications():
    generator, discriminator = summarise(load_recipe("fashion-gan"))
    assert (generator.name, generator.parameters, generator.inputs) == ("generator", 227_344, ((100,),))
    assert generator.macs == 100 * 256 + 256 * 784
    assert [row.shape for row in generator.rows] == [(256,), (784,)]
    assert (discriminator.parameters, discriminator.macs) == (201_217, 784 * 256 + 256)
    text = format_summary([generator, discriminator])
    assert "227,344 parameters, 226 k multiply-adds" in text
    assert "201,217 parameters, 201 k multiply-adds" in text


def test_multiplications_of_convolutions_are_those_of_their_definition():
    recipe = load_recipe("fashion-dcgan", ["generator.filters=2", "discriminator.filters=2"])
    generator, discriminator = summarise(recipe)
    assert generator.macs == 100 * 4 * 49 + 49 * 4 * 2 * 16 + 196 * 2 * 1 * 16  # transposed: each input pixel
    assert discriminator.macs == 196 * 1 * 2 * 16 + 49 * 2 * 4 * 16 + 49 * 4


@pytest.mark.parametrize("side", [8, 16, 28, 32, 48, 64])
def test_a_picture_is_halved_down_to_at_least_four_pixels(side):
    levels = halvings(side)
    assert levels >= 1
    assert side >> levels >= 4
    assert (side >> levels) * 2**levels == side
    generator = DcganGenerator(3, side, latent=4, classes=0, levels=levels, filters=1)
    pictures = generator(torch.randn(2, 4))
    assert pictures.shape == (2, 3, side, side)
    assert DcganDiscriminator(3, side, levels=levels, filters=1)(pictures).shape == (2, 1)


@pytest.mark.parametrize("label", [None, torch.tensor([0, 2])])
@pytest.mark.parametrize("side", [16, 28, 20])
def test_a_pyramid_makes_each_level_upon_the_one_below(side, label):
    torch.manual_seed(0)
    levels, classes = halvings(side), 0 if label is None else 3
    generator = LapganGenerator(2, side, latent=20, detail=3, classes=classes, levels=levels, filters=2, hidden=4)
    noise = torch.randn(2, 20)
    made = generator(noise, label)
    assert made.shape == (2, 2, side, side)
    upon = [torch.zeros(2, 2, side >> level, side >> level) for level in reversed(range(levels + 1))]
    for level in range(levels + 1):
        upon[level] = generator(noise, label, upon)[level]  # a "real" pyramid that is what it makes itself
    torch.testing.assert_close(upon[-1], made)
    assert [picture.shape[-1] for picture in upon] == [side >> level for level in reversed(range(levels + 1))]
    kind = "none" if label is None else "projection"
    judge = LapganDiscriminator(2, side, levels=levels, filters=2, hidden=4, labels=kind, classes=classes)
    real = pyramid(made, levels)
    each = [judge.judge(level, real[level], real, label) for level in range(levels + 1)]
    torch.testing.assert_close(judge(made, label), sum(each) / (levels + 1))
    torch.testing.assert_close(judge(real, label, real), each)


def test_halving_keeps_the_mean_and_enlarging_a_plain_picture():
    real = pyramid(torch.rand(1, 3, 28, 28), 2)
    assert [level.shape[-1] for level in real] == [7, 14, 28]
    assert {round(level.mean().item(), 4) for level in real} == {round(real[-1].mean().item(), 4)}
    torch.testing.assert_close(enlarged(torch.full((1, 1, 7, 7), 0.3)), torch.full((1, 1, 14, 14), 0.3))


def test_projection_adds_what_the_features_are_worth_to_the_class():
    head, features = Head(5, "projection", 3), torch.randn(4, 5)
    label = torch.tensor([0, 1, 2, 1])
    own = (features * head.by_class.weight.T[label]).sum(1)
    torch.testing.assert_close(head(features, label)[:, 0], head(features)[:, 0] + own)
