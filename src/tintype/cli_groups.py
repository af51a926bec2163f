"""The commands that come in groups, `tintype recipe ...` and `tintype data ...`; like `cli.py`, without logic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

recipe_app = typer.Typer(help="Built-in recipes and the fields of a recipe.", no_args_is_help=True)
data_app = typer.Typer(help="Fetch sets of pictures, and look at them before training.", no_args_is_help=True)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@recipe_app.command("list")
def recipe_list() -> None:
    """List the built-in recipes."""
    from tintype.recipe import load_recipe, preset_names

    names = preset_names()
    for name in names:
        typer.echo(f"{name:<{max(map(len, names))}}  {load_recipe(name).description}")


@recipe_app.command("show")
def recipe_show(
    recipe: Annotated[str, typer.Argument(help="Name of a built-in recipe, or a YAML file.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="section.field=value")] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Layers, parameters and multiply-adds of its networks instead.")
    ] = False,
) -> None:
    """Print a recipe with every field written out."""
    from tintype.recipe import dump_recipe, load_recipe

    resolved = load_recipe(recipe, overrides or [])
    if summary:
        from tintype.methods.summary import format_summary, summarise

        typer.echo(format_summary(summarise(resolved)))
    else:
        typer.echo(dump_recipe(resolved), nl=False)


@recipe_app.command("schema")
def recipe_schema() -> None:
    """Print the JSON schema of a recipe: every field with its meaning, type and default."""
    from tintype.recipe import Recipe

    typer.echo(json.dumps(Recipe.model_json_schema(), indent=1))


@data_app.command("check")
def data_check(
    folder: Annotated[Path, typer.Argument(help="Folder of pictures, or an .npz file of them.")],
    kind: Annotated[
        str | None, typer.Option(help="colour, folders, side_by_side, unpaired or labelled; default: found out.")
    ] = None,
    sheet: Annotated[Path | None, typer.Option(help="Also draw a contact sheet of sources and targets.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what is in a folder of pictures, and what is wrong with it."""
    from tintype.command_line import check_data

    check_data(folder, kind, sheet, as_json)


@data_app.command("get")
def data_get(
    name: Annotated[str | None, typer.Argument(help="Name of a public set, as --list gives it.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder that becomes the set; default: data/NAME.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave what was downloaded in the folder OUT.download.")] = False,
    list_sets: Annotated[bool, typer.Option("--list", help="List the sets and fetch none.")] = False,
) -> None:
    """Download a public set of pictures, ready to train on; a broken-off download goes on where it stopped."""
    from tintype.command_line import get_data, list_public_sets

    if list_sets:
        list_public_sets()
    else:
        get_data(name, out, keep)


@data_app.command("prepare")
def data_prepare(
    source: Annotated[str, typer.Argument(help="Folder of pictures, or an .npz file of them.")],
    out: Annotated[Path, typer.Option(help="Folder to make, or an .npz file.")],
    source_b: Annotated[str | None, typer.Option("--b", help="Second domain, for unpaired training.")] = None,
    size: Annotated[int, typer.Option(min=16, max=8192, help="Shorter side in pixels.")] = 256,
    crop: Annotated[bool, typer.Option("--crop", help="Cut the centre square; an .npz file needs that.")] = False,
    picture_format: Annotated[
        str | None, typer.Option("--format", help="png (lossless, the default) or jpg (a quarter of its size).")
    ] = None,
    validation: Annotated[float, typer.Option(min=0, max=1, help="Fraction for val.")] = 0.15,
    test: Annotated[float, typer.Option(min=0, max=1, help="Fraction for test.")] = 0.2,
) -> None:
    """Reduce pictures and divide them into train, val and test."""
    from tintype.command_line import prepare_data

    raise typer.Exit(prepare_data(source, out, source_b, size, crop, picture_format, validation, test))
