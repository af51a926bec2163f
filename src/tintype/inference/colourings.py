"""One picture, many results: what a model with noise makes of it with one seed after the other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tintype.errors import UsageError
from tintype.image.codec import LabSpace, on_picture
from tintype.image.color import rgb_to_lab
from tintype.image.file import DecodedImage
from tintype.inference.network import Network, to_batch, to_picture
from tintype.inference.translator import Translator

MOST = 10_000


def colourings(
    translator: Translator, picture: np.ndarray | DecodedImage, count: int, seed: int = 0
) -> list[np.ndarray]:
    """Several results of one picture, display floats `h w 3` in [0, 1] (`h w 1` from models that make grey ones).

    Number i is that of `translator.with_seed(seed + i)`, so that each can be had again by itself.

    Args:
        translator: A model with noise.
        picture: As `Translator.predict` takes it.
        count: How many, at least 1.
        seed: That of the first.

    Raises:
        ImageError: Values are not finite or out of range.
        ModelFileError: The network fails, or gives something else than its card says.
        UsageError: The model has no noise, or the count or the picture is none.
    """
    if not 1 <= count <= MOST:
        raise UsageError(f"{count} results of a picture: ask for 1 to {MOST:,}")
    return [translator.with_seed(number).predict(picture).render() for number in range(seed, seed + count)]


def chroma_in(network: Network, source: np.ndarray, output: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """a* and b* of what a network made of a picture: model space `h w c` to `h w 2`, float64."""
    codec = network.codec
    if isinstance(codec, LabSpace):
        return codec.chroma(output).astype(np.float64) * strength
    result = to_picture(codec.decode(to_batch(source), to_batch(output)))
    return on_picture(rgb_to_lab, result.astype(np.float64))[..., 1:]


def drawn_outputs(
    network: Network, source: np.ndarray, count: int, seed: int = 0, hints: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """What a network with noise makes of a picture with the whole of it and so many seeds, model space `h w c`.

    This is how a network is asked how sure it is. The seeds of different `seed` have next to nothing in common; `hints`
    are as `Network` takes them.
    """
    whole = network.with_whole_noise()
    for number in np.random.SeedSequence(seed).generate_state(count):
        yield whole.with_seed(int(number))(source, orientations=1, hints=hints)


def drawn_chroma(network: Network, source: np.ndarray, count: int, seed: int = 0) -> Iterator[np.ndarray]:
    """The a* and b* of `drawn_outputs`."""
    for output in drawn_outputs(network, source, count, seed):
        yield chroma_in(network, source, output)
