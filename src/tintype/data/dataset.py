"""Cached pictures as training batches and as evaluation pictures.

A run sees one endless stream of samples: number g is sample g mod n of epoch g div n. Batches are cut from the
stream, so every batch is full, an epoch may end inside one, and the position in the data is the step alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tintype.data.cache import PictureCache, open_cache
from tintype.data.source import find_items
from tintype.data.split import Split, make_split
from tintype.data.transform import cut, draw_placement, epoch_order, sample_generator
from tintype.errors import DataError
from tintype.image.codec import build_codec
from tintype.recipe.schema import Recipe

Progress = Callable[[int, int], None]

_DEVICE_SHARE = 0.25
"""Largest part of a device's free memory that the pictures may take; beyond it they stay in the host's memory."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One evaluation picture in display space: `h w c` source and target, the same h and w."""

    name: str
    source: np.ndarray
    target: np.ndarray


class PairedData:
    """The pictures of a recipe, handed out in model space (training) or in display space (evaluation)."""

    def __init__(self, recipe: Recipe, cache: PictureCache, split: Split) -> None:
        self.recipe = recipe
        self.split = split
        self.cache = cache
        self._codec = build_codec(recipe)
        index = {name: number for number, name in enumerate(cache.names)}
        self._train = np.array([index[name] for name in split.train], dtype=np.int64)

    @property
    def count(self) -> int:
        """Number of training pictures."""
        return len(self._train)

    def batch(self, step: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Source and target of batch number `step` (from 0) in model space, `n c h w` on `device`."""
        spec, size = self.recipe.data, self.recipe.data.size
        training = self.recipe.training
        pictures, placements = [], []
        for number in range(step * training.batch_size, (step + 1) * training.batch_size):
            epoch, position = divmod(number, self.count)
            index = int(self._order(epoch)[position])  # in the order of contents: names must not matter
            picture = self._train[index]
            random = sample_generator(training.seed, epoch, index)
            height, width = int(self.cache.heights[picture]), int(self.cache.widths[picture])
            pictures.append(picture)
            placements.append(draw_placement(spec.augment, size, height, width, random))
        flat = self._store(device)
        chosen = torch.as_tensor(np.array(pictures))

        cache = self.cache
        offsets, heights, widths = (
            torch.from_numpy(table)[chosen].to(flat.device) for table in (cache.offsets, cache.heights, cache.widths)
        )
        target = cut(flat, offsets, heights, widths, placements, size).to(device)
        if cache.paired:
            source = cut(flat, offsets + 3 * heights * widths, heights, widths, placements, size).to(device)
        else:
            source = self._codec.source_from(target)
        return self._codec.encode_source(source), self._codec.encode_target(target)

    def pictures(self, part: str, size: int, limit: int | None = None) -> Iterator[Pair]:
        """Evaluation pictures of a part of the split: shorter side reduced to `size`, centre crop.

        Args:
            part: train, validation or test.
            size: Side in pixels.
            limit: At most so many, evenly spaced over the part.
        """
        names = getattr(self.split, part)
        if limit is not None and len(names) > limit:
            names = [names[i * len(names) // limit] for i in range(limit)]
        cache = self._cache_of_size(size)
        index = {name: number for number, name in enumerate(cache.names)}
        for name in names:
            yield evaluation_pair(cache, index[name], size, self.recipe)

    @functools.cache  # noqa: B019 - one object lives as long as a run
    def _cache_of_size(self, size: int) -> PictureCache:
        if size == self.recipe.data.shorter_side:
            return self.cache
        spec = self.recipe.data.model_copy(update={"size": size, "load_size": None})
        return open_cache(self.cache.items, spec)

    @functools.lru_cache(maxsize=2)  # noqa: B019
    def _order(self, epoch: int) -> np.ndarray:
        return epoch_order(self.recipe.training.seed, epoch, self.count)

    @functools.cache  # noqa: B019
    def _store(self, device: torch.device) -> Tensor:
        flat = torch.from_file(str(self.cache.path), shared=False, size=len(self.cache.flat), dtype=torch.uint8)
        if device.type == "cuda" and flat.numel() < _DEVICE_SHARE * torch.cuda.mem_get_info(device)[0]:
            return flat.to(device)
        return flat


def evaluation_pair(cache: PictureCache, number: int, size: int, recipe: Recipe) -> Pair:
    """Centre crop of a cached picture and of its source, in display space."""
    codec = build_codec(recipe)
    target = _centre(cache.target(number), size)
    stored = cache.source(number)
    source = (
        codec.source_from(target.transpose(2, 0, 1)[None])[0].transpose(1, 2, 0)
        if stored is None
        else _centre(stored, size)
    )
    return Pair(cache.names[number], np.ascontiguousarray(source), target)


def _centre(picture: np.ndarray, size: int) -> np.ndarray:
    top, left = (picture.shape[0] - size) // 2, (picture.shape[1] - size) // 2
    return picture[top : top + size, left : left + size].astype(np.float32) / 255


def open_data(recipe: Recipe, progress: Progress | None = None) -> PairedData:
    """Find, decode, split: the pictures of a recipe.

    Raises:
        DataError: No usable pictures; see `data.source` and `data.cache`.
    """
    cache = open_cache(find_items(recipe.data), recipe.data, progress=progress)
    split = make_split(cache.items, cache.fingerprints, recipe.data.split)
    if not split.train:
        raise DataError(f"{recipe.data.path}: no readable picture is left to train on")
    return PairedData(recipe, cache, split)
