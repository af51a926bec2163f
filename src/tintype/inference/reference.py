"""Reading generators of the reference implementation, pytorch-CycleGAN-and-pix2pix, and making models of them.

Its checkpoints are pickles, which can run code: they are read as weights alone, within limits of size, and refused
where they ask for more. Which weight is which is told in `reference_keys.py`. Importing this module imports torch.
"""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from tintype import __version__
from tintype.errors import ModelFileError, UsageError
from tintype.inference.modelfile import ModelCard, damaged, write_safetensors
from tintype.inference.reference_keys import Layout, plain_names, recognise, shown, to_our_names
from tintype.networks import build_generator
from tintype.recipe.schema import Direction, Recipe

MAX_BYTES = 2 * 2**30  # of the file; the largest that the reference writes by default has 218 MB
MAX_ELEMENTS = 2**29
MAX_TENSORS = 4096
MAX_MEMBERS = MAX_TENSORS + 16  # of an archive: one for each tensor, and what torch writes about them
MAX_PICKLE_BYTES = 4 * 2**20  # of an archive's list of tensors
MAX_OPTIONS_BYTES = 2**20
OPTIONS_FILES = ("train_opt.txt", "opt.txt")  # the second before April 2019
CHECKPOINT = re.compile(r"(?P<epoch>.+)_net_(?P<net>G\w*)\.pth")
OPTION = re.compile(r"\s*(\w+): (.*?)\s*(\t\[default: .*\])?")
CODECS: dict[tuple[int, int], dict[str, str]] = {
    (3, 3): {"kind": "rgb"},
    (1, 3): {"kind": "rgb", "source": "grey"},
    (1, 1): {"kind": "gray"},
    (1, 2): {"kind": "lab"},
}
OLD_NAMES = {  # of options that mean today what they did under another name
    "which_model_netG": "netG",
    "which_model_netD": "netD",
    "which_direction": "direction",
    "loadSize": "load_size",
    "fineSize": "crop_size",
    "batchSize": "batch_size",
    "niter": "n_epochs",
    "niter_decay": "n_epochs_decay",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """What was found and made of it."""

    checkpoint: Path
    layout: Layout
    card: ModelCard
    notes: tuple[str, ...]  # what a person should know, a line each


def import_reference(
    source: Path, out: Path, *, net: str | None = None, epoch: str | None = None, batch_statistics: bool = False
) -> Imported:
    """Write a `.safetensors` model that computes what a checkpoint of the reference implementation does.

    Args:
        source: A `*_net_G*.pth` file, or the folder that holds it; options are read from `train_opt.txt` beside it.
        out: The model file to write.
        net: Which generator of a folder; default: G, or else G_A.
        epoch: Which epoch of a folder; default: latest.
        batch_statistics: Normalise by the picture at hand, as the reference does unless told `--eval`.

    Raises:
        ModelFileError: The file is missing, damaged, unsafe, or not a generator that is read.
        OutputError: The model cannot be written.
        UsageError: The names in the call fit nothing.
    """
    if out.suffix != ".safetensors":
        raise UsageError(f"--out {out}: must end in .safetensors")
    path, notes = find_checkpoint(source, net, epoch)
    options = read_options(path.parent)
    state = read_checkpoint(path)
    try:
        state = plain_names(state)
        layout = recognise(state)
        if layout.norm == "instance" and options.get("norm") == "none":  # alike in names
            layout = replace(layout, norm="none")
        if batch_statistics and layout.norm != "batch":
            notes.append(f"--reference-mode changes nothing: the network has {layout.norm} normalisation, not batch")
        batch_statistics = batch_statistics and layout.norm == "batch"
        notes += contradictions(options, layout, path)
        recipe, more = make_recipe(options, layout, path, batch_statistics)
        direction = direction_of(options, layout, path)
        if out.stem in ("model_ab", "model_ba") and out.stem != f"model_{direction}":
            raise UsageError(
                f"--out {out}: this generator translates {direction}; name it model_{direction}.safetensors"
            )
        notes += more
        with torch.device("meta"):
            network = build_generator(recipe, direction)
        state = to_our_names(state, layout, {name: value.shape for name, value in network.state_dict().items()})
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    card = ModelCard(
        tintype_version=__version__,
        recipe=recipe,
        direction=direction,
        step=0,
        images_seen=0,
        multiple_of=network.multiple_of,
        output_stride=network.output_stride,
        tiling=network.tiling,
        receptive_radius_px=network.receptive_radius_px,
    )
    arrays = {
        name: (value.long() if name.endswith("num_batches_tracked") else value).numpy() for name, value in state.items()
    }
    write_safetensors(out, arrays, card)
    return Imported(path, layout, card, tuple(notes))


def find_checkpoint(source: Path, net: str | None = None, epoch: str | None = None) -> tuple[Path, list[str]]:
    """The generator's file that a path stands for, and a note where a folder holds another one too.

    Raises:
        ModelFileError: There is none.
        UsageError: A file was given together with what chooses within a folder.
    """
    if not source.is_dir():
        if not source.is_file():
            raise ModelFileError(f"{source}: there is no such file or folder; give a *_net_G*.pth or its folder")
        if net or epoch:
            raise UsageError(f"{source}: is a file, and --net and --epoch choose within a folder; leave them out")
        return source, []
    found = {
        (match["epoch"], match["net"]): path
        for path in sorted(source.iterdir())
        if (match := CHECKPOINT.fullmatch(path.name))
    }
    wanted = epoch or "latest"
    for name in (net,) if net else ("G", "G_A"):
        if path := found.get((wanted, name)):
            others = [other for when, other in found if when == wanted and other != name]
            return path, [f"{', '.join(others)} not imported: --net chooses"] if others and not net else []
    raise ModelFileError(
        f"{source}: holds no {wanted}_net_{net or 'G'}.pth; "
        + (
            f"it has {shown(path.name for path in found.values())}: choose with --net and --epoch"
            if found
            else "give the folder of a run of the reference implementation"
        )
    )


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint by the names that it has for them, float32 on the CPU.

    Raises:
        ModelFileError: It is too large, damaged, would run code, or holds anything but finite weights.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            is_archive = file.read(4) == b"PK\x03\x04"
        if size > MAX_BYTES:
            raise ModelFileError(f"{path}: has {size:,} bytes; at most {MAX_BYTES:,} are read")
        if is_archive:
            _check_archive(path, size)
        with warnings.catch_warnings():  # about the age of the format
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except ModelFileError:
        raise
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        if wanted is None:
            raise ModelFileError(
                f"{path}: is damaged, or a pickle of something else than weights, which is not read as it could run "
                "code; copy it again, or save a state_dict with torch.save"
            ) from error
        raise ModelFileError(
            f"{path}: refused, for it wants to call {wanted[1][:80]} while it is read, and such a file can run any "
            "code; ask whoever made it for the weights alone (torch.save of a state_dict)"
        ) from error
    except OSError as error:
        raise damaged(path, error) from error
    except Exception as error:  # what torch raises for a damaged file shares no base but Exception
        raise ModelFileError(f"{path}: is damaged or no checkpoint of torch; copy it again") from error
    return _weights(path, content)


def read_options(folder: Path) -> dict[str, str]:
    """The options of the training, by today's names, as written beside a checkpoint; empty where there are none.

    Raises:
        ModelFileError: The file is there and cannot be read.
    """
    for path in (folder / name for name in OPTIONS_FILES):
        if not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                lines = file.read(MAX_OPTIONS_BYTES).decode("utf-8", errors="replace").splitlines()
        except OSError as error:
            raise damaged(path, error) from error
        pairs = [match.groups() for line in lines if (match := OPTION.fullmatch(line))]
        return {OLD_NAMES.get(name, name): value for name, value, _ in pairs}
    return {}


def contradictions(options: Mapping[str, str], layout: Layout, path: Path) -> list[str]:
    """A note for each option that the weights tell to be otherwise; the weights are right."""
    backwards = path.name.endswith("_net_G_B.pth")  # of the two generators, the one from B to A
    kind = f"unet_{2**layout.depth}" if layout.kind == "unet" else f"resnet_{layout.depth}blocks"
    facts = {
        "netG": kind,
        "norm": layout.norm,
        "ngf": str(layout.filters),
        "input_nc": str(layout.channels_out if backwards else layout.channels_in),
        "output_nc": str(layout.channels_in if backwards else layout.channels_out),
    }
    if layout.dropout is not None:
        facts["no_dropout"] = str(not layout.dropout)
    return [
        f"the options say {name} {options[name][:40]}, the weights {fact}; the weights count"
        for name, fact in facts.items()
        if name in options and options[name] not in (fact, f"sync{fact}")
    ]


def make_recipe(
    options: Mapping[str, str], layout: Layout, path: Path, batch_statistics: bool
) -> tuple[Recipe, list[str]]:
    """The recipe of an imported network, and notes about what no recipe can say.

    Raises:
        ModelFileError: No recipe describes the network.
    """
    codec = CODECS.get((layout.channels_in, layout.channels_out))
    if codec is None:
        raise ModelFileError(
            f"maps {layout.channels_in} to {layout.channels_out} channels; "
            "what is read is 3 to 3, 1 to 3, 1 to 1, and 1 to 2 (Lab)"
        )
    notes = []
    has_dropout = options.get("no_dropout") != "True" if layout.dropout is None else layout.dropout
    generator = {
        "kind": layout.kind,
        "levels" if layout.kind == "unet" else "blocks": layout.depth,
        "filters": layout.filters,
        "norm": layout.norm,
        "dropout": 0.5 if has_dropout else 0.0,
    }
    method = _method(options, layout, path)
    if method.get("lambda_cycle_b", method.get("lambda_cycle")) != method.get("lambda_cycle"):
        notes.append(
            "lambda_A and lambda_B differ: there they weigh the identity terms apart, here one weight serves both"
        )
    gan_mode = options.get("gan_mode")
    if gan_mode in ("vanilla", "lsgan"):
        method["adversarial"] = gan_mode
    elif gan_mode is not None:
        notes.append(f"gan_mode {gan_mode[:40]} has no counterpart; the recipe keeps its default")
    if options.get("model") not in (None, "pix2pix", "cycle_gan", "colorization", "test"):
        notes.append(f"trained as {options['model'][:40]}: the model is whole, but its recipe cannot be trained on")
    rate, beta = _number(options, "lr", 1e-12, 1e3), _number(options, "beta1", 0, 0.999999)
    sections = {
        "name": "imported",
        "description": f"{path.name} of the reference implementation: {layout}.",
        "data": _data(options, layout, path),
        "codec": codec,
        "generator": generator,
        "method": _given(method),
        "optimiser": _given({"lr": rate, "betas": None if beta is None else (beta, 0.999)}),
        "training": _given({"steps": 1, "batch_size": _whole(options, "batch_size", 1, 4096)}),
        "inference": {"batch_statistics": batch_statistics},
    }
    try:
        return Recipe.model_validate(sections), notes
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "recipe"
        raise ModelFileError(f"a {layout} fits no recipe ({where}: {first['msg']})") from error


def _check_archive(path: Path, size: int) -> None:
    """Refuse an archive that unpacks to more than it holds before anything of it is unpacked: torch never packs."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise ModelFileError(f"{path}: is an archive of {len(members):,} members; at most {MAX_MEMBERS:,} are read")
    unpacked = sum(member.file_size for member in members)
    if unpacked > size:
        raise ModelFileError(
            f"{path}: refused, for its {size:,} bytes unpack to {unpacked:,}, and torch writes checkpoints unpacked; "
            "it is a zip bomb or was packed by another program: save it again with torch"
        )
    for member in members:
        if member.filename.endswith(".pkl") and member.file_size > MAX_PICKLE_BYTES:
            raise ModelFileError(f"{path}: its list of weights has {member.file_size:,} bytes; that is no generator")


def _weights(path: Path, content: object) -> dict[str, Tensor]:
    """Checked weights as float32."""
    if not isinstance(content, dict) or not content or not all(isinstance(name, str) for name in content):
        raise ModelFileError(f"{path}: holds a {type(content).__name__}, not weights by name; give a *_net_G*.pth")
    others = [name for name, value in content.items() if not isinstance(value, Tensor)]
    if others:
        raise ModelFileError(
            f"{path}: {shown(others)} {'is' if len(others) == 1 else 'are'} not weights; "
            "give the generator's own *_net_G*.pth, which holds nothing else"
        )
    if len(content) > MAX_TENSORS or sum(value.numel() for value in content.values()) > MAX_ELEMENTS:
        raise ModelFileError(f"{path}: holds more than {MAX_TENSORS:,} tensors or {MAX_ELEMENTS:,} numbers")
    state = {}
    for name, value in content.items():
        dense = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
        if not dense or not (value.is_floating_point() or name.endswith("num_batches_tracked")):
            raise ModelFileError(f"{path}: {shown([name])} is not a plain tensor of floats; convert it to float32")
        state[name] = value.detach().to(torch.float32).contiguous()
        if not state[name].isfinite().all():
            raise ModelFileError(
                f"{path}: {shown([name])} holds values that are not finite; its training diverged: use an earlier epoch"
            )
    return state


def _method(options: Mapping[str, str], layout: Layout, path: Path) -> dict[str, Any]:
    if not _two_way(options, layout, path):
        return _given({"lambda_l1": _number(options, "lambda_L1", 0, 1e6)})
    cycle, identity = _number(options, "lambda_A", 0, 1e6), _number(options, "lambda_identity", 0, 1e3)
    if layout.channels_in != layout.channels_out:
        identity = 0.0  # it has no such term either
    elif identity is not None:
        identity *= 10.0 if cycle is None else cycle  # there it counts in cycle weights
    fields = {
        "lambda_cycle": cycle,
        "lambda_cycle_b": _number(options, "lambda_B", 0, 1e6),
        "lambda_identity": identity,
        "pool": _whole(options, "pool_size", 0, 10_000),
    }
    return {"kind": "cyclegan"} | _given(fields)


def _two_way(options: Mapping[str, str], layout: Layout, path: Path) -> bool:
    """Whether the run had a generator for each direction; only CycleGAN names files so."""
    named = options.get("model") or ("cycle_gan" if re.search(r"_net_G_[AB]\.pth$", path.name) else "")
    return named == "cycle_gan" and (layout.channels_in, layout.channels_out) != (1, 2)


def direction_of(options: Mapping[str, str], layout: Layout, path: Path) -> Direction:
    """The direction between the domains A and B that a generator of two goes; "ab" for the only one of a run."""
    alike = layout.channels_in == layout.channels_out  # else the codec says which domain is which
    return "ba" if alike and _two_way(options, layout, path) and _goes_back(options, path) else "ab"


def _goes_back(options: Mapping[str, str], path: Path) -> bool:
    # of two generators, G_B goes against the direction of the run
    return (options.get("direction") == "BtoA") != path.name.endswith("_net_G_B.pth")


def _data(options: Mapping[str, str], layout: Layout, path: Path) -> dict[str, Any]:
    multiple = 2**layout.depth if layout.kind == "unet" else 8
    size = _whole(options, "crop_size", 16, 4096)
    if size is None or size % multiple:
        size = max(256, multiple)
    spec: dict[str, Any] = {"size": size, "load_size": _whole(options, "load_size", size, 8192)}
    if (layout.channels_in, layout.channels_out) == (1, 2):
        return spec | {"kind": "colour"}
    if _two_way(options, layout, path):
        return spec | {"kind": "unpaired"}
    kind = "side_by_side" if options.get("dataset_mode") == "aligned" else "folders"
    return spec | {"kind": kind, "direction": "ba" if _goes_back(options, path) else "ab"}


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _number(options: Mapping[str, str], name: str, low: float, high: float) -> float | None:
    """An option that is a number in a range; None where it is absent or anything else, for options change no output."""
    try:
        value = float(options.get(name, "nan"))
    except ValueError:
        return None
    return value if low <= value <= high else None


def _whole(options: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    value = _number(options, name, low, high)
    return None if value is None or value != int(value) else int(value)
