"""Models of whole pictures on pictures of every size: whole where memory allows, else in overlapping tiles.

Tiles are laid on the picture after it was padded to `multiple_of`, at multiples of it, so that strided layers fall on
the same places as in the whole. Where the network looks only so far and keeps its normalisation, neighbours overlap by
twice that and are cut in the middle, which equals the untiled result; else they fade into each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final

import numpy as np

from tintype.errors import OutOfMemoryError, UsageError
from tintype.image.array_picture import gathered
from tintype.image.codec import on_picture
from tintype.image.picture import OpenPicture, PictureInfo, Strip, strip_rows
from tintype.image.resize import Resizing
from tintype.image.tiles import Span, lay_spans
from tintype.inference.memory import budget, in_words, is_out_of_memory
from tintype.inference.modelfile import ModelCard
from tintype.inference.network import Network, to_batch, to_picture
from tintype.inference.sizing import Sizing
from tintype.inference.translation import Tally, has_colour

COMFORTABLE_PX = 2**20
"""Pixels of the result up to which a picture is tried whole without measuring what the network costs."""
_BICUBIC_ROWS = 2
"""That bicubic enlarging looks at beyond a row; wherever a band is handed out, as many are held around it."""
SMALLEST_SIDE = 64
"""Of tiles: smaller ones show the network nothing of a picture."""


def translated_strips(network: Network, picture: OpenPicture, settings: Sizing, tally: Tally) -> Iterator[Strip]:
    """The picture through the network, in tiles that memory has room for."""
    info, codec, card = picture.info, network.codec, network.card
    longest = max(_padded(info.height, card), _padded(info.width, card))
    side, frozen = plan_side(network, info, settings, tally), False
    if side < longest and card.tiling == "approximate" and settings.statistics != "tile":
        with _unless(settings.statistics == "whole"):
            network = network.freezable
            side = plan_side(network, info, settings, tally)  # what runs it may need more memory, or less
            frozen = side < longest
    if frozen:
        network = _with_statistics_of_the_whole(network, picture, side)
    _say_tiles(side, longest, card, tally, frozen)
    run = _Run(network, side, tally, info, frozen)

    def sources() -> Iterator[Strip]:
        for strip in picture.strips(strip_rows(info.width)):
            tally.coloured |= codec.colourises and has_colour(strip.pixels)
            yield Strip(strip.top, on_picture(codec.source_from, strip.pixels), strip.alpha)

    strips = _tiled(sources(), info.height, info.width, card, side, run)
    if codec.scale == 1 or info.channels == 3:
        return strips
    return (Strip(strip.top, on_picture(codec.grey_of, strip.pixels), strip.alpha) for strip in strips)


def plan_side(network: Network, info: PictureInfo, settings: Sizing, tally: Tally) -> int:
    """The side of the largest tiles that fit into memory; that of the padded picture where it fits whole.

    Raises:
        OutOfMemoryError: It does not fit, and the network cannot work in tiles.
        UsageError: The side that is asked for is too small, or the network cannot work in tiles.
    """
    card = network.card
    height, width, scale = _padded(info.height, card), _padded(info.width, card), network.codec.scale
    longest, smallest = max(height, width), smallest_side(card)
    if card.fixed_side is not None and settings.tile not in (None, card.fixed_side):
        raise UsageError(f"tiles of {settings.tile} px: this model works in {card.fixed_side} px only; leave it out")
    if (wanted := card.fixed_side or settings.tile) is not None:
        if wanted < smallest and wanted < longest:
            raise UsageError(f"tiles of {wanted} px are too small for this model; give at least {smallest}")
        side = min(longest, _padded(wanted, card))
        if side < longest and card.tiling == "forbidden":
            raise UsageError("this model cannot work in tiles; leave their size out")
        return side
    if settings.memory is None and height * width * scale**2 <= COMFORTABLE_PX:
        return longest
    room = budget(settings.memory)

    def needed(side: int) -> float:
        rows, columns = min(side, height), min(side, width)
        # the band of the source, its tile in model space, the band of the result and what it hands to the next
        buffers = 4 * width * rows * (2 * network.codec.source_channels + 3 * network.codec.target_channels * scale**2)
        return network.cost.of(rows * columns) + buffers

    if needed(longest) <= room:
        return longest
    if card.tiling == "forbidden":
        raise OutOfMemoryError(
            f"{info.name}: {info.width} x {info.height} pixels need about {in_words(needed(longest))} of memory, and "
            f"there are {in_words(room)}; this model cannot work in tiles: reduce the picture first"
        )
    multiple = card.multiple_of
    sides = range((longest - 1) // multiple * multiple, smallest - 1, -multiple)
    side = next((side for side in sides if needed(side) <= room), min(smallest, longest))
    if needed(side) > room:
        tally.note(
            f"needs about {in_words(needed(side))} of memory in tiles of {side} px, the smallest; {in_words(room)} are "
            "allowed"
        )
    return side


def smallest_side(card: ModelCard) -> int:
    """Pixels of the side of the smallest tiles that a network works in."""
    return max(2 * card.multiple_of, _padded(SMALLEST_SIDE, card))


@final
class _Run:
    """The network on one part of a picture; when memory runs out, on halves of it, from then on."""

    def __init__(self, network: Network, side: int, tally: Tally, info: PictureInfo, frozen: bool) -> None:
        self._network, self._side, self._tally, self._info, self._frozen = network, side, tally, info, frozen

    def __call__(self, source: np.ndarray) -> np.ndarray:
        """Display space in and out, `h w c`, enlarged; sides of the source are multiples of `multiple_of`."""
        codec, card = self._network.codec, self._network.card
        longest = max(source.shape[:2])
        if longest <= self._side:
            try:
                return to_picture(codec.decode(to_batch(source), to_batch(self._network(source))))
            except Exception as error:  # torch, numpy and ONNX Runtime have no common one for lack of memory
                if not is_out_of_memory(error):
                    raise
                self._halve(longest, error)
        height, width = source.shape[:2]
        strips = _tiled(iter([Strip(0, source)]), height, width, card, self._side, self)
        return gathered(strips, height * codec.scale)

    def _halve(self, side: int, error: Exception) -> None:
        card = self._network.card
        if card.tiling == "forbidden" or side <= smallest_side(card):
            limit = "this model cannot work in tiles" if card.tiling == "forbidden" else "tiles cannot be smaller"
            raise OutOfMemoryError(
                f"{self._info.name}: memory ran out at {side} px a side, and {limit}; close other programs or reduce "
                "the picture"
            ) from error
        self._side = max(smallest_side(card), side // 2 // card.multiple_of * card.multiple_of)
        self._tally.note(f"memory ran out at tiles of {side} px; repeated in tiles of {self._side} px")
        _say_tiles(self._side, side, card, self._tally, self._frozen)


def _tiled(
    sources: Iterator[Strip],
    height: int,
    width: int,
    card: ModelCard,
    side: int,
    run: Callable[[np.ndarray], np.ndarray],
) -> Iterator[Strip]:
    """The picture in tiles of `side`, one band of them in memory at a time; places are those of the source."""
    scale = card.recipe.enlargement
    columns = spans_of(width, side, card)
    weights = [column.enlarged(scale).weights()[:, None] for column in columns]
    band = _Band(sources, height, width, card.multiple_of, scale)
    done, carried = 0, np.empty((0, 0, 0), np.float32)  # of the last band, from `done` on
    for row in spans_of(height, side, card):
        source, made = band.rows(row.start, row.stop), None
        for column, weight in zip(columns, weights, strict=True):
            result = run(source[:, column.start : column.stop])
            if made is None:
                sides = (scale * (row.stop - row.start), scale * columns[-1].stop, result.shape[2])
                made = np.zeros(sides, np.float32)
            made[:, scale * column.start : scale * column.stop] += result * weight
        assert made is not None
        made *= row.enlarged(scale).weights()[:, None, None]
        if carried.size:
            made[scale * (done - row.start) :][: len(carried)] += carried
        until = min(row.fade_out[0], height)
        rows = max(1, strip_rows(scale * width) // scale)
        for top in range(done, until, rows):
            stop = min(top + rows, until)
            pixels = made[scale * (top - row.start) : scale * (stop - row.start), : scale * width]
            yield Strip(scale * top, pixels, band.alpha(top, stop))
        done, carried = until, made[scale * (until - row.start) :].copy()


@final
class _Band:
    """The rows of a stream that a row of tiles sees, padded by reflection at the right and the bottom."""

    def __init__(self, strips: Iterator[Strip], height: int, width: int, multiple: int, scale: int) -> None:
        self._strips, self._height, self._scale = strips, height, scale
        self._below = ((0, -height % multiple), (0, 0), (0, 0))
        self._beside = ((0, 0), (0, -width % multiple), (0, 0))
        self._held: list[Strip] = []

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows from `start` on, which are forgotten up to there, to `stop`, which may lie in the padding."""
        self._held = [strip for strip in self._held if strip.top + len(strip.pixels) > start]
        while not self._held or self._end < min(stop, self._height):
            strip = next(self._strips)
            self._held.append(Strip(strip.top, np.pad(strip.pixels, self._beside, mode="reflect"), strip.alpha))
        pixels = np.concatenate([strip.pixels for strip in self._held])
        if stop > self._height:
            pixels = np.pad(pixels, self._below, mode="reflect")
        top = self._held[0].top
        return pixels[start - top : stop - top]

    def alpha(self, start: int, stop: int) -> np.ndarray | None:
        """Alpha of rows that are held, enlarged as the picture is."""
        if self._scale == 1:
            return self._alpha(start, stop)
        first = max(start - _BICUBIC_ROWS, self._held[0].top)
        around = self._alpha(first, stop + _BICUBIC_ROWS)
        if around is None:
            return None
        rows, columns = around.shape
        larger = Resizing(around[..., None], self._scale * rows, self._scale * columns, "cubic")
        made = larger.rows(self._scale * (start - first), self._scale * (stop - first))
        return np.clip(made[..., 0], 0, 1)

    def _alpha(self, start: int, stop: int) -> np.ndarray | None:
        parts = [
            strip.alpha[max(0, start - strip.top) : stop - strip.top]
            for strip in self._held
            if strip.alpha is not None and strip.top < stop and strip.top + len(strip.pixels) > start
        ]
        return np.concatenate(parts) if parts else None

    @property
    def _end(self) -> int:
        return self._held[-1].top + len(self._held[-1].pixels)


def spans_of(length: int, side: int, card: ModelCard) -> tuple[Span, ...]:
    """Where tiles of `side` lie along a side of a picture, and how they give way to each other."""
    multiple, length = card.multiple_of, _padded(length, card)
    most = max(multiple, side // 3 // multiple * multiple)
    if _is_exact(card, side):
        return lay_spans(length, side, overlap=2 * _margin(card), fade=0, multiple=multiple)
    overlap = most if card.receptive_radius_px is None else max(multiple, min(2 * _margin(card), most))
    return lay_spans(length, side, overlap=overlap, fade=overlap // 2, multiple=multiple)


def _is_exact(card: ModelCard, side: int) -> bool:
    """Whether tiles of this side can give what the whole picture would."""
    return card.tiling == "exact" and card.receptive_radius_px is not None and side > 2 * _margin(card)


def _margin(card: ModelCard) -> int:
    """How far a pixel of the result sees, in whole multiples."""
    return _padded(card.receptive_radius_px or 0, card)


def _padded(length: int, card: ModelCard) -> int:
    return -(-length // card.multiple_of) * card.multiple_of


def _say_tiles(side: int, longest: int, card: ModelCard, tally: Tally, frozen: bool) -> None:
    """Note what the network has to say about tiles of a side, if it has."""
    if side >= longest or _is_exact(card, side):
        return
    if frozen:
        tally.note(f"tiles of {side} px, all normalised as the whole picture is, reduced to that size")
        return
    if card.tiling == "approximate":
        reason = (
            "this network normalises over the whole picture, so tiles differ in tone and may show; the .safetensors "
            "model, with torch, can give all of them one tone"
        )
    else:
        reason = f"each pixel of the result depends on {2 * _margin(card)} px across, so their borders may differ"
    tally.note(f"tiles of {side} px: {reason}; more memory allows larger ones")


@contextmanager
def _unless(wanted: bool) -> Iterator[None]:
    """Go on where what can be done without, unless it is wanted, cannot be had."""
    try:
        yield
    except UsageError:
        if wanted:
            raise


def _with_statistics_of_the_whole(network: Network, picture: OpenPicture, side: int) -> Network:
    """The network with the normalisation that it has on the whole picture, reduced to the size of a tile."""
    height, width = picture.info.height, picture.info.width
    scale = side / max(height, width)
    small = picture.reduced(max(1, round(height * scale)), max(1, round(width * scale)))
    return network.normalising_as_on(on_picture(network.codec.source_from, small))
