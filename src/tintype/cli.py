"""The command line: one function a command, none with logic of its own. Engines are imported inside the commands."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tintype.cli_groups import JsonFlag, data_app, recipe_app
from tintype.cli_serve import serve
from tintype.cli_translate import Direction, Model, colorize, translate
from tintype.errors import MissingExtraError, TintypeError

app = typer.Typer(
    help="Turn one kind of picture into another: train and run image-to-image translation GANs.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(recipe_app, name="recipe")
app.add_typer(data_app, name="data")


def main() -> None:
    """Entry point: runs a command, and turns every deliberate error into one line and an exit code."""
    match sys.argv[1:]:
        case ["--show-completion", shell]:  # without a name, Typer finds out which shell it was called from
            os.environ["_TINTYPE_COMPLETE"] = f"source_{shell}"
    try:
        app(prog_name="tintype")
    except TintypeError as error:
        fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        extra = MissingExtraError(
            f"this command needs {error.name}, which the base install leaves out: pip install 'tintype[train]'"
        )
        fail(str(extra), extra.exit_code)
    except KeyboardInterrupt:
        fail("interrupted", 130)
    except BrokenPipeError:  # whoever read our output has gone, as `| head` does
        sys.stderr.close()
        raise SystemExit(0) from None


def fail(message: str, code: int) -> None:
    """Print an error and leave."""
    print(f"tintype: {message}", file=sys.stderr)  # noqa: T201
    raise SystemExit(code)


@app.command()
def demo(out: Annotated[Path, typer.Option(help="Folder for everything that the demo makes.")] = Path("demo")) -> None:
    """Colour real Hubble pictures with a network that is trained before your eyes."""
    from tintype.demo import run_demo

    if not run_demo(out):
        raise typer.Exit(130)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a built-in recipe, or a YAML file.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="section.field=value, as in data.path=photos.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; default: runs/NAME.")] = None,
) -> None:
    """Train a recipe; the same command again goes on exactly where it stopped."""
    from tintype.recipe import load_recipe

    resolved = load_recipe(recipe, overrides or [])
    from tintype import api

    if not api.train(resolved, out or Path("runs") / resolved.name):
        raise typer.Exit(130)


@app.command()
def sweep(
    recipe: Annotated[str, typer.Argument(help="Name of a built-in recipe, its YAML file, or that of an experiment.")],
    settings: Annotated[
        list[str] | None, typer.Argument(help="section.field=value for all trials, =v1,v2 to try, =low..high for TPE.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the sweep; default: sweeps/NAME.")] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Trials of TPE, default 20; of a grid: the first N.")
    ] = None,
    search: Annotated[
        str | None, typer.Option(metavar="grid|tpe", help="Default: grid, or tpe where there is a range.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Trainings at a time.")] = 1,
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help="postgresql://... shared by many machines; default: a file in OUT."),
    ] = None,
    prune: Annotated[
        bool | None, typer.Option("--prune/--no-prune", help="Stop trials below the median early; default: with TPE.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Train again what failed in an earlier call.")
    ] = False,
) -> None:
    """Train a recipe with many settings, each once; the same command again goes on where it stopped."""
    from tintype.command_line import run_sweep

    if not run_sweep(recipe, settings or [], out, trials, search, jobs, storage, prune, retry_failed):
        raise typer.Exit(130)


app.command()(translate)
app.command()(colorize)
for spelling in ("colourise", "colourize", "colorise"):
    app.command(spelling, hidden=True)(colorize)
app.command()(serve)


@app.command()
def evaluate(
    models: Annotated[
        list[Path],
        typer.Option(
            "--model", "-m", metavar="RUN", help="A run folder or model file; repeated: folds of a cross-validation."
        ),
    ],
    data: Annotated[Path | None, typer.Option(help="Pictures to score; default: the run's own test pictures.")] = None,
    direction: Direction = None,
    size: Annotated[int | None, typer.Option(min=16, help="Side in pixels of the centre crop.")] = None,
    baselines: Annotated[
        list[Path] | None,
        typer.Option("--baseline", metavar="RUN", help="Another run or model file to judge it beside; repeatable."),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Judges realism: caltech101 (default), inception, dinov2, none; samples: also fashion.",
        ),
    ] = None,
    lpips: Annotated[str | None, typer.Option(metavar="alex|vgg", help="Also LPIPS by this network.")] = None,
    ms_ssim: Annotated[
        bool | None, typer.Option("--ms-ssim/--no-ms-ssim", help="MS-SSIM; default: from 176 pixels a side on.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the scores to this file; - for standard output.")
    ] = None,
) -> None:
    """Score a model beside the trivial baselines, or one from noise beside real pictures."""
    from tintype.command_line import evaluate_model

    evaluate_model(models, data, direction, size, baselines or [], features, lpips, ms_ssim, json_file)


@app.command()
def sample(
    model: Model,
    picture: Annotated[
        Path | None, typer.Argument(help="A picture to draw results of, with a model that takes noise beside it.")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option("-n", "--count", min=1, max=10_000, help="Pictures in the grid; default: 64, of a picture 8."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The picture to write; of clips .gif and .webp play.")] = Path("grid.png"),
    seed: Annotated[int, typer.Option(min=0, help="Of the noise; the same seed draws the same pictures.")] = 0,
    label: Annotated[
        str | None, typer.Option(metavar="CLASS", help="One class, by name or number; default: a row for each.")
    ] = None,
) -> None:
    """Draw pictures with a model that makes them from noise, or many results of one picture."""
    from tintype.command_sample import sample

    sample(model, picture, count, out, seed, label)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, and files of scores to show above them.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
) -> None:
    """Write one self-contained page about one or several runs."""
    from tintype.report import write_report

    typer.echo(write_report(runs, out))


@app.command()
def blind(
    inputs: Annotated[
        list[Path] | None, typer.Argument(help="The model, where --model is not given; with --score: files of answers.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", "-m", help="A run folder, a .onnx or a .safetensors file.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Pictures to show; default: the run's own test pictures. Seen ones are left out."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The page to write; default: blind.html.")] = None,
    direction: Direction = None,
    size: Annotated[
        int | None, typer.Option(min=16, help="Side in pixels of the pictures; default: as scored.")
    ] = None,
    count: Annotated[int, typer.Option(help="Pictures that count; half of them are real.")] = 40,
    practice: Annotated[int, typer.Option(help="Practice rounds before, with other pictures.")] = 6,
    controls: Annotated[
        float, typer.Option(metavar="FRACTION", help="How many of those that are not real are controls.")
    ] = 0.2,
    exposure: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Show each picture for so long; default: until the answer.")
    ] = None,
    strength: Annotated[float, typer.Option(help="Factor on predicted chroma.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Decides which pictures are shown, and as what.")] = 0,
    score: Annotated[bool, typer.Option("--score", help="Score the answers of one or several persons.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="With --score: also write this file; - for standard output.")
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="With --score: also write a line for each picture to this file.")
    ] = None,
) -> None:
    """Make a page on which people tell real pictures from generated ones, and score what they answered."""
    from tintype import command_blind

    if score:
        command_blind.score(inputs or [], json_file, csv_file)
    else:
        command_blind.make(
            inputs or [],
            model,
            data=data,
            out=out or Path("blind.html"),
            direction=direction,
            size=size,
            count=count,
            practice=practice,
            controls=controls,
            exposure=exposure,
            strength=strength,
            seed=seed,
        )


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="A run folder or a .safetensors file.")],
    out: Annotated[Path, typer.Option(help="The .onnx file to write.")],
    direction: Direction = None,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="Convolutions in 8 bits, as far as they bear it: a smaller file, often faster on CPUs."
        ),
    ] = False,
    fp16: Annotated[
        bool, typer.Option("--fp16", help="Weights in half precision: half the file, the same results.")
    ] = False,
    size: Annotated[
        str, typer.Option(metavar="PX|dynamic", help="The one height and width that it takes, or any.")
    ] = "dynamic",
    calibrate: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Pictures that --int8 is calibrated on and judged by; default: some of the run's own."
        ),
    ] = None,
    limit: Annotated[
        float | None,
        typer.Option(metavar="DB", min=0, help="Refuse a file that loses more PSNR than this; default: 0.5."),
    ] = None,
) -> None:
    """Write a model as ONNX, compared with torch before it takes its name."""
    from tintype import command_export

    command_export.export(command_export.Asked(model, out, direction, int8, fp16, size, calibrate, limit))


@app.command("import")
def import_checkpoint(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT_OR_FOLDER", help="A *_net_G*.pth file, or the folder of a run that has one."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The .safetensors file to write.")],
    net: Annotated[str | None, typer.Option(help="Which generator of a folder; default: G, or else G_A.")] = None,
    epoch: Annotated[str | None, typer.Option(help="Which epoch of a folder; default: latest.")] = None,
    reference_mode: Annotated[
        bool, typer.Option("--reference-mode", help="Batch norm by each picture's own statistics, as without --eval.")
    ] = False,
) -> None:
    """Make a model of a generator that pytorch-CycleGAN-and-pix2pix has trained."""
    from tintype.command_line import import_model

    import_model(source, out, net, epoch, reference_mode)


@app.command()
def inspect(
    file: Annotated[
        Path, typer.Argument(help="A run folder, a model file or a picture; bundled or bundled:hubble: Tintype's own.")
    ],
    direction: Direction = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what a model says about itself, or how a picture was coloured."""
    from tintype.command_inspect import inspect_file

    inspect_file(file, direction, as_json)


@app.command()
def doctor(as_json: JsonFlag = False) -> None:
    """Try out this installation: versions, formats, what ONNX Runtime runs on, extras; 1 where something fails."""
    from tintype import command_doctor

    raise typer.Exit(command_doctor.doctor(as_json))


def _version(wanted: bool) -> None:
    if wanted:
        from tintype import __version__

        typer.echo(f"tintype {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
