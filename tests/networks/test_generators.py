"""The networks of plain GANs have exactly the parameters that they should have, and sides that they can have."""

from __future__ import annotations

import pytest
import torch

from tintype.methods.summary import format_summary, summarise
from tintype.networks import build_discriminator, build_generator
from tintype.networks.blocks import Head
from tintype.networks.dcgan import DcganDiscriminator, DcganGenerator
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


def test_projection_adds_what_the_features_are_worth_to_the_class():
    head, features = Head(5, "projection", 3), torch.randn(4, 5)
    label = torch.tensor([0, 1, 2, 1])
    own = (features * head.by_class.weight.T[label]).sum(1)
    torch.testing.assert_close(head(features, label)[:, 0], head(features)[:, 0] + own)
