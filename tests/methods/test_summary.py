"""Every built-in recipe has a summary of all its networks, without their weights ever being made."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from tintype.cli import app
from tintype.methods.summary import summarise
from tintype.networks import build_generator
from tintype.recipe import load_recipe, preset_names


@pytest.mark.parametrize("name", preset_names())
def test_a_recipe_has_a_summary_of_all_its_networks(name: str) -> None:
    summaries = summarise(load_recipe(name))
    assert summaries
    for one in summaries:
        assert one.inputs and one.rows
        assert one.parameters == sum(row.parameters for row in one.rows)
        assert one.macs > 0


def test_parameters_are_those_of_the_network_itself() -> None:
    recipe = load_recipe("tiny")
    network = build_generator(recipe)
    found = {one.name: one for one in summarise(recipe)}["generator"]
    assert found.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert found.rows[0].shape[1] == recipe.data.size // 2


def test_the_command_prints_it() -> None:
    result = CliRunner().invoke(app, ["recipe", "show", "fashion-gan", "--summary"])
    assert result.exit_code == 0, result.output
    assert "227,344 parameters" in result.output and "201,217 parameters" in result.output
