"""What somebody without Tintype needs to use an ONNX file: how pictures go in and what comes out, as data and as words.

Both stand in the file's metadata beside the card, under `processing` (JSON) and `how_to_use` (plain sentences).
"""

from __future__ import annotations

import json
from typing import Any

from tintype.image.codec import Codec, build_codec
from tintype.inference.modelfile import ModelCard
from tintype.recipe.enlarging import EnlargeCodec
from tintype.recipe.networks import InputName
from tintype.recipe.schema import GrayCodec, LabCodec

PROCESSING, HOW_TO_USE = "processing", "how_to_use"
"""Metadata keys."""

_GREY = {
    "lab": "the L* of CIE L*a*b* (D65) alone",
    "rec601": "0.299 R + 0.587 G + 0.114 B of the sRGB values",
}


def usage_metadata(card: ModelCard) -> dict[str, str]:
    """Both descriptions under their metadata keys."""
    found = processing(card)
    words = [found["what"], *found["before"], f"Run the network: {_ends(found)}.", *found["after"], *found["notes"]]
    return {PROCESSING: json.dumps(found, indent=1), HOW_TO_USE: "\n".join(words)}


def processing(card: ModelCard) -> dict[str, Any]:
    """Inputs, outputs and the steps before and after the network, as plain data for JSON."""
    codec = build_codec(card.recipe, card.direction)
    exported = None if card.exported is None else card.exported.model_dump(mode="json")
    return {
        "what": f"{card.recipe.name}: {card.recipe.description or 'a model of Tintype.'}",
        "inputs": {name: _input(card, codec, name) for name in card.inputs},
        "outputs": _outputs(card, codec),
        "multiple_of": card.multiple_of,
        "output_stride": card.output_stride,
        "before": _before(card, codec),
        "after": _after(card, codec),
        "notes": _notes(card),
        "exported": exported,
    }


def _side(card: ModelCard) -> int | None:
    return None if card.exported is None else card.exported.side


def _low(card: ModelCard) -> int:
    codec = card.recipe.codec
    return 0 if isinstance(codec, GrayCodec) and codec.unit_range else -1


def _input(card: ModelCard, codec: Codec, name: InputName) -> dict[str, Any]:
    side: int | str | None = _side(card)
    if card.recipe.generator.kind == "classifier":
        side = card.recipe.data.size
    sides = [side or "height", side or "width"]
    match name:
        case "source":
            channels = codec.source_channels
            colours = ["L*"] if codec.predicts_chroma else ["grey"] if channels == 1 else ["red", "green", "blue"]
            return {
                "type": "float32",
                "shape": ["n", channels, *sides],
                "channels": colours,
                "range": [_low(card), 1],
            }
        case "hints":
            return {
                "type": "float32",
                "shape": ["n", 3, *sides],
                "channels": ["a*/110", "b*/110", "1 where they are known"],
                "range": [-1, 1],
                "default": 0,
            }
        case "noise":
            return {
                "type": "float32",
                "shape": ["n", getattr(card.recipe.generator, "latent", 0)],
                "distribution": f"standard normal, times {card.recipe.inference.temperature:g}",
            }
        case "label":
            return {"type": "int64", "shape": ["n"], "classes": list(card.classes)}


def _outputs(card: ModelCard, codec: Codec) -> dict[str, Any]:
    if card.recipe.generator.kind == "classifier":
        return {
            "features": {"type": "float32", "shape": ["n", "k"]},
            "logits": {"type": "float32", "shape": ["n", "classes"], "classes": list(card.classes)},
        }
    channels = codec.target_channels
    if codec.predicts_chroma:
        names = ["a*/110", "b*/110"]
    elif card.recipe.frames > 1:
        names = [f"frame {number}" for number in range(1, channels + 1)]
    else:
        names = ["grey"] if channels == 1 else ["red", "green", "blue"]
    return {
        "output": {
            "type": "float32",
            "channels": names,
            "range": [_low(card), 1],
            "scale": codec.scale / card.output_stride,
        }
    }


def _before(card: ModelCard, codec: Codec) -> list[str]:
    if "source" not in card.inputs:
        return []
    recipe, side, low = card.recipe, _side(card), _low(card)
    grey = _GREY[recipe.codec.grey]
    if recipe.generator.kind == "classifier":
        size = recipe.data.size
        steps = [f"Reduce the picture, antialiased, so that its shorter side has {size} pixels; cut out the middle."]
    elif codec.predicts_chroma:
        kept = f"each side a multiple of {card.output_stride}" if card.output_stride > 1 else "its aspect kept"
        wanted = (
            f"that neither side has more than {side} pixels"
            if side
            else f"that its shorter side has {recipe.data.size} pixels"
        )
        steps = [f"Keep the picture; take a copy, reduced antialiased so {wanted}, {kept}."]
    else:
        steps = [] if side is None else [f"Take a picture of at most {side} x {side} pixels."]
    if isinstance(recipe.codec, LabCodec):
        steps.append(f"Make it grey ({grey}), sRGB in [0, 1]. Its L* (CIE, D65, in [0, 100]) gives source = L*/50 - 1.")
    else:
        if codec.source_channels == 1:
            look = f"Make it grey ({grey})."
        elif codec.colourises:
            look = f"Make it grey ({grey}) and repeat that as red, green and blue."
        else:
            look = "Take its red, green and blue (sRGB); repeat grey three times."
        formula = "x" if low == 0 else "2 x - 1"
        steps.append(f"{look} Values x in [0, 1] give source = {formula}.")
    if recipe.generator.kind != "classifier":
        padded = f"to {side} x {side}" if side else f"to multiples of {card.multiple_of}"
        steps.append(f"Pad it {padded} at the right and the bottom, by reflection.")
    return steps


def _after(card: ModelCard, codec: Codec) -> list[str]:
    if card.recipe.generator.kind == "classifier":
        return ["The class is the largest of the logits."]
    stride, steps = card.output_stride, []
    if "source" in card.inputs:
        part = f", divided by {stride}" if stride > 1 else f", times {codec.scale}" if codec.scale > 1 else ""
        steps.append(f"Cut off what belongs to the padding: what is left has the sides from before it{part}.")
    if isinstance(card.recipe.codec, EnlargeCodec):
        steps.append(f"The picture is (output + 1)/2, red, green and blue (sRGB), {codec.scale} times as large.")
    elif codec.predicts_chroma:
        factor = f"{110 * card.recipe.inference.boldness:g}"
        steps += [
            f"a* = {factor} times channel 0, b* = {factor} times channel 1.",
            "Enlarge both to the size of the kept picture (bicubic), and join them with its own L* at full size.",
            "Convert L*a*b* (D65) to sRGB; where a colour lies outside, lower a* and b* together until it fits.",
        ]
    else:
        formula = "output" if _low(card) == 0 else "(output + 1)/2"
        steps.append(f"Values of the picture in [0, 1] (sRGB) are {formula}, cut to that range.")
    return steps


def _notes(card: ModelCard) -> list[str]:
    notes = []
    orientations = card.recipe.inference.orientations
    if orientations > 1 and "source" in card.inputs:
        copies = "the mirrored picture" if orientations == 2 else "all eight mirrored and turned copies"
        notes.append(f"Tintype itself takes the mean of what the network says of the picture and of {copies}.")
    if "hints" in card.inputs:
        bold = card.recipe.inference.boldness
        divided = f" Their a* and b* are divided by {110 * bold:g} in place of 110." if bold != 1 else ""
        notes.append(f"Without hints all three of their channels are 0.{divided}")
    made = card.exported
    if made is not None and made.form == "int8":
        notes.append(
            f"Weights and activations of its convolutions are int8, calibrated on {made.calibrated_on} pictures."
        )
    elif made is not None and made.form == "fp16":
        notes.append("Weights are stored as float16 and computed with as float32.")
    return notes


def _ends(found: dict[str, Any]) -> str:
    given = [f"{name} ({one['type']} {_shape(one['shape'])})" for name, one in found["inputs"].items()]
    return f"{' and '.join(given)} in, {' and '.join(found['outputs'])} out"


def _shape(shape: list[object]) -> str:
    return " x ".join(map(str, shape))
