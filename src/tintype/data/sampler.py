"""Which samples make a batch, with partners or without, and their pixels in model space.

A run sees one endless stream of samples: number g is sample g mod n of epoch g div n. Batches are cut from the
stream, so every batch is full, an epoch may end inside one, and the position in the data is the step alone.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from tintype.data.cache import PictureCache
from tintype.data.damage import damage_generator, damage_of, damaged
from tintype.data.hints import hint_generator, hints_from, hints_of
from tintype.data.motion import clip_generator, motion_of, moving
from tintype.data.transform import Placement, cut, draw_placement, epoch_order, sample_generator
from tintype.errors import RecipeError
from tintype.image.codec import LabSpace, build_codec
from tintype.recipe.schema import Recipe

_APART = 2**39
"""Beyond the index of any picture, and below those of orders."""

_DEVICE_SHARE = 0.25
"""Largest part of a device's free memory that the pictures may take; beyond it they stay in the host's memory."""


def share_of_batch(step: int, batch_size: int, share: tuple[int, int]) -> range:
    """Numbers of the samples in one of several equal parts of a batch: `share` is its number and their count."""
    part, parts = share
    own = batch_size // parts
    return range(step * batch_size + part * own, step * batch_size + (part + 1) * own)


def pictures_of_more(recipe: Recipe) -> int:
    """How many pictures of a batch come from `data.more`.

    Raises:
        RecipeError: None would, or all.
    """
    batch_size, share = recipe.training.batch_size, getattr(recipe.data, "more_share", 0.0)
    number = round(share * batch_size)
    if not 0 < number < batch_size:
        raise RecipeError(
            f"data.more_share={share:g} of training.batch_size={batch_size} is {number} pictures: both sets need a "
            "part of each batch; raise the batch size or change the share"
        )
    return number


class PictureStore:
    """All cached pictures as one flat tensor, on the device where there is room, and windows cut from it."""

    def __init__(self, cache: PictureCache) -> None:
        self.cache = cache

    def cut(
        self,
        pictures: Sequence[int],
        placements: list[Placement],
        size: int,
        device: torch.device,
        *,
        source: bool = False,
    ) -> Tensor:
        """Windows of the pictures of these numbers, or of their stored sources: display `n 3 size size` on `device`."""
        cache, flat = self.cache, self._flat(device)
        chosen = torch.as_tensor(np.asarray(pictures))
        offsets, heights, widths = (
            torch.from_numpy(table)[chosen].to(flat.device) for table in (cache.offsets, cache.heights, cache.widths)
        )
        if source:
            offsets = offsets + 3 * heights * widths
        return cut(flat, offsets, heights, widths, placements, size).to(device)

    @functools.cache  # noqa: B019
    def shown_whole(self, recipe: Recipe) -> bool:
        """Whether the only window of each picture is the whole of it, as it is."""
        cache, size = self.cache, recipe.data.window
        sides = cache.heights, cache.widths
        return recipe.data.augment.still and not cache.paired and all(bool((side == size).all()) for side in sides)

    def whole(self, pictures: np.ndarray, size: int, device: torch.device) -> Tensor:
        """The pictures of these numbers, as `cut` gives them, where `shown_whole`."""
        flat = self._flat(device).view(-1, size, size, 3)
        chosen = flat.index_select(0, torch.from_numpy(pictures).to(flat.device)).to(device)
        return (chosen.float() / 255).permute(0, 3, 1, 2)

    def placement(self, recipe: Recipe, picture: int, random: np.random.Generator) -> Placement:
        """A random window of the recipe's size in a picture."""
        height, width = int(self.cache.heights[picture]), int(self.cache.widths[picture])
        return draw_placement(recipe.data.augment, recipe.data.window, height, width, random)

    @functools.cache  # noqa: B019 - one object lives as long as a run
    def _flat(self, device: torch.device) -> Tensor:
        flat = torch.from_file(str(self.cache.path), shared=False, size=len(self.cache.flat), dtype=torch.uint8)
        if device.type == "cuda" and flat.numel() < _DEVICE_SHARE * torch.cuda.mem_get_info(device)[0]:
            return flat.to(device)
        return flat


class _Epochs:
    """Windows of single pictures; an epoch goes once through all of them.

    Args:
        recipe: How they are cut, and the seed.
        store: Where they lie.
        pictures: Their numbers there.
        batch_size: How many a batch takes; default: all of a batch.
        first: Number from which their random numbers are counted, apart from those of another set.
    """

    def __init__(
        self,
        recipe: Recipe,
        store: PictureStore,
        pictures: np.ndarray,
        batch_size: int | None = None,
        first: int = 0,
    ) -> None:
        self.recipe, self.store, self.pictures, self.first = recipe, store, pictures, first
        self.batch_size = batch_size or recipe.training.batch_size

    @property
    def count(self) -> int:
        """Samples in an epoch."""
        return len(self.pictures)

    def numbered(self, step: int, share: tuple[int, int], device: torch.device) -> tuple[np.ndarray, Tensor]:
        """Numbers of the pictures of a share of a batch, and their windows as `PictureStore.cut` gives them."""
        if self.store.shown_whole(self.recipe):  # where nothing is drawn at random, nothing is done picture by picture
            numbers = np.array(share_of_batch(step, self.batch_size, share))
            epochs, positions = np.divmod(numbers, self.count)
            parts = [self._order(int(epoch))[positions[epochs == epoch]] for epoch in np.unique(epochs)]
            pictures = self.pictures[np.concatenate(parts)]
            return pictures, self.store.whole(pictures, self.recipe.data.window, device)
        chosen, placements = self.samples(step, share)
        return np.array(chosen), self.store.cut(chosen, placements, self.recipe.data.window, device)

    def samples(self, step: int, share: tuple[int, int]) -> tuple[list[int], list[Placement]]:
        """Numbers and windows of the pictures of a share of a batch."""
        recipe, store, seed = self.recipe, self.store, self.recipe.training.seed
        pictures, placements = [], []
        for epoch, index in self.places(step, share):
            picture = self.pictures[index]
            pictures.append(picture)
            placements.append(store.placement(recipe, picture, sample_generator(seed, epoch, self.first + index)))
        return pictures, placements

    def windows(self, step: int, share: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor | None]:
        """Targets of a share of a batch, and their sources where those are stored; display `n 3 size size`."""
        store, size = self.store, self.recipe.data.size
        pictures, placements = self.samples(step, share)
        target = store.cut(pictures, placements, size, device)
        return target, store.cut(pictures, placements, size, device, source=True) if store.cache.paired else None

    def places(self, step: int, share: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Epoch and index of each sample in a share of a batch; indices are in the order of contents, not of names."""
        for number in share_of_batch(step, self.batch_size, share):
            epoch, position = divmod(number, self.count)
            yield epoch, int(self._order(epoch)[position])

    @functools.lru_cache(maxsize=2)  # noqa: B019
    def _order(self, epoch: int) -> np.ndarray:
        return epoch_order(self.recipe.training.seed, epoch, self.count, int(self.first > 0))


class PairedSampler:
    """Samples are pictures and their partners, cut alike; part of each batch may come from a second set.

    Args:
        recipe: How they are cut, and how many make a batch.
        store: Where the pictures lie.
        pictures: Their numbers there.
        more: Where those of the second set lie, and their numbers.

    Raises:
        RecipeError: A batch is too small to hold pictures of both sets.
    """

    def __init__(
        self,
        recipe: Recipe,
        store: PictureStore,
        pictures: np.ndarray,
        more: tuple[PictureStore, np.ndarray] | None = None,
    ) -> None:
        self._codec, self._batch_size = build_codec(recipe), recipe.training.batch_size
        self._damage, self._hints, self._seed = damage_of(recipe), hints_of(recipe), recipe.training.seed
        other = 0 if more is None else pictures_of_more(recipe)
        self._sets = [_Epochs(recipe, store, pictures, self._batch_size - other)]
        if more is not None:
            self._sets.append(_Epochs(recipe, *more, other, first=_APART))

    @property
    def count(self) -> int:
        """Samples in an epoch: one pass over the pictures, with what is taken from a second set meanwhile."""
        return round(self._sets[0].count * self._batch_size / self._sets[0].batch_size)

    def batch(self, step: int, device: torch.device, share: tuple[int, int] = (0, 1)) -> tuple[Tensor, ...]:
        """See `PictureSet.batch`."""
        parts = [one.windows(step, share, device) for one in self._sets]
        target, stored = parts[0] if len(parts) == 1 else (torch.cat([target for target, _ in parts]), None)
        source = self._codec.source_of(target) if stored is None else stored
        if self._damage is not None:
            random = (damage_generator(self._seed, *place) for place in self._places(step, share))
            source = damaged(source, self._damage, random)
        batch = self._codec.encode_source(source), self._codec.encode_target(target)
        if self._hints is None:
            return batch
        assert isinstance(self._codec, LabSpace)
        revealing = (hint_generator(self._seed, *place) for place in self._places(step, share))
        return *batch, hints_from(target, self._codec, self._hints, revealing)

    def numbers(self, step: int, share: tuple[int, int]) -> np.ndarray:
        """Numbers of the pictures in a share of a batch, -1 for those of the second set."""
        own, *others = self._sets
        numbers = [int(own.pictures[index]) for _, index in own.places(step, share)]
        return np.array(numbers + [-1 for other in others for _ in other.places(step, share)])

    def _places(self, step: int, share: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Epoch and index of each sample in a share of a batch, those of the second set apart."""
        return ((epoch, one.first + index) for one in self._sets for epoch, index in one.places(step, share))


class LabelledSampler:
    """Samples are pictures and the numbers of their classes; for a generator from noise the numbers, and what it makes.

    Args:
        recipe: How pictures are cut, whether clips are made of them, and how many make a batch.
        store: Where the pictures lie.
        pictures: Their numbers there.
        classes: That of every cached picture; zeros where there are none.
    """

    def __init__(self, recipe: Recipe, store: PictureStore, pictures: np.ndarray, classes: np.ndarray) -> None:
        self._epochs = _Epochs(recipe, store, pictures)
        self._codec = build_codec(recipe)
        self._classes = classes
        self._from_noise = recipe.method.kind == "gan"
        self._motion, self._seed, self._size = motion_of(recipe), recipe.training.seed, recipe.data.size

    @property
    def count(self) -> int:
        """Samples in an epoch."""
        return self._epochs.count

    def batch(self, step: int, device: torch.device, share: tuple[int, int] = (0, 1)) -> tuple[Tensor, Tensor]:
        """See `PictureSet.batch`."""
        pictures, cut = self._epochs.numbered(step, share, device)
        classes = torch.from_numpy(self._classes[pictures]).to(device)
        if not self._from_noise:
            return self._codec.encode_source(self._codec.source_from(cut)), classes
        if self._motion is not None:
            paths = (clip_generator(self._seed, *place) for place in self._epochs.places(step, share))
            cut = moving(self._codec.grey_of(cut), self._motion, self._size, paths)
        return classes, self._codec.encode_target(cut)


class UnpairedSampler:
    """Samples are a picture of A and one of B drawn apart: each with an order, a crop and a flip of its own.

    An epoch is as long as the larger domain and goes once through it, and through the smaller one as often as it fits.
    Where pictures have partners, no sample joins a picture with its own, unless there is but one.
    """

    def __init__(self, recipe: Recipe, store: PictureStore, pictures_a: np.ndarray, pictures_b: np.ndarray) -> None:
        self.recipe, self.store = recipe, store
        self.pictures = (pictures_a, pictures_b)
        self._codec = build_codec(recipe)

    @property
    def count(self) -> int:
        """Samples in an epoch; 0 where a domain is empty."""
        return max(map(len, self.pictures)) if all(map(len, self.pictures)) else 0

    def batch(self, step: int, device: torch.device, share: tuple[int, int] = (0, 1)) -> tuple[Tensor, Tensor]:
        """See `PictureSet.batch`."""
        numbers = share_of_batch(step, self.recipe.training.batch_size, share)
        stored = self.store.cache.paired  # only then are there pictures of A apart from those of B
        a, b = (self._windows(domain, numbers, device, source=stored and domain == 0) for domain in (0, 1))
        return self._codec.encode_source(a), self._codec.encode_target(b)

    def _windows(self, domain: int, numbers: range, device: torch.device, *, source: bool) -> Tensor:
        pictures, placements = [], []
        for number in numbers:
            epoch, position = divmod(number, self.count)
            picture = self.pictures[domain][self._orders(epoch)[domain][position]]
            random = sample_generator(self.recipe.training.seed, epoch, 2 * position + domain)
            pictures.append(picture)
            placements.append(self.store.placement(self.recipe, picture, random))
        return self.store.cut(pictures, placements, self.recipe.data.size, device, source=source)

    @functools.lru_cache(maxsize=2)  # noqa: B019
    def _orders(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """For each sample of an epoch, which picture of A and of B it takes."""
        a, b = (self._order(epoch, domain) for domain in (0, 1))
        if np.array_equal(*self.pictures):
            _part_partners(a, b)
        return a[: self.count], b[: self.count]

    def _order(self, epoch: int, domain: int) -> np.ndarray:
        """As many orders of a domain, one after the other, as an epoch needs."""
        own = len(self.pictures[domain])
        turns = range(-(-self.count // own))
        seed = self.recipe.training.seed
        return np.concatenate([epoch_order(seed, epoch, own, 2 * turn + domain) for turn in turns])


def _part_partners(a: np.ndarray, b: np.ndarray) -> None:
    """Exchange entries of the permutation `b` until it agrees with the permutation `a` nowhere."""
    alike = np.flatnonzero(a == b)
    if len(alike) == 1 and len(b) > 1:
        alike = np.append(alike, (alike[0] + 1) % len(b))
    b[alike] = np.roll(b[alike], 1)
