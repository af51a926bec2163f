"""The human test: a page that shows pictures one by one and asks whether each is real or was generated.

Holds the choice of pictures and the making of the page from `templates/blind.*`; what comes back is the business of
`blind_answers` and `blind_score`. Three things would make such a test worthless, and are kept from it here:

* A photograph is shown once, as the truth or as something made of it, never as both; of copies only one is taken.
* Real and generated pictures have one size, one encoder and no metadata, and the page holds them in one block in random
  order, so that neither bytes nor names tell. The key lies in the page too, encoded but not secret: who wants to cheat
  can.
* In a task that colours, all real pictures have colour, so that grey does not give away the controls' opposite.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from tintype import __version__
from tintype.api import unseen_pictures
from tintype.atomic import atomic_path, make_folder
from tintype.blind_answers import FORMAT, MAX_PICTURES, Item, Kind, Test, cleaned
from tintype.data.dataset import PictureSet
from tintype.data.source import ENDS
from tintype.data.split import duplicate_groups
from tintype.errors import DataError, UsageError
from tintype.evaluation import COLOURED_THRESHOLD
from tintype.image.codec import Codec, on_picture
from tintype.image.color import grey_to_luminance, lab_to_display, rgb_to_lab
from tintype.image.file import write_image
from tintype.inference.bundled import model_path
from tintype.inference.translator import Translator, check_strength
from tintype.metrics.baselines import BICUBIC, enlarging_baselines
from tintype.metrics.colour import mean_chroma
from tintype.recipe.schema import Direction
from tintype.training.held_out import pictures_for_test
from tintype.training.rundir import RunDir

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a test is to be like.

    Attributes:
        count: Pictures that count; half of them, rounded down, are real.
        practice: Pictures of the practice rounds before.
        controls: Fraction of the pictures that are not real which are controls instead of the model's.
        exposure: Seconds for which a picture is seen; None: until the answer.
        strength: Factor on predicted chroma.
        seed: Decides which pictures are shown, and as what.
    """

    count: int = 40
    practice: int = 6
    controls: float = 0.2
    exposure: float | None = None
    strength: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Blind:
    """A page that was made: where, what it asks, and what whoever runs the test must know."""

    path: Path
    test: Test
    size_bytes: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Photograph:
    """What the set has of a photograph, display `h w c`: both where there are pairs, else one."""

    name: str
    source: np.ndarray | None
    target: np.ndarray | None


@dataclass(frozen=True, slots=True)
class _Shown:
    kind: Kind
    name: str
    file: bytes


def write_blind(
    model: str | Path,
    out: str | Path,
    data: str | Path | None = None,
    wanted: Wanted = Wanted(),
    *,
    direction: Direction | None = None,
    size: int | None = None,
    progress: Progress | None = None,
) -> Blind:
    """Write the page of a human test; it needs nothing but itself and sends nothing anywhere.

    Args:
        model: A run folder or a model file.
        out: The page.
        data: Folder of pictures laid out as the model's recipe says; those that the run trained on are left out.
            Default: the test pictures of the run folder.
        wanted: What the test is to be like.
        direction: Which one of a run that trained both; default: "ab", or that of a file.
        size: Side in pixels of the centre crop; default: that of the evaluation.
        progress: Called with the number of pictures made after each.

    Raises:
        UsageError: What is wanted contradicts itself, or the strength does not fit the model.
        DataError: There are too few pictures.
        OutputError: The page cannot be written.
    """
    _check(wanted)
    out = Path(out)
    model = model_path(model)
    translator, run = Translator(model, direction), RunDir(model)
    check_strength(wanted.strength, translator.codec)
    card = translator.card
    size = size or card.recipe.evaluation.size or card.recipe.data.size
    notes: list[str] = []
    if data is None:
        pictures, origin = pictures_for_test(run), "test pictures of the run"
    else:
        pictures, notes = unseen_pictures(card.recipe, run, data, size)
        origin = f"pictures of {Path(data).name}"
    random = np.random.default_rng(wanted.seed)
    kinds = _kinds(wanted, translator.codec)
    if wanted.controls and set(kinds) == {"real", "model"}:
        notes.append("there are no controls: the test is too short for one, or the task has none")
    chosen = _chosen(pictures, card.direction, size, translator.codec, kinds, wanted.practice, random)
    shown = _made(chosen, translator, wanted.strength, progress)
    practice = _shuffled(shown[wanted.count :], random)
    shown = _shuffled(shown[: wanted.count], random)
    mark = translator.mark()
    test = Test(
        tintype=__version__,
        model=cleaned(card.recipe.name),
        model_digest=mark.model_digest if mark else "",
        direction=card.direction,
        colourises=translator.codec.colourises,
        data=cleaned(origin),
        strength=wanted.strength,
        size=size,
        exposure=wanted.exposure,
        seed=wanted.seed,
        practice=wanted.practice,
        items=tuple(_item(f"p{number}", one) for number, one in enumerate(shown, start=1)),
    )
    page = _page(
        test, [_item(f"p{number}", one) for number, one in enumerate(practice, len(shown) + 1)], shown + practice
    )
    make_folder(out.parent)
    with atomic_path(out) as temporary:
        temporary.write_bytes(page)
    return Blind(out, test, len(page), tuple(notes))


def _check(wanted: Wanted) -> None:
    if not 2 <= wanted.count <= MAX_PICTURES:
        raise UsageError(f"--count {wanted.count}: give 2 to {MAX_PICTURES} pictures")
    if not 0 <= wanted.practice <= MAX_PICTURES:
        raise UsageError(f"--practice {wanted.practice}: give 0 to {MAX_PICTURES} rounds")
    if not 0 <= wanted.controls < 1:
        raise UsageError(f"--controls {wanted.controls:g}: give a fraction of at least 0 and less than 1")
    if wanted.exposure is not None and not 0.05 <= wanted.exposure <= 600:
        raise UsageError(f"--exposure {wanted.exposure:g}: give 0.05 to 600 seconds, or leave it out")
    if not 0 <= wanted.seed < 2**53:
        raise UsageError(f"--seed {wanted.seed}: give a whole number from 0 to 2^53 - 1")


def _kinds(wanted: Wanted, codec: Codec) -> list[Kind]:
    """What the pictures that count are, the real ones first and the model's last."""
    real = wanted.count // 2
    made = wanted.count - real
    possible: tuple[Kind, ...] = ("identity",)
    if codec.colourises:
        possible = ("grey copy", "random chroma")
    elif codec.turns_grey:  # its source turned grey is the truth
        possible = ()
    count = min(round(wanted.controls * made), made - 1) if possible else 0
    controls = list(itertools.islice(itertools.cycle(possible), count)) if possible else []
    real_ones: list[Kind] = ["real"] * real
    models: list[Kind] = ["model"] * (made - count)
    return [*real_ones, *controls, *models]


@dataclass(frozen=True, slots=True)
class _Choice:
    """Kinds and the photographs that they are made of, those for practice last; and the donors of random chroma."""

    kinds: list[Kind]
    photographs: Iterable[_Photograph]
    donors: Iterator[_Photograph]


def _chosen(
    data: PictureSet,
    direction: Direction,
    size: int,
    codec: Codec,
    kinds: Sequence[Kind],
    practice: int,
    random: np.random.Generator,
) -> _Choice:
    """Draw the photographs of a test, each for one picture.

    Raises:
        DataError: There are not enough.
    """
    names = _without_copies(data, random)
    real_ones: list[Kind] = ["real"] * (practice // 2)
    models: list[Kind] = ["model"] * (practice - practice // 2)
    all_kinds = [*kinds, *real_ones, *models]
    real, donors = all_kinds.count("real"), all_kinds.count("random chroma")
    made = len(all_kinds) - real

    def usable(wanted: int, names: list[str], colour: bool) -> list[str]:
        """The first so many names, or as many as there are; where colour is due, of coloured targets alone."""
        read = _photographs(data, names, direction, size)
        fitting = (
            p.name for p in read if not colour or p.target is None or mean_chroma(p.target) >= COLOURED_THRESHOLD
        )
        return list(itertools.islice(fitting, wanted))

    if data.has_pairs:
        found = usable(real + made + donors, names, codec.colourises)
        _require(len(found), real + made, codec.colourises, "")
        reals, others, spare = found[:real], found[real : real + made], found[real + made :]
    else:
        source, target = ENDS[direction]
        reals = usable(real + donors, [n for n in names if n.startswith(f"{target}/")], codec.colourises)
        others = usable(made, [n for n in names if n.startswith(f"{source}/")], False)
        _require(len(reals), real, codec.colourises, f" of domain {target}")
        _require(len(others), made, False, f" of domain {source}")
        reals, spare = reals[:real], reals[real:]
    # Where no picture is left over, chroma comes from one that is shown as itself.
    spare += list(itertools.islice(itertools.cycle(reals), donors - len(spare)))
    left = {"real": iter(reals), "made": iter(others)}
    ordered = [next(left["real" if kind == "real" else "made"]) for kind in all_kinds]
    return _Choice(
        all_kinds, _photographs(data, ordered, direction, size), iter(_photographs(data, spare, direction, size))
    )


def _require(found: int, needed: int, colourises: bool, whose: str) -> None:
    if found < needed:
        what = f"pictures{whose}{' with colour in their truth' * colourises}, copies not counted"
        raise DataError(
            f"blind: the test takes {needed} {what}, and there are {found}; lower --count or --practice, or give more"
        )


def _without_copies(data: PictureSet, random: np.random.Generator) -> list[str]:
    """The test pictures in random order, one of each group of copies."""
    marks = dict(zip(data.cache.names, data.cache.fingerprints, strict=True))
    names = [data.split.test[i] for i in random.permutation(len(data.split.test))]
    groups = duplicate_groups([marks[name] for name in names], data.recipe.data.split.near_duplicates)
    return [names[first] for first in sorted(min(group) for group in groups)]


def _photographs(data: PictureSet, names: Sequence[str], direction: Direction, size: int) -> Iterator[_Photograph]:
    """Photographs of a set by name, in that order, read as they are asked for."""
    only = PictureSet(data.recipe, data.cache, replace(data.split, train=(), validation=(), test=tuple(names)))
    if data.has_pairs:
        for pair in only.pictures("test", size):
            ends = (pair.source, pair.target) if direction == "ab" else (pair.target, pair.source)
            yield _Photograph(pair.name, *ends)
        return
    source, target = (only.domain(domain, "test", size) for domain in ENDS[direction])
    for name in names:
        if name.startswith(f"{ENDS[direction][0]}/"):
            yield _Photograph(name, next(source).picture, None)
        else:
            yield _Photograph(name, None, next(target).picture)


def _made(choice: _Choice, translator: Translator, strength: float, progress: Progress | None) -> list[_Shown]:
    """The pictures as files, in the order of the choice."""
    shown = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, photograph in zip(choice.kinds, choice.photographs, strict=True):
            picture = make_picture(
                kind,
                translator,
                photograph.source if kind != "real" else photograph.target,
                strength=strength,
                donor=next(choice.donors).target if kind == "random chroma" else None,
            )
            path = Path(folder) / "picture.png"
            write_image(path, picture)
            shown.append(_Shown(kind, photograph.name, path.read_bytes()))
            if progress is not None:
                progress(len(shown))
    return shown


def make_picture(
    kind: Kind,
    translator: Translator,
    picture: np.ndarray | None,
    *,
    strength: float = 1.0,
    donor: np.ndarray | None = None,
) -> np.ndarray:
    """One picture of a test, `h w 3` display floats.

    Args:
        kind: What it is to be.
        translator: The model.
        picture: The truth for "real", else the source, display `h w c`.
        strength: Factor on predicted chroma of "model".
        donor: For "random chroma": the picture of the same size whose chroma is taken.
    """
    assert picture is not None
    codec = translator.codec
    match kind:
        case "identity" if codec.scale > 1:
            made = enlarging_baselines(picture, codec.scale)[BICUBIC]
        case "real" | "identity":
            made = on_picture(codec.target_from, picture)
        case "model":
            made = translator.predict(picture).render(strength)
        case "grey copy":
            made = on_picture(codec.source_from, picture)[..., :1]
        case "random chroma":
            assert donor is not None
            grey = np.moveaxis(on_picture(codec.source_from, picture)[..., :1], -1, 0)
            chroma = rgb_to_lab(np.moveaxis(donor, -1, 0))[1:]
            made = np.moveaxis(lab_to_display(np.concatenate([grey_to_luminance(grey), chroma])), 0, -1)
    return made if made.shape[-1] == 3 else np.repeat(made, 3, axis=-1)


def _shuffled(shown: Sequence[_Shown], random: np.random.Generator) -> list[_Shown]:
    return [shown[i] for i in random.permutation(len(shown))]


def _item(name: str, shown: _Shown) -> Item:
    return Item(id=name, kind=shown.kind, name=cleaned(shown.name), sha256=hashlib.sha256(shown.file).hexdigest()[:16])


def _page(test: Test, practice: Sequence[Item], shown: Sequence[_Shown]) -> bytes:
    """The page. Whatever comes from strangers lies in Base64, where no name can end a script."""
    blocks, places, start = [], {}, 0
    for item, one in zip([*test.items, *practice], shown, strict=True):
        blocks.append(base64.b64encode(one.file).decode())
        places[item.id] = (start, start := start + len(blocks[-1]))
    key: dict[str, Any] = {
        "format": FORMAT,
        "digest": test.digest,
        "test": test.model_dump(mode="json"),
        "practice": [(item.id, item.kind) for item in practice],
        "places": places,
    }
    files = resources.files("tintype") / "templates"
    script, style = ((files / name).read_text(encoding="utf-8") for name in ("blind.js", "blind.css"))
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tintype"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("blind.html.jinja").render(
        script=script,
        style=style,
        script_hash=_csp_hash(script),
        style_hash=_csp_hash(style),
        key=base64.b64encode(json.dumps(key).encode()).decode(),
        pictures="".join(blocks),
        test=test,
        version=__version__,
    )
    return page.encode()


def _csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
