"""`tintype translate` and `tintype colorize`, and the options that they share; like `cli.py`, without logic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Inputs = Annotated[list[str], typer.Argument(help="Pictures, folders, glob patterns; - for standard input.")]
Model = Annotated[
    Path,
    typer.Option(
        "--model", "-m", help="A run folder, a .onnx or a .safetensors file; bundled or bundled:hubble: Tintype's own."
    ),
]
Colouriser = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="photos|hubble|MODEL", help="One that comes with Tintype, a run folder or model file."
    ),
]
Direction = Annotated[
    str | None, typer.Option(metavar="ab|ba", help="Which one of a run that trained both; default: ab.")
]
Out = Annotated[Path | None, typer.Option(help="Folder for the results; names and structure are kept. Not with -.")]
Strength = Annotated[float, typer.Option(help="Factor on predicted chroma.")]
KeepColour = Annotated[bool, typer.Option("--keep-colour", help="Leave pictures that have colour already as they are.")]
PictureFormat = Annotated[
    str | None,
    typer.Option("--format", metavar="png|tif|jpg|webp|avif|fits", help="Of the results; default: that of each input."),
]
Overwrite = Annotated[bool, typer.Option(help="Replace results that are there already.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print a line of JSON for each file.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Files in work at a time; default: cores.")]
Memory = Annotated[str | None, typer.Option(metavar="SIZE", help="Keep to so much memory, as in 500MB or 2GiB.")]
Tile = Annotated[
    int | None, typer.Option(min=1, metavar="PX", help="Side of tiles; default: as large as memory allows.")
]
Edges = Annotated[
    bool | None, typer.Option("--edges/--no-edges", help="Enlarge chroma along the edges of the picture.")
]
Statistics = Annotated[
    str, typer.Option(metavar="auto|tile|whole", help="What instance norm of a tiled picture is taken over.")
]
Hdu = Annotated[
    str | None, typer.Option(metavar="N|NAME", help="Extension of FITS files, from 0; default: the first picture.")
]
Plane = Annotated[int, typer.Option(min=1, help="Plane of FITS cubes, from 1.")]
Stretch = Annotated[str, typer.Option(metavar="asinh|zscale|percentile|linear", help="FITS values to display values.")]
Flux = Annotated[bool, typer.Option("--flux", help="FITS results in the units of the input.")]
Page = Annotated[int, typer.Option(min=1, help="Page of TIFF files and frame of animations, from 1.")]
OtherPages = Annotated[
    str, typer.Option(metavar="leave|keep|refuse", help="What becomes of the other pages of TIFF files.")
]
Pyramid = Annotated[bool, typer.Option("--pyramid", help="TIFF results with reduced copies, for viewers.")]
Uncertainty = Annotated[
    bool, typer.Option("--uncertainty", help="Also write NAME.uncertainty.png: where the colour is a guess.")
]
Seed = Annotated[
    int | None, typer.Option(min=0, help="Of a model with noise, and of the passes of --uncertainty; default: 0.")
]
HintPoints = Annotated[
    list[str] | None,
    typer.Option("--hint", metavar="X,Y,#RRGGBB", help="A colour at a point of the one picture; repeatable."),
]
HintsFile = Annotated[
    Path | None, typer.Option("--hints", metavar="FILE.json", help="A list of such points: x, y and colour of each.")
]
Reference = Annotated[
    Path | None, typer.Option("--reference", metavar="PICTURE", help="Take the colours of this picture.")
]
Isolate = Annotated[bool, typer.Option("--isolate", help="Work in processes that may die, for files from strangers.")]
TimeLimit = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="For each file; sure only with --isolate, else asked between strips."),
]
MaxPixels = Annotated[float | None, typer.Option(metavar="N", help="Refuse larger pictures; default: 1e9.")]


def translate(
    inputs: Inputs,
    model: Model,
    out: Out = None,
    direction: Direction = None,
    strength: Strength = 1.0,
    keep_colour: KeepColour = False,
    picture_format: PictureFormat = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    workers: Workers = None,
    memory: Memory = None,
    tile: Tile = None,
    edges: Edges = None,
    statistics: Statistics = "auto",
    hdu: Hdu = None,
    plane: Plane = 1,
    stretch: Stretch = "asinh",
    flux: Flux = False,
    page: Page = 1,
    other_pages: OtherPages = "leave",
    pyramid: Pyramid = False,
    uncertainty: Uncertainty = False,
    seed: Seed = None,
    hint: HintPoints = None,
    hints: HintsFile = None,
    reference: Reference = None,
    isolate: Isolate = False,
    time_limit: TimeLimit = None,
    max_pixels: MaxPixels = None,
) -> None:
    """Translate pictures of any size with a trained model; a file that fails is named, the rest goes on."""
    from tintype import command_translate

    asked = command_translate.Asked(
        inputs=inputs,
        model=model,
        out=out,
        direction=direction,
        strength=strength,
        keep_colour=keep_colour,
        picture_format=picture_format,
        overwrite=overwrite,
        as_json=as_json,
        workers=workers,
        memory=memory,
        tile=tile,
        edges=edges,
        statistics=statistics,
        hdu=hdu,
        plane=plane,
        stretch=stretch,
        flux=flux,
        page=page,
        other_pages=other_pages,
        pyramid=pyramid,
        uncertainty=uncertainty,
        seed=seed,
        hint_points=tuple(hint or ()),
        hints_file=hints,
        reference=reference,
        isolate=isolate,
        time_limit=time_limit,
        max_pixels=max_pixels,
    )
    raise typer.Exit(command_translate.translate(asked))


def colorize(
    inputs: Inputs,
    out: Out = None,
    model: Colouriser = "photos",
    direction: Direction = None,
    strength: Strength = 1.0,
    keep_colour: KeepColour = False,
    picture_format: PictureFormat = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    workers: Workers = None,
    memory: Memory = None,
    tile: Tile = None,
    edges: Edges = None,
    statistics: Statistics = "auto",
    hdu: Hdu = None,
    plane: Plane = 1,
    stretch: Stretch = "asinh",
    flux: Flux = False,
    page: Page = 1,
    other_pages: OtherPages = "leave",
    pyramid: Pyramid = False,
    uncertainty: Uncertainty = False,
    seed: Seed = None,
    hint: HintPoints = None,
    hints: HintsFile = None,
    reference: Reference = None,
    isolate: Isolate = False,
    time_limit: TimeLimit = None,
    max_pixels: MaxPixels = None,
) -> None:
    """Colour pictures of any size with a model that comes with Tintype; otherwise as `tintype translate`."""
    from tintype.inference.bundled import colouriser

    translate(
        inputs=inputs,
        model=colouriser(model),
        out=out,
        direction=direction,
        strength=strength,
        keep_colour=keep_colour,
        picture_format=picture_format,
        overwrite=overwrite,
        as_json=as_json,
        workers=workers,
        memory=memory,
        tile=tile,
        edges=edges,
        statistics=statistics,
        hdu=hdu,
        plane=plane,
        stretch=stretch,
        flux=flux,
        page=page,
        other_pages=other_pages,
        pyramid=pyramid,
        uncertainty=uncertainty,
        seed=seed,
        hint=hint,
        hints=hints,
        reference=reference,
        isolate=isolate,
        time_limit=time_limit,
        max_pixels=max_pixels,
    )
