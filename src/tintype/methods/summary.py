"""What the networks of a recipe look like: their layers, numbers of parameters, and how much work a picture is.

The networks are built without weights, and one step is carried out in shapes alone, so that a summary of a large recipe
needs neither its memory nor its time. What each network is shown is what its method shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tintype.image.codec import build_codec
from tintype.methods import build_method
from tintype.methods.method import Batch
from tintype.recipe.schema import Recipe

_PICTURES = 2
"""In the batch: batch normalisation of one would refuse small maps."""

_LATE = 2**30
"""A step, and an epoch, after all stages of a training have begun."""


@dataclass(slots=True)
class LayerRow:
    """A layer with weights of its own: its place and kind, shape of its result for a picture, and what it costs."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    macs: int


@dataclass(frozen=True, slots=True)
class NetworkSummary:
    """A network of a method.

    Attributes:
        name: What the method calls it.
        inputs: Shapes of what it is shown for one picture.
        rows: Its layers in the order of their work.
        parameters: Of all layers.
        macs: Multiplications with addition of convolutions and dense layers, for one picture.
    """

    name: str
    inputs: tuple[tuple[int, ...], ...]
    rows: tuple[LayerRow, ...]
    parameters: int
    macs: int


_Seen = dict[str, tuple[tuple[tuple[int, ...], ...], list[LayerRow]]]
"""What each network was shown, and what its layers did."""


def summarise(recipe: Recipe) -> list[NetworkSummary]:
    """Summaries of all networks of a recipe's method, in its order."""
    # Second derivatives need more than shapes, and networks of features are read from files and not trained.
    left_out = {name: 0.0 for name in ("gradient_penalty", "lambda_perceptual") if hasattr(recipe.method, name)}
    recipe = recipe.model_copy(update={"method": recipe.method.model_copy(update=left_out)})
    with torch.device("meta"):
        method = build_method(recipe)
    seen: _Seen = {}
    handles = []
    for name, network in method.networks.items():
        watch = _Watch(name, seen)
        handles.append(network.register_forward_pre_hook(watch.begin))
        handles += [
            layer.register_forward_hook(watch.layer(path))
            for path, layer in network.named_modules()
            if any(True for _ in layer.parameters(recurse=False))
        ]
        handles.append(network.register_forward_hook(watch.end))  # after that of a network which is a layer itself
    batch = _batch(recipe)
    out = method.forward(batch)
    for phase in method.phases:
        method.loss(phase.name, batch, out)
    for suffix, name in method.exports.items():
        if name not in seen:  # the method calls its two halves one by one
            shown, told = (batch.target, {}) if suffix == "_ba" else (batch.source, batch.told)
            method.networks[name](shown, **told)
    for handle in handles:
        handle.remove()
    summaries = []
    for name, network in method.networks.items():
        inputs, rows = seen.get(name, ((), []))
        parameters = sum(parameter.numel() for parameter in network.parameters())
        summaries.append(NetworkSummary(name, inputs, tuple(rows), parameters, sum(row.macs for row in rows)))
    return summaries


def format_summary(summaries: list[NetworkSummary]) -> str:
    """As text: a table for each network."""
    lines = []
    for one in summaries:
        shown = " and ".join(" x ".join(map(str, shape)) or "a class" for shape in one.inputs)
        lines.append(f"{one.name}: {shown}" if shown else f"{one.name}:")
        width = max((len(row.name) for row in one.rows), default=0)
        kinds = max((len(row.kind) for row in one.rows), default=0)
        for row in one.rows:
            shape = " x ".join(map(str, row.shape))
            lines.append(f"  {row.name:<{width}}  {row.kind:<{kinds}}  {shape:<18}  {row.parameters:>12,}")
        lines.append(f"  {one.parameters:,} parameters, {_large(one.macs)} multiply-adds for a picture")
        lines.append("")
    return "\n".join(lines).rstrip()


class _Watch:
    """Notes what a network does the first time that it is called."""

    def __init__(self, name: str, seen: _Seen) -> None:
        self.name, self.seen = name, seen
        self.active, self.pictures = False, 1

    def begin(self, network: nn.Module, inputs: tuple[Tensor | list[Tensor] | None, ...]) -> None:
        self.active = self.name not in self.seen
        if self.active:
            several = [part for one in inputs for part in (one if isinstance(one, tuple | list) else [one])]
            shapes = tuple(tuple(one.shape[1:]) for one in several if one is not None)
            self.seen[self.name] = (shapes, [])
            self.pictures = next(len(one) for one in several if one is not None)

    def end(self, *_: object) -> None:
        self.active = False

    def layer(self, path: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        """A hook for the layer of this path."""

        def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if self.active:
                rows, macs = self.seen[self.name][1], _macs(module, inputs, output) // self.pictures
                again = next((row for row in rows if row.name == path), None)
                if again is not None:  # a recurrent layer
                    again.macs += macs
                    return
                own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
                shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
                rows.append(LayerRow(path, type(module).__name__, shape, own, macs))

        return note


def _macs(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> int:
    """Of all that went in at once."""
    match module:
        case nn.Conv2d() | nn.Conv3d():
            return output.numel() * module.weight[0].numel()
        case nn.ConvTranspose2d():
            return inputs[0].numel() * module.weight[0].numel()
        case nn.Linear():
            return output.numel() * module.in_features
        case _:
            return 0


def _batch(recipe: Recipe) -> Batch:
    codec, size = build_codec(recipe), recipe.data.size
    with torch.device("meta"):
        classes = torch.zeros(_PICTURES, dtype=torch.int64)
        shown = size // recipe.enlargement
        source = torch.zeros(_PICTURES, codec.source_channels, shown, shown)
        side = size // recipe.output_stride
        target = torch.zeros(_PICTURES, codec.target_channels, side, side)
    match recipe.method.kind:
        case "gan":
            return Batch(classes, target)
        case "classifier":
            return Batch(source, classes)
        case _:
            hints = source.new_zeros(_PICTURES, 3, *source.shape[2:]) if recipe.takes_hints else None
            return Batch(source, target, step=_LATE, epoch=_LATE, hints=hints)


def _large(number: int) -> str:
    for limit, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= limit:
            return f"{number / limit:.3g} {unit}"
    return str(number)
