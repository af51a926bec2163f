"""The pictures of a recipe: as training batches in model space, and as evaluation pictures in display space.

Which samples make a batch is the business of `sampler.py`; where pictures come from and how they are divided, of
`source.py`, `cache.py` and `split.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from tintype.data.cache import PictureCache, open_cache
from tintype.data.damage import damage_of, damaged, picture_generator
from tintype.data.motion import judged_generator, motion_of, moving
from tintype.data.sampler import LabelledSampler, PairedSampler, PictureStore, UnpairedSampler
from tintype.data.source import DOMAINS, Domain, find_items
from tintype.data.split import Split, make_split, without_copies
from tintype.errors import DataError
from tintype.image.codec import build_codec
from tintype.recipe.data import ColourData
from tintype.recipe.schema import Recipe

Progress = Callable[[int, int], None]
_MORE = "more/"  # before the names of further pictures
_Sampler = PairedSampler | UnpairedSampler | LabelledSampler


@dataclass(frozen=True, slots=True)
class Pair:
    """One evaluation picture in display space: `h w c` source and target, the same h and w unless it is enlarged."""

    name: str
    source: np.ndarray
    target: np.ndarray


@dataclass(frozen=True, slots=True)
class Single:
    """One evaluation picture of one domain in display space, `h w c`."""

    name: str
    picture: np.ndarray


@dataclass(frozen=True, slots=True)
class Labelled:
    """One evaluation picture in display space, `h w c`, and the number of its class."""

    name: str
    picture: np.ndarray
    number: int


class PictureSet:
    """The pictures of a recipe, handed out in model space (training) or in display space (evaluation).

    Domain A is that of the sources, B that of the targets. Where `has_pairs`, every picture has a partner in the other
    domain, which a method that learns without pairs is not shown. Where there are `classes`, every picture has one.
    """

    def __init__(self, recipe: Recipe, cache: PictureCache, split: Split, more: PictureCache | None = None) -> None:
        self.recipe = recipe
        self.split = split
        self.cache = cache
        self.more = more
        self.has_pairs = recipe.data.kind not in ("unpaired", "labelled")
        self._one_domain = recipe.data.kind != "unpaired"  # or each picture is one of the two
        self._labels = tuple(sorted({item.label for item in cache.items if item.label is not None}))
        self.classes = _class_names(recipe, self._labels)
        self.subjects = tuple(sorted({item.subject for item in cache.items if item.subject is not None}))
        store, index = PictureStore(cache), {name: number for number, name in enumerate(cache.names)}
        train = [index[name] for name in split.train]
        match recipe.method.kind:
            case "pix2pix" | "regression":
                further = None if more is None else (PictureStore(more), _numbers(more, split))
                self._sampler: _Sampler = PairedSampler(recipe, store, np.array(train), further)
            case "cyclegan" | "cut" | "unit":
                self._sampler = UnpairedSampler(recipe, store, *(self._of_domain(train, one) for one in DOMAINS))
            case "classifier" | "gan":
                self._sampler = LabelledSampler(recipe, store, np.array(train), self._class_numbers)

    @property
    def count(self) -> int:
        """Number of samples in a pass over the training pictures."""
        return self._sampler.count

    def batch(self, step: int, device: torch.device, share: tuple[int, int] = (0, 1)) -> tuple[Tensor, ...]:
        """Pictures of A and of B, or their classes, for batch number `step` (from 0); see `methods.Batch`.

        Where the recipe has hints, these are a third part.

        Args:
            step: Number of the batch.
            device: Where the pictures are wanted.
            share: Which of how many equal parts of the batch; default: all of it.
        """
        return self._sampler.batch(step, device, share)

    def subjects_of(self, step: int, device: torch.device, share: tuple[int, int] = (0, 1)) -> Tensor | None:
        """Numbers of what is in the pictures of a batch, int64 `n`, -1 where nobody said; None: of none it was said."""
        if not self.subjects or not isinstance(self._sampler, PairedSampler):
            return None
        chosen = self._sampler.numbers(step, share)
        return torch.from_numpy(np.where(chosen < 0, -1, self._subject_numbers[chosen])).to(device)

    def pictures(self, part: str, size: int, limit: int | None = None) -> Iterator[Pair]:
        """Evaluation pairs of a part of the split: shorter side reduced to `size`, centre crop; none without pairs.

        Args:
            part: train, validation or test.
            size: Side in pixels.
            limit: At most so many, evenly spaced over the part.
        """
        if self.has_pairs:
            cache, chosen = self._chosen(part, size, limit)
            for number in chosen:
                yield evaluation_pair(cache, number, size, self.recipe)

    def pair(self, name: str, size: int) -> Pair:
        """One evaluation pair by its name, made like those of `pictures`."""
        cache = self._cache_of_size(size)
        return evaluation_pair(cache, cache.names.index(name), size, self.recipe)

    def files(self) -> dict[str, str]:
        """Content hashes of all pictures by their names, further ones as `more/NAME`."""
        known = {name: one.sha256 for name, one in zip(self.cache.names, self.cache.fingerprints, strict=True)}
        if self.more is not None:
            further = zip(self.more.names, self.more.fingerprints, strict=True)
            known |= {_MORE + name: one.sha256 for name, one in further}
        return known

    def hashes(self, part: str) -> list[str]:
        """Content hashes of a part of the split, in its order."""
        known = self.files()
        return [known[name] for name in getattr(self.split, part)]

    def domain(self, domain: Domain, part: str, size: int, limit: int | None = None) -> Iterator[Single]:
        """Evaluation pictures of one domain, made and limited like `pictures`."""
        cache, chosen = self._chosen(part, size, limit, domain)
        for number in chosen:
            if self.has_pairs:
                pair = evaluation_pair(cache, number, size, self.recipe)
                yield Single(pair.name, pair.source if domain == "A" else pair.target)
            else:
                yield Single(cache.names[number], centre(cache.target(number), size))

    def labelled(self, part: str, size: int, limit: int | None = None) -> Iterator[Labelled]:
        """Evaluation pictures with their classes, made and limited like `pictures`; none without classes."""
        if self.classes:
            cache, chosen = self._chosen(part, size, limit)
            codec = build_codec(self.recipe)
            for number in chosen:
                picture = codec.source_from(centre(cache.target(number), size).transpose(2, 0, 1)[None])[0]
                label = cache.items[number].label or ""
                yield Labelled(cache.names[number], picture.transpose(1, 2, 0), self._labels.index(label))

    def stack(self, part: str, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Evaluation targets `n size size c`, float32 in display space, and their classes `n`; chosen like `pictures`.

        Their size is `data.size`. Where the recipe makes clips of pictures, frames stand in the place of channels.
        Classes are zeros where there are none.
        """
        codec, motion = build_codec(self.recipe), motion_of(self.recipe)
        size, window = self.recipe.data.size, self.recipe.data.window
        cache, chosen = self._chosen(part, window, limit)
        pictures = np.empty((len(chosen), size, size, codec.target_channels), np.float32)
        for place, number in enumerate(chosen):
            picture = centre(cache.target(number), window).transpose(2, 0, 1)[None]
            if motion is not None:
                random = judged_generator(cache.fingerprints[number].sha256)
                picture = moving(torch.from_numpy(codec.grey_of(picture)), motion, size, [random]).numpy()
            pictures[place] = codec.target_from(picture)[0].transpose(1, 2, 0)
        return pictures, self._class_numbers[chosen]

    def class_counts(self, part: str) -> np.ndarray:
        """How many pictures of each class a part of the split has, int64 in the order of `classes`."""
        members = set(getattr(self.split, part))
        chosen = [name in members for name in self.cache.names]
        return np.bincount(self._class_numbers[chosen], minlength=len(self.classes))

    def domain_count(self, domain: Domain, part: str) -> int:
        """Number of pictures that a domain has in a part of the split."""
        names = getattr(self.split, part)
        return len(names) if self._one_domain else sum(name.startswith(f"{domain}/") for name in names)

    def _chosen(
        self, part: str, size: int, limit: int | None, domain: Domain | None = None
    ) -> tuple[PictureCache, list[int]]:
        cache = self._cache_of_size(size)
        index = {name: number for number, name in enumerate(cache.names)}
        chosen = [index[name] for name in getattr(self.split, part)]
        if domain is not None:
            chosen = self._of_domain(chosen, domain).tolist()
        if limit is not None and len(chosen) > limit:
            chosen = [chosen[i * len(chosen) // limit] for i in range(limit)]
        return cache, chosen

    def _of_domain(self, numbers: list[int], domain: str) -> np.ndarray:
        """Those of the cached pictures that have a picture of the domain: all of them where they are not apart."""
        kept = [number for number in numbers if self._one_domain or self.cache.items[number].domain == domain]
        return np.array(kept, dtype=np.int64)

    @functools.cached_property
    def _class_numbers(self) -> np.ndarray:
        """That of each cached picture, int64."""
        numbers = {label: number for number, label in enumerate(self._labels)}
        return np.array([numbers[item.label] if item.label else 0 for item in self.cache.items], dtype=np.int64)

    @functools.cached_property
    def _subject_numbers(self) -> np.ndarray:
        """What is in each cached picture, int64, -1 where nobody said."""
        numbers: dict[str | None, int] = {subject: number for number, subject in enumerate(self.subjects)}
        return np.array([numbers.get(item.subject, -1) for item in self.cache.items], dtype=np.int64)

    @functools.cache  # noqa: B019 - one object lives as long as a run
    def _cache_of_size(self, size: int) -> PictureCache:
        if size == self.recipe.data.shorter_side:
            return self.cache
        spec = self.recipe.data.model_copy(update={"load_size": size})
        return open_cache(self.cache.items, spec)


def _numbers(more: PictureCache, split: Split) -> np.ndarray:
    """Those of the further pictures that are trained on, in the order of the split."""
    index = {_MORE + name: number for number, name in enumerate(more.names)}
    return np.array([index[name] for name in split.more])


def _class_names(recipe: Recipe, labels: tuple[str, ...]) -> tuple[str, ...]:
    """What the classes are called."""
    names: tuple[str, ...] = getattr(recipe.data, "class_names", ())
    if names and len(names) != len(labels):
        raise DataError(
            f"{recipe.data.path}: has pictures of {len(labels)} classes, data.class_names has {len(names)} names: give "
            "as many, or none"
        )
    return names or labels


def evaluation_pair(cache: PictureCache, number: int, size: int, recipe: Recipe) -> Pair:
    """Centre crop of a cached picture and of its source, in display space."""
    codec = build_codec(recipe)
    target = centre(cache.target(number), size)
    stored = cache.source(number)
    source = (
        codec.source_of(target.transpose(2, 0, 1)[None])[0].transpose(1, 2, 0)
        if stored is None
        else centre(stored, size)
    )
    if (spec := damage_of(recipe)) is not None:
        whole = torch.from_numpy(np.ascontiguousarray(source)).permute(2, 0, 1)[None]
        random = picture_generator(cache.fingerprints[number].sha256)
        source = damaged(whole, spec, [random])[0].permute(1, 2, 0).numpy()
    return Pair(cache.names[number], np.ascontiguousarray(source), target)


def centre(picture: np.ndarray, size: int) -> np.ndarray:
    """The middle of a cached picture `h w 3` as display floats, `size size 3`."""
    top, left = (picture.shape[0] - size) // 2, (picture.shape[1] - size) // 2
    return picture[top : top + size, left : left + size].astype(np.float32) / 255


def open_data(recipe: Recipe, progress: Progress | None = None) -> PictureSet:
    """Find, decode, split: the pictures of a recipe.

    Raises:
        DataError: No usable pictures; see `data.source` and `data.cache`.
    """
    cache = open_cache(find_items(recipe.data), recipe.data, progress=progress)
    split, more = make_split(cache.items, cache.fingerprints, recipe.data.split), None
    if isinstance(recipe.data, ColourData) and recipe.data.more:
        spec = recipe.data.model_copy(update={"path": recipe.data.more})
        more = open_cache(find_items(spec, "data.more"), spec, progress=progress)
        kept = without_copies(split, cache.items, cache.fingerprints, more.fingerprints, recipe.data.split)
        left_out = len(more) - len(kept)
        if not kept:
            raise DataError(f"{spec.path}: holds only copies of held-out pictures; give others as data.more")
        notes = [f"{left_out} pictures of data.more are copies of held-out ones and left out"] if left_out else []
        split = replace(split, more=tuple(_MORE + more.names[i] for i in kept), notes=(*split.notes, *notes))
    pictures = PictureSet(recipe, cache, split, more)
    empty = [domain for domain in DOMAINS if not pictures.domain_count(domain, "train")]
    if empty:
        whose = f" of domain {empty[0]}" if len(empty) == 1 else ""
        where = recipe.data.path
        if recipe.data.kind == "unpaired" and whose == " of domain B":
            where = recipe.data.path_b or where
        raise DataError(f"{where}: no readable picture{whose} is left to train on")
    for section, wanted, found, other in (
        ("generator", getattr(recipe.generator, "classes", 0), len(pictures.classes), "data.label to where they stand"),
        ("method", getattr(recipe.method, "classes", 0), len(pictures.subjects), "make a folder for each"),
    ):
        if wanted and wanted != found:
            raise DataError(
                f"{recipe.data.path}: has pictures of {found} classes, the recipe is for {wanted}: set "
                f"{section}.classes={found}, or {other}"
            )
    return pictures
