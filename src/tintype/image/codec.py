"""Codecs: what a network sees and makes, and how display space becomes model space and back.

Display space is sRGB-encoded [0, 1], model space [-1, 1]; both are `n c h w` of numpy or torch, and float.

    codec               source (display)   encoded source      encoded target                 decoded (display)
    rgb, source=rgb     n 3 h w            n 3 h w             n 3 h w                        n 3 h w
    rgb, source=grey    n 1 h w            n 1 h w             n 3 h w                        n 3 h w
    gray                n 1 h w            n 1 h w             n 1 h w                        n 1 h w
    lab                 n 1 h w            n 1 h w (L*/50-1)   n 2 h/stride w/stride (ab/110) n 3 h w

A picture with three channels that is given where grey is due is made grey as the recipe's `codec.grey` says; a grey one
that is given where colour is due is repeated. Files and colour spaces are the business of `file` and `color`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final

from array_api_compat import array_namespace

from tintype.image.color import Array, grey_to_luminance, lab_to_display, rgb_to_lab, to_grey
from tintype.recipe.schema import GrayCodec, Grey, LabCodec, Recipe, RgbCodec

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

    def source_from(self, target: Array) -> Array:
        """Return the display source `n source_channels h w` that belongs to the display target `n 3 h w`."""
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


def build_codec(recipe: Recipe) -> Codec:
    """Build the codec that a recipe asks for."""
    match recipe.codec:
        case RgbCodec(source="rgb"):
            return RgbSpace(source_channels=3, grey=recipe.codec.grey)
        case RgbCodec():
            return RgbSpace(source_channels=1, grey=recipe.codec.grey)
        case GrayCodec():
            return GraySpace(grey=recipe.codec.grey)
        case LabCodec():
            return LabSpace(grey=recipe.codec.grey, stride=recipe.output_stride)


@final
@dataclass(frozen=True, slots=True)
class RgbSpace:
    """RGB out; RGB or one grey channel in."""

    source_channels: int
    grey: Grey
    target_channels: int = 3
    predicts_chroma: bool = False

    def source_from(self, target: Array) -> Array:
        """See `Codec.source_from`."""
        return _as_rgb(target) if self.source_channels == 3 else _as_grey(target, self.grey)

    def encode_source(self, source: Array) -> Array:
        """See `Codec.encode_source`."""
        return self.source_from(source) * 2 - 1

    def encode_target(self, target: Array) -> Array:
        """See `Codec.encode_target`."""
        return _as_rgb(target) * 2 - 1

    def decode(self, source: Array, output: Array) -> Array:
        """See `Codec.decode`."""
        return _to_display(output)


@final
@dataclass(frozen=True, slots=True)
class GraySpace:
    """One grey channel in, one out."""

    grey: Grey
    source_channels: int = 1
    target_channels: int = 1
    predicts_chroma: bool = False

    def source_from(self, target: Array) -> Array:
        """See `Codec.source_from`."""
        return _as_grey(target, self.grey)

    def encode_source(self, source: Array) -> Array:
        """See `Codec.encode_source`."""
        return _as_grey(source, self.grey) * 2 - 1

    def encode_target(self, target: Array) -> Array:
        """See `Codec.encode_target`."""
        return _as_grey(target, self.grey) * 2 - 1

    def decode(self, source: Array, output: Array) -> Array:
        """See `Codec.decode`."""
        return _to_display(output)


@final
@dataclass(frozen=True, slots=True)
class LabSpace:
    """L* in; a* and b* out, averaged over `stride` x `stride` pixels when a target is encoded."""

    grey: Grey
    stride: int = 1
    source_channels: int = 1
    target_channels: int = 2
    predicts_chroma: bool = True

    def source_from(self, target: Array) -> Array:
        """See `Codec.source_from`."""
        return _as_grey(target, self.grey)

    def encode_source(self, source: Array) -> Array:
        """See `Codec.encode_source`."""
        return self._lightness(source) * (1 / 50) - 1

    def encode_target(self, target: Array) -> Array:
        """See `Codec.encode_target`; `h` and `w` must be multiples of the stride."""
        chroma = rgb_to_lab(_as_rgb(target))[..., 1:, :, :] * (1 / _CHROMA_SCALE)
        if self.stride == 1:
            return chroma
        height, width = chroma.shape[-2] // self.stride, chroma.shape[-1] // self.stride
        blocks = chroma.reshape((*chroma.shape[:-2], height, self.stride, width, self.stride))
        return array_namespace(chroma).mean(blocks, axis=(-3, -1))

    def decode(self, source: Array, output: Array) -> Array:
        """See `Codec.decode`; colours that sRGB lacks lose chroma, never L*."""
        lab = array_namespace(source).concat((self._lightness(source), output * _CHROMA_SCALE), axis=-3)
        return lab_to_display(lab)

    def _lightness(self, source: Array) -> Array:
        return grey_to_luminance(_as_grey(source, self.grey))


def _as_grey(picture: Array, grey: Grey) -> Array:
    return picture if picture.shape[-3] == 1 else to_grey(picture, grey)


def _as_rgb(picture: Array) -> Array:
    return picture if picture.shape[-3] == 3 else array_namespace(picture).concat((picture, picture, picture), axis=-3)


def _to_display(output: Array) -> Array:
    return array_namespace(output).clip((output + 1) * 0.5, 0, 1)
