"""How sure a model is of the colours it predicts: their spread over several answers, as a map and as a picture.

The spread is the standard deviation of chroma, sqrt(var a* + var b*): in units of ΔE*ab, at equal lightness. Answers
differ by the noise of a model that has any (the whole of it, whatever `inference.temperature` is); else by dropout,
where the network has any and torch runs it; else by the orientation in which it is shown the picture. Where the model
file holds a calibration, which models with noise have, the spread is widened by it, and the truth lies within 1.64
times the spread of a* and of b* in 90 % of such pixels as it was measured on. Without one nothing says how far the
answers are from the truth.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from tintype.errors import UsageError
from tintype.image.codec import on_picture
from tintype.image.color import lab_to_display
from tintype.image.grid import text
from tintype.image.picture import OpenPicture, to_samples
from tintype.image.resize import resize
from tintype.inference.colourings import chroma_in, drawn_outputs
from tintype.inference.colourise import network_size
from tintype.inference.hints import Hint, check_hints, drawn_hints
from tintype.inference.network import Network
from tintype.inference.runtime import StochasticRuntime
from tintype.inference.translator import Translator
from tintype.metrics.spread import steadied

_RAMP = np.array([[8, 4, -14], [32, 38, -48], [58, 62, 4], [78, 22, 62], [97, -8, 40]], np.float64)
"""L*a*b* that the colours of a map pass through from 0 upwards; lightness alone orders them."""
_BACKGROUND = np.float32(1)
_TICKS = 5
_SMALLEST_BAR = 120


def uncertainty(
    translator: Translator,
    picture: OpenPicture,
    passes: int = 16,
    seed: int = 0,
    *,
    strength: float = 1.0,
    hints: Sequence[Hint] = (),
) -> np.ndarray:
    """The spread of predicted chroma at each place, at the size that the network works at.

    Args:
        translator: A model that makes colour pictures.
        picture: Of any size; it is reduced to model size.
        passes: Answers of a network with noise or dropout, at least 2; of others there are eight: all quarter turns
            and their mirror images.
        seed: Of noise or dropout; the same seed gives the same map.
        strength: Factor on predicted chroma.
        hints: Colours at points of the picture, which answers are sure of.

    Returns:
        float32 `h w`, in ΔE*ab.

    Raises:
        ImageError: The picture is damaged or cut short.
        ModelFileError: The network fails.
        UsageError: The model makes grey pictures, there are too few passes, or hints do not fit model and picture.
    """
    check_hints(hints, translator.card)
    codec = translator.codec
    if codec.scale > 1:
        raise UsageError("this model enlarges pictures, of which no colour is uncertain")
    if codec.target_channels == 1:
        raise UsageError("this model makes grey pictures, of which no colour is uncertain")
    if passes < 2:
        raise UsageError(f"passes {passes} must be at least 2, or there is nothing to compare")
    size = network_size(picture.info.height, picture.info.width, translator.card)
    source = on_picture(codec.source_from, picture.reduced(*size))
    known = drawn_hints(hints, picture.info, translator.network, *size)
    count = 0
    total: np.ndarray = np.zeros(())
    squares: np.ndarray = np.zeros(())
    for output in _answers(translator.network, source, known, passes, seed):
        chroma = chroma_in(translator.network, source, output, strength)
        count, total, squares = count + 1, total + chroma, squares + chroma**2
    variance = (squares - np.square(total) / count) / (count - 1)
    deviation = np.sqrt(np.maximum(variance, 0))
    if translator.card.spread is not None:
        deviation = translator.card.spread.widening * steadied(deviation)
    return np.sqrt(np.square(deviation).sum(axis=2)).astype(np.float32)


def _answers(
    network: Network, source: np.ndarray, known: np.ndarray | None, passes: int, seed: int
) -> Iterator[np.ndarray]:
    """What the network says about a picture, time after time: model space `h w c`."""
    runtime = network.runtime
    if network.card.makes_many and not network.lacks_noise:
        yield from drawn_outputs(network, source, passes, seed, known)
        return
    if isinstance(runtime, StochasticRuntime) and runtime.drawing(seed) is not None:
        for number in np.random.SeedSequence(seed).generate_state(passes):
            drawing = runtime.drawing(int(number))
            assert drawing is not None
            yield Network(drawing, network.card, network.codec)(source, orientations=1, hints=known)
        return
    for turns in range(4):
        for mirrored in (False, True):
            shown = _turned(source, turns, mirrored)
            told = None if known is None else _turned(known, turns, mirrored)
            answer = np.rot90(network(shown, orientations=1, hints=told), -turns)
            yield answer[:, ::-1] if mirrored else answer


def _turned(picture: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    return np.rot90(picture[:, ::-1] if mirrored else picture, turns)


def draw_uncertainty(spread: np.ndarray, height: int, width: int) -> np.ndarray:
    """A map as a picture with a colour bar.

    Args:
        spread: From `uncertainty`.
        height: Pixels of the map in the picture.
        width: Pixels of the map in the picture.

    Returns:
        uint8 `h w 3`: the map, and to its right the bar with labels in ΔE, from 0 to a round number above nearly all.

    Raises:
        MissingExtraError: matplotlib, whose font is used, is not installed.
    """
    top = _round_above(float(np.quantile(spread, 0.999)))
    drawn = _colours(resize(spread[..., None], height, width, "linear")[..., 0] / top)
    size = max(10, min(40, round(max(height, width) / 40)))
    bar_height = max(height - 2 * size, _SMALLEST_BAR)
    bar = np.broadcast_to(_colours(np.linspace(1, 0, bar_height))[:, None], (bar_height, size, 3))
    labels = [text(f"{top * i / (_TICKS - 1):.3g}", size, 8 * size, "high") for i in range(_TICKS)]
    unit = text("ΔE", size, 8 * size, "high")
    text_width = max(label.shape[1] for label in (*labels, unit))
    edge = labels[0].shape[0] // 2 + 1
    full = max(height, unit.shape[0] + bar_height + 2 * edge)
    canvas = np.full((full, width + 3 * size + text_width + size // 2, 3), _BACKGROUND)
    canvas[:height, :width] = drawn
    first = (full - bar_height + unit.shape[0]) // 2
    _paste(canvas, bar, first, width + size)
    _paste(canvas, unit, first - edge - unit.shape[0], width + size)
    for i, label in enumerate(labels):
        middle = first + round((bar_height - 1) * (1 - i / (_TICKS - 1)))
        _paste(canvas, label, middle - label.shape[0] // 2, width + 2 * size + size // 2)
    return to_samples(canvas, 8)


def _paste(canvas: np.ndarray, picture: np.ndarray, y: int, x: int) -> None:
    y = min(max(0, y), canvas.shape[0] - picture.shape[0])
    canvas[y : y + picture.shape[0], x : x + picture.shape[1]] = picture


def _round_above(value: float) -> float:
    """1, 2 or 5 times a power of ten, no smaller than the value and than 0.1."""
    value = max(value, 0.1)
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value * (1 - 1e-9))


def _colours(values: np.ndarray) -> np.ndarray:
    """Display colours `... 3` of values in [0, 1]; equal steps of the value are equal steps in L*a*b*."""
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(_RAMP, axis=0), axis=1))])
    places = np.clip(values, 0, 1) * lengths[-1]
    lab = np.stack([np.interp(places, lengths, channel) for channel in _RAMP.T])
    flat = lab.reshape(3, 1, -1).astype(np.float32)
    return np.moveaxis(lab_to_display(flat).reshape(lab.shape), 0, -1)
