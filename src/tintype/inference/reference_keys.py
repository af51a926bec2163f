"""The names of the weights in pytorch-CycleGAN-and-pix2pix checkpoints, and where each belongs in our networks.

Its networks are nested `nn.Sequential`s, so names are positions: layers without weights take a number and leave no
key. Reading files and making models of them is `reference.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tintype.errors import ModelFileError
from tintype.recipe.networks import Norm

WRAPPERS = frozenset(("module", "_orig_mod"))  # what DataParallel and torch.compile put in front of names
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Place:
    """One convolution and the normalisation after it, if there can be one: our name and theirs."""

    conv: tuple[str, str]
    norm: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What the names and shapes in a checkpoint say about its network."""

    kind: Literal["unet", "resnet"]
    depth: int  # levels of a U-Net, blocks of a residual generator
    norm: Norm
    dropout: bool | None  # None: a U-Net's names do not tell
    filters: int
    channels_in: int
    channels_out: int
    places: tuple[Place, ...]

    def __str__(self) -> str:
        shape = f"U-Net of {self.depth} levels" if self.kind == "unet" else f"residual generator of {self.depth} blocks"
        norm = "no normalisation" if self.norm == "none" else f"{self.norm} normalisation"
        return f"{shape}, {self.filters} filters, {norm}, {self.channels_in} to {self.channels_out} channels"


def plain_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights without what wrappers put in front of their names.

    Raises:
        ModelFileError: Two names become one, or the network is one that is not read.
    """
    plain: dict[str, Tensor] = {}
    for name, value in state.items():
        short = ".".join(part for part in name.split(".") if part not in WRAPPERS)
        if short in plain:
            raise ModelFileError(f"holds {shown([short])} twice, with and without a wrapper's prefix; keep one of them")
        plain[short] = value
    if any(name.endswith(".filt") for name in plain):
        raise ModelFileError(
            "holds the anti-aliased residual generator of CUT (`.filt` buffers), which is not read yet; only networks "
            "trained with --no_antialias --no_antialias_up, or by the CycleGAN and pix2pix code, are"
        )
    return plain


def recognise(state: Mapping[str, Tensor]) -> Layout:
    """Find out from plain names and shapes what network they belong to.

    Raises:
        ModelFileError: They belong to none that is read.
    """
    if any(name.startswith("model.model.") for name in state):
        kind: Literal["unet", "resnet"] = "unet"
        depth = 1 + _count(state, lambda level: f"{_unet_prefix(level)}1.weight", first=1)
        dropout = None
        places = _unet_places(depth)
    elif any(".conv_block." in name for name in state):
        kind = "resnet"
        depth = _count(state, lambda block: f"model.{block}.conv_block.1.weight", first=10)
        dropout = "model.10.conv_block.5.weight" not in state
        places = _resnet_places(depth, dropout)
    else:
        raise ModelFileError(
            f"its names ({shown(state)}) are those of neither a U-Net nor a residual generator; give a *_net_G*.pth"
        )
    if depth < (2 if kind == "unet" else 1):
        raise ModelFileError(f"its names ({shown(state)}) break off after the first layers; copy the file again")
    first, last = (state.get(f"{place.conv[1]}.weight") for place in (places[0], places[-1]))
    if first is None or last is None:
        missing = [f"{place.conv[1]}.weight" for place in (places[0], places[-1])]
        raise ModelFileError(f"lacks {shown(name for name in missing if name not in state)}; copy the file again")
    if first.ndim != 4 or last.ndim != 4 or 0 in first.shape or 0 in last.shape:
        raise ModelFileError(
            f"its outermost convolutions have weights of shapes {tuple(first.shape)} and {tuple(last.shape)}; "
            "both need four sides above 0"
        )
    return Layout(
        kind,
        depth,
        _norm(state, places),
        dropout,
        filters=first.shape[0],
        channels_in=first.shape[1],
        channels_out=last.shape[1 if kind == "unet" else 0],  # transposed weights begin with the channels they take
        places=places,
    )


def to_our_names(state: Mapping[str, Tensor], layout: Layout, expected: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    """The weights under our names, every one in its place and none left over.

    Args:
        state: Weights by plain name.
        layout: What `recognise` says about them.
        expected: Name and shape of each weight of our network.

    Raises:
        ModelFileError: A weight is missing, has another shape, or belongs nowhere.
    """
    state = _without_old_extras(state, layout)
    names = dict(pair for place in layout.places for pair in (place.conv, place.norm) if pair is not None)
    result: dict[str, Tensor] = {}
    missing: list[str] = []
    used: set[str] = set()
    for ours, shape in expected.items():
        module, _, what = ours.rpartition(".")
        theirs = f"{names[module]}.{what}"
        if theirs in state:
            used.add(theirs)
            if state[theirs].shape != shape:
                raise ModelFileError(
                    f"{theirs} has shape {tuple(state[theirs].shape)}, and a {layout} needs {tuple(shape)}; "
                    "it is not one of the reference's generators"
                )
            result[ours] = state[theirs]
        elif what == "num_batches_tracked" or (what == "bias" and layout.norm == "none"):
            result[ours] = torch.zeros(shape)  # torch before 0.4.1 kept no count; without norm theirs has no bias
        else:
            missing.append(theirs)
    if missing:
        raise ModelFileError(f"lacks {shown(missing)}, which a {layout} has; copy the file again")
    if layout.norm == "batch":  # where our network keeps no statistics of its own
        used |= {f"{place.norm[1]}.{what}" for place in layout.places if place.norm for what in STATISTICS}
    left_over = [name for name in state if name not in used]
    if left_over:
        raise ModelFileError(
            f"holds {shown(left_over)}, which a {layout} has no place for; it is not one of the reference's"
        )
    return result


def shown(names: Iterable[str]) -> str:
    """The first few of some names, each short and of one line."""
    names = list(names)
    first = ", ".join(ascii(name)[1:-1][:60] for name in names[:3])
    return f"{first} and {len(names) - 3} more" if len(names) > 3 else first


def _count(state: Mapping[str, Tensor], name: Callable[[int], str], first: int) -> int:
    """How many of a row of names are there, from the first to the first that is not."""
    number = 0
    while number < MAX_DEPTH and name(first + number) in state:
        number += 1
    return number


def _unet_prefix(level: int) -> str:
    return "model.model." if level == 0 else "model.model.1.model." + "3.model." * (level - 1)


def _unet_places(levels: int) -> tuple[Place, ...]:
    """Downward, then upward; the outermost level has no norm, the innermost none on its way down."""
    places = [Place(("down.0.1", "model.model.0"))]
    for level in range(1, levels):
        prefix = _unet_prefix(level)
        norm = (f"down.{level}.2", f"{prefix}2") if level < levels - 1 else None
        places.append(Place((f"down.{level}.1", f"{prefix}1"), norm))
    for level in range(levels - 1, 0, -1):
        prefix = _unet_prefix(level)
        conv, norm_index = (3, 4) if level == levels - 1 else (5, 6)
        places.append(Place((f"up.{level}.1.conv", f"{prefix}{conv}"), (f"up.{level}.2", f"{prefix}{norm_index}")))
    return (*places, Place(("up.0.1.conv", "model.model.3")))


def _resnet_places(blocks: int, dropout: bool) -> tuple[Place, ...]:
    def pair(ours: str, theirs: int) -> Place:
        return Place((f"{ours}.0", f"model.{theirs}"), (f"{ours}.1", f"model.{theirs + 1}"))

    places = [pair("stem.1", 1), pair("down.0", 4), pair("down.1", 7)]
    second = 6 if dropout else 5  # dropout stands before the second padding
    for block in range(blocks):
        ours, theirs = f"blocks.{block}.layers", f"model.{10 + block}.conv_block"
        places.append(Place((f"{ours}.1", f"{theirs}.1"), (f"{ours}.2", f"{theirs}.2")))
        places.append(Place((f"{ours}.6", f"{theirs}.{second}"), (f"{ours}.7", f"{theirs}.{second + 1}")))
    end = 10 + blocks
    return (*places, pair("up.0", end), pair("up.1", end + 3), Place(("head.1", f"model.{end + 7}")))


def _norm(state: Mapping[str, Tensor], places: tuple[Place, ...]) -> Norm:
    """Batch norm keeps gains and statistics; instance norm keeps neither, and its convolutions have biases."""
    norms = [place.norm[1] for place in places if place.norm]
    statistics = [name for norm in norms if (name := f"{norm}.running_mean") in state]
    gains = [name for norm in norms if (name := f"{norm}.weight") in state]
    if gains and statistics:
        return "batch"
    if gains:
        raise ModelFileError(
            f"holds normalisation weights ({shown(gains)}) without statistics, as files of before July 2017 do, which "
            "are not read; train again or save it with a newer version"
        )
    return "instance" if statistics or f"{places[0].conv[1]}.bias" in state else "none"


def _without_old_extras(state: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """Bring what old versions wrote to today's form; the network computes the same.

    Instance norm once kept statistics that it did not use. Convolutions before batch norm once had biases: those only
    shift the mean that is subtracted after them.
    """
    state = dict(state)
    for place in layout.places:
        if place.norm is None:
            continue
        bias, norm = f"{place.conv[1]}.bias", place.norm[1]
        if layout.norm == "instance":
            for what in STATISTICS:
                state.pop(f"{norm}.{what}", None)
        elif layout.norm == "batch" and bias in state:
            mean = state.get(f"{norm}.running_mean")
            if mean is not None and mean.shape == state[bias].shape:
                state[f"{norm}.running_mean"] = mean - state.pop(bias)
    return state
