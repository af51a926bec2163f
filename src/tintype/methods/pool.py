"""The image pool: earlier generated pictures, so that a discriminator does not only see the generator's latest.

Shrivastava et al. 2017, in the form of Zhu et al. 2017.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from tintype.methods.method import Peers


class ImagePool:
    """Holds up to `size` pictures; which ones are exchanged follows from (seed, step), so the pool is its content.

    Where several processes train, each sees the generated pictures of all and makes the same exchange.
    """

    def __init__(self, size: int, seed: int, stream: int, peers: Peers | None = None) -> None:
        self.size = size
        self.peers = peers
        self._key = (seed, stream)
        self.pictures: list[Tensor] = []
        """Each `c h w`, on the device of what was put in."""

    def exchange(self, pictures: Tensor, step: int) -> Tensor:
        """Put generated pictures in and take as many out, `n c h w`.

        While the pool fills up, they come back as they are. Then half of them do, on average, and the others take the
        place of an earlier picture, which comes back in their stead.
        """
        if self.size == 0:
            return pictures
        if self.peers is None:
            return self._exchange(pictures, step)
        first = self.peers.rank * len(pictures)
        return self._exchange(self.peers.gather(pictures), step)[first : first + len(pictures)]

    def _exchange(self, pictures: Tensor, step: int) -> Tensor:
        seed, stream = self._key
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, stream, step))))
        out = pictures.detach().clone()
        for number, picture in enumerate(pictures.detach()):
            if len(self.pictures) < self.size:
                self.pictures.append(picture.clone())
            elif random.random() < 0.5:
                place = int(random.integers(self.size))
                out[number] = self.pictures[place]
                self.pictures[place] = picture.clone()
        return out
