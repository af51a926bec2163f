"""Shim."""

COLOUR_REPLACED = "its own colour was replaced"
