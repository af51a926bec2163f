"""Recipes as plain data; nothing here imports torch."""

from __future__ import annotations

from tintype.recipe.load import dump_recipe, load_recipe, parse_recipe, preset_names, recipe_fields
from tintype.recipe.schema import Recipe

__all__ = ["Recipe", "dump_recipe", "load_recipe", "parse_recipe", "preset_names", "recipe_fields"]
