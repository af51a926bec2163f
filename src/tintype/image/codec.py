"""Codecs: what a network sees and makes, and how display space becomes model space and back.

Display space is sRGB-encoded [0, 1], model space [-1, 1]; both are `n c h w` of numpy or torch, and float.

    codec                source (display)   encoded source      encoded target                 decoded (display)
    rgb, source=rgb      n 3 h w            n 3 h w             n 3 h w                        n 3 h w
    rgb, source=grey     n 1 h w            n 1 h w             n 3 h w                        n 3 h w
    rgb, source=grey3    n 3 h w            n 3 h w, all alike  n 3 h w                        n 3 h w
    gray                 n 1 h w            n 1 h w             n 1 h w                        n 1 h w
    gray, unit_range     the same, but that model space is [0, 1]
    gray, clips          n 1 h w            n 1 h w             n t h w of n t h w             n t h w
    lab                  n 1 h w            n 1 h w (L*/50-1)   n 2 h/stride w/stride (ab/110) n 3 h w
    enlarge              n 3 h w            n 3 h w             n 3 h*scale w*scale            n 3 h*scale w*scale

Where a method trains both directions, the codec of "ba" is that of "ab" with source and target exchanged.

A picture with three channels that is given where grey is due is made grey as the recipe's `codec.grey` says; a grey one
that is given where colour is due is repeated. Files and colour spaces are the business of `file` and `color`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, final

from array_api_compat import array_namespace

from tintype.image.color import Array, grey_to_luminance, lab_to_display_counted, luminance, rgb_to_lab, to_grey
from tintype.image.reduce import reduced
from tintype.recipe.enlarging import EnlargeCodec
from tintype.recipe.schema import Direction, GrayCodec, Grey, LabCodec, Recipe, RgbCodec

Look = Literal["rgb", "grey", "grey3"]
"""How a picture is shown to a network or made by it: in colour, as one grey channel, or as three equal ones."""

_HALF_LIGHTNESS = 50  # L* that is 0 in model space
_CHROMA_SCALE = 110  # the sRGB gamut reaches |a*| = 98 and |b*| = 108


class Codec(Protocol):
    """Both ways between display space and model space; see the legend of the module."""

    @property
    def source_channels(self) -> int:
        """Channels of an encoded source."""
        ...

    @property
    def target_channels(self) -> int:
        """Channels of an encoded target."""
        ...

    @property
    def predicts_chroma(self) -> bool:
        """Whether the network makes chroma only, to be joined with the L* of its source."""
        ...

    @property
    def colourises(self) -> bool:
        """Whether the task is to make colour from grey."""
        ...

    @property
    def turns_grey(self) -> bool:
        """Whether the task is to make grey from colour, which a formula does."""
        ...

    @property
    def scale(self) -> int:
        """Times that what the network makes is larger than its source, in width and in height."""
        ...

    def source_from(self, picture: Array) -> Array:
        """Return the display source `n source_channels h w` that a display picture `n 1|3 h w` gives."""
        ...

    def grey_of(self, picture: Array) -> Array:
        """Turn a display picture `n 1|3 h w` into `n 1 h w`, as the recipe says."""
        ...

    def source_of(self, target: Array) -> Array:
        """Make the display source `n c h/scale w/scale` of a display target `n 1|3 h w`, where the data hold none."""
        ...

    def target_from(self, picture: Array) -> Array:
        """Return the display target `n 1|3 h w` that a display picture `n 1|3 h w` gives."""
        ...

    def encode_source(self, source: Array) -> Array:
        """Bring a display source `n 1|3 h w` to model space `n source_channels h w`."""
        ...

    def encode_target(self, target: Array) -> Array:
        """Bring a display target `n 1|3 h w` to model space, at the resolution of the network's output."""
        ...

    def decode(self, source: Array, output: Array) -> Array:
        """Turn what the network made into a display picture in [0, 1].

        Args:
            source: Display source `n 1|3 h w`; only codecs that predict chroma look at it.
            output: Model space `n target_channels h w`, of the same `h w`: smaller chroma is enlarged first.
        """
        ...


def build_codec(recipe: Recipe, direction: Direction = "ab") -> Codec:
    """Build the codec that a recipe asks for, in one of the two directions that it may train."""
    match recipe.codec:
        case LabCodec():
            return LabSpace(grey=recipe.codec.grey, stride=recipe.output_stride)
        case RgbCodec():
            looks: tuple[Look, Look] = (recipe.codec.source, "rgb")
        case GrayCodec():
            looks = ("grey", "grey")
            low = 0.0 if recipe.codec.unit_range else -1.0
            return PictureSpace("grey", "grey", recipe.codec.grey, low, frames=recipe.frames)
        case EnlargeCodec():
            return PictureSpace("rgb", "rgb", recipe.codec.grey, scale=recipe.codec.scale)
    source, target = looks if direction == "ab" else looks[::-1]
    return PictureSpace(source, target, recipe.codec.grey)


@final
@dataclass(frozen=True, slots=True)
class PictureSpace:
    """Whole pictures in and out, each in colour or in grey."""

    source: Look
    target: Look
    grey: Grey
    low: float = -1.0  # what black is in model space; white is 1
    predicts_chroma: bool = False
    scale: int = 1
    frames: int = 1  # of more, a target is a clip of grey pictures: they stand where others have channels

    @property
    def source_channels(self) -> int:
        """See `Codec.source_channels`."""
        return 1 if self.source == "grey" else 3

    @property
    def target_channels(self) -> int:
        """See `Codec.target_channels`."""
        return self.frames if self.target == "grey" else 3

    @property
    def colourises(self) -> bool:
        """See `Codec.colourises`."""
        return self.source != "rgb" and self.target == "rgb"

    @property
    def turns_grey(self) -> bool:
        """See `Codec.turns_grey`."""
        return self.source == "rgb" and self.target != "rgb"

    def source_from(self, picture: Array) -> Array:
        """See `Codec.source_from`."""
        return _looking(picture, self.source, self.grey)

    def grey_of(self, picture: Array) -> Array:
        """See `Codec.grey_of`."""
        return _as_grey(picture, self.grey)

    def source_of(self, target: Array) -> Array:
        """See `Codec.source_of`; small pictures have the 8 bits of the files that they stand for."""
        source = self.source_from(target)
        if self.scale == 1:
            return source
        xp = array_namespace(source)
        return xp.round(xp.clip(reduced(source, self.scale), 0, 1) * 255) / 255

    def target_from(self, picture: Array) -> Array:
        """See `Codec.target_from`; a clip is made of grey pictures already."""
        return picture if self.frames > 1 else _looking(picture, self.target, self.grey)

    def encode_source(self, source: Array) -> Array:
        """See `Codec.encode_source`."""
        return self.source_from(source) * (1 - self.low) + self.low

    def encode_target(self, target: Array) -> Array:
        """See `Codec.encode_target`."""
        return self.target_from(target) * (1 - self.low) + self.low

    def decode(self, source: Array, output: Array) -> Array:
        """See `Codec.decode`; three grey channels become their mean."""
        xp = array_namespace(output)
        if self.target == "grey3":
            output = _as_rgb(xp.mean(output, axis=-3, keepdims=True))
        return xp.clip((output - self.low) * (1 / (1 - self.low)), 0, 1)


@final
@dataclass(frozen=True, slots=True)
class LabSpace:
    """L* in; a* and b* out, averaged over `stride` x `stride` pixels when a target is encoded."""

    grey: Grey
    stride: int = 1
    source_channels: int = 1
    target_channels: int = 2
    predicts_chroma: bool = True
    colourises: bool = True
    turns_grey: bool = False
    scale: int = 1

    def source_from(self, picture: Array) -> Array:
        """See `Codec.source_from`."""
        return _as_grey(picture, self.grey)

    def grey_of(self, picture: Array) -> Array:
        """See `Codec.grey_of`."""
        return _as_grey(picture, self.grey)

    def source_of(self, target: Array) -> Array:
        """See `Codec.source_of`."""
        return self.source_from(target)

    def target_from(self, picture: Array) -> Array:
        """See `Codec.target_from`."""
        return _as_rgb(picture)

    def encode_source(self, source: Array) -> Array:
        """See `Codec.encode_source`."""
        return self.lightness(source) * (1 / _HALF_LIGHTNESS) - 1

    def encode_target(self, target: Array) -> Array:
        """See `Codec.encode_target`; `h` and `w` must be multiples of the stride."""
        chroma = self.encode_chroma(target)
        if self.stride == 1:
            return chroma
        height, width = chroma.shape[-2] // self.stride, chroma.shape[-1] // self.stride
        blocks = chroma.reshape((*chroma.shape[:-2], height, self.stride, width, self.stride))
        return array_namespace(chroma).mean(blocks, axis=(-3, -1))

    def encode_chroma(self, picture: Array) -> Array:
        """Model space `... 2 h w` of a display picture `... 1|3 h w`, of the same `h w` whatever the stride."""
        return rgb_to_lab(_as_rgb(picture))[..., 1:, :, :] * (1 / _CHROMA_SCALE)

    def decode(self, source: Array, output: Array) -> Array:
        """See `Codec.decode`; colours that sRGB lacks lose chroma, never L*."""
        return self.join(self.lightness(source), output)[0]

    def lightness(self, source: Array) -> Array:
        """L* `n 1 h w` in [0, 100] of a display picture `n 1|3 h w`, as results keep it."""
        if source.shape[-3] == 3 and self.grey == "lab":
            return luminance(source)
        return grey_to_luminance(_as_grey(source, self.grey))

    def shown_lightness(self, source: Array) -> Array:
        """L* of a source in model space: `encode_source` undone."""
        return (source + 1) * _HALF_LIGHTNESS

    def chroma(self, output: Array) -> Array:
        """a* and b* of what the network made, whatever the order of its axes."""
        return output * _CHROMA_SCALE

    def join(self, lightness: Array, output: Array) -> tuple[Array, int]:
        """The display picture of L* `n 1 h w` and of what the network made `n 2 h w`.

        Returns:
            The picture `n 3 h w`, and of how many pixels chroma was lowered because sRGB lacks their colour.
        """
        lab = array_namespace(lightness).concat((lightness, self.chroma(output)), axis=-3)
        return lab_to_display_counted(lab)


def on_picture(convert: Callable[[Array], Array], picture: Array) -> Array:
    """One picture `h w c` through a function of batches, such as `Codec.source_from`."""
    xp = array_namespace(picture)
    return xp.moveaxis(convert(xp.moveaxis(picture, -1, 0)[None, ...])[0, ...], 0, -1)


def _as_grey(picture: Array, grey: Grey) -> Array:
    return picture if picture.shape[-3] == 1 else to_grey(picture, grey)


def _as_rgb(picture: Array) -> Array:
    return picture if picture.shape[-3] == 3 else array_namespace(picture).concat((picture, picture, picture), axis=-3)


def _looking(picture: Array, look: Look, grey: Grey) -> Array:
    match look:
        case "rgb":
            return _as_rgb(picture)
        case "grey":
            return _as_grey(picture, grey)
        case "grey3":
            return _as_rgb(_as_grey(picture, grey))
