"""What is in a folder of pictures, said before anything is trained on it: `tintype data check`.

Every file is decoded once; nothing is written but the contact sheet that is asked for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tintype.data.cache import Pixels, Progress, decode_item, target_header
from tintype.data.fingerprint import Fingerprint, duplicate_groups, item_fingerprint
from tintype.data.idx import has_idx
from tintype.data.paths import data_path
from tintype.data.source import DOMAINS, Item, count_other_files, find_items, find_pairs, has_a_and_b, has_two_domains
from tintype.errors import DataError, ImageError, UsageError
from tintype.image.color import rgb_to_lab, to_grey
from tintype.image.file import read_header, write_image
from tintype.image.grid import panel
from tintype.recipe.data import ColourData, FoldersData, LabelledData, SideBySideData, SplitSpec, UnpairedData
from tintype.recipe.schema import Direction, Grey

Kind = Literal["colour", "folders", "side_by_side", "unpaired", "labelled"]

GREY_BELOW = 2.0
"""Mean Lab chroma below which a picture counts as grey."""

_CHROMA_SIDE = 128  # larger pictures are sampled at every n-th pixel for their mean chroma
_SIDE = 256  # pictures are looked at with this shorter side
_SHEET_PICTURES = 48
_SHEET_COLUMNS = 4
_SHEET_CELL = 192
_SHEET_LETTERS = 22  # as many letters of a name fit into a line beside a row
_THREADS = 4
_NAMED = 10  # names that the text lists before "..."


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was found in a folder.

    Attributes:
        folder: As it was given.
        kind: Layout, in the words of `data.kind`.
        pictures: Number of readable pictures, or of readable pairs.
        domains: Number of readable pictures of A and of B, where these have no partners.
        classes: Number of readable pictures of each class, where folders name classes.
        other_files: Number of files that are no pictures by their suffix.
        splits: Number of readable pictures for each split that the folders name.
        shorter_side: Smallest, median and largest, in pixels of the target's file.
        longer_side: The same of the longer side.
        modes: Number of files for each "format, channels, bits".
        unreadable: Names and reasons.
        unpaired: Pictures without a partner, as `FOLDER/NAME`.
        size_mismatches: Pairs whose files differ in size, with both sizes.
        exact_duplicates: Groups of names with the same bytes.
        near_duplicates: Groups of names of pictures that look the same, at least two of them with other bytes.
        grey: Names of the targets without colour.
        items: The readable items, for the contact sheet.
    """

    folder: str
    kind: Kind
    pictures: int
    domains: dict[str, int]
    classes: dict[str, int]
    other_files: int
    splits: dict[str, int]
    shorter_side: tuple[int, int, int] | None
    longer_side: tuple[int, int, int] | None
    modes: dict[str, int]
    unreadable: tuple[tuple[str, str], ...]
    unpaired: tuple[str, ...]
    size_mismatches: tuple[str, ...]
    exact_duplicates: tuple[tuple[str, ...], ...]
    near_duplicates: tuple[tuple[str, ...], ...]
    grey: tuple[str, ...]
    items: tuple[Item, ...]

    @property
    def usable(self) -> bool:
        """Whether a run could use all of it: pictures there, none unreadable, none without a partner."""
        return self.pictures > 0 and all(self.domains.values()) and not self.unreadable and not self.unpaired

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON data, without the items."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "items"} | {
            "usable": self.usable
        }

    def to_text(self) -> str:
        """For people, a line for each finding."""
        what = "pairs" if self.kind in ("folders", "side_by_side") else "pictures"
        lines = [f"{self.folder}: {self.pictures} readable {what} (data.kind={self.kind})"]
        if self.domains:
            lines.append("domains: " + ", ".join(f"{name} {count}" for name, count in self.domains.items()))
        if self.classes:
            name, count = min(self.classes.items(), key=lambda one: one[1])
            lines.append(
                f"classes: {len(self.classes)}, of {count} pictures ({name}) to {max(self.classes.values())}, "
                f"on average {self.pictures / len(self.classes):.0f}"
            )
        if self.splits:
            lines.append("split by folders: " + ", ".join(f"{name} {count}" for name, count in self.splits.items()))
        if self.shorter_side and self.longer_side:
            shorter, longer = (
                f"{low} to {high}, median {middle}" for low, middle, high in (self.shorter_side, self.longer_side)
            )
            lines.append(f"shorter side: {shorter} pixels; longer side: {longer}")
            lines.append("files: " + "; ".join(f"{count} x {mode}" for mode, count in self.modes.items()))
        if self.other_files:
            lines.append(f"other files, passed over: {self.other_files}")
        lines += _listing("unreadable, left out in training", [reason for _, reason in self.unreadable])
        lines += _listing("without a partner", self.unpaired)
        lines += _listing("pairs of unequal size, the source is scaled to its target", self.size_mismatches)
        lines += _listing("groups with the same bytes", map(_group_text, self.exact_duplicates))
        lines += _listing("groups of near copies, kept on one side of a split", map(_group_text, self.near_duplicates))
        lines += _listing(f"{what} without colour (mean Lab chroma below {GREY_BELOW:g})", self.grey)
        if self.usable and not self.exact_duplicates and not self.near_duplicates:
            lines.append("no unreadable pictures and no copies found")
        return "\n".join(lines)


def check_folder(
    path: str | Path,
    kind: Kind | None = None,
    *,
    path_b: str | Path = "",
    direction: Direction = "ab",
    near_duplicates: int | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Look at every picture of a folder or of an .npz file.

    Args:
        path: The folder or .npz file, or "bundled:NAME".
        kind: Layout; default: "unpaired" if there are trainA/ and trainB/, arrays of two domains, or A/ and B/ without
            any pair; "folders" if there are A/ and B/ with pairs, or a second folder; "labelled" if there are idx
            files; else "colour".
        path_b: Second folder of a set that has no A/ and B/.
        direction: Which of A and B is the source.
        near_duplicates: Bits in which hashes of near copies differ at most; default: that of a recipe.
        progress: Called with the number of pictures done and of all pictures.

    Raises:
        UsageError: The path is empty, or a second folder was given for another layout.
        DataError: The folder is missing or holds no pictures.
    """
    folder = data_path(str(path))
    if kind is None:
        kind = "folders" if path_b else _kind_of(folder)
    if path_b and kind not in ("folders", "unpaired"):
        raise UsageError(
            f"a second folder ({path_b}) was given, but data.kind={kind} has one; leave one of the two out"
        )
    items, unpaired = _find(kind, str(path), str(path_b), direction)
    looks: list[_Look] = []
    unreadable: list[tuple[str, str]] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for done, (item, look) in enumerate(zip(items, pool.map(_look_at, items), strict=True), start=1):
            if isinstance(look, str):
                unreadable.append((item.name, look))
            else:
                looks.append(look)
            if progress:
                progress(done, len(items))

    exact, near = _copies(looks, SplitSpec().near_duplicates if near_duplicates is None else near_duplicates)
    roots = [folder, data_path(str(path_b), "data.path_b")] if path_b else [folder]
    return CheckReport(
        folder=str(path),
        kind=kind,
        pictures=len(looks),
        domains={d: sum(look.item.domain == d for look in looks) for d in DOMAINS} if kind == "unpaired" else {},
        classes=dict(sorted(Counter(look.item.label for look in looks if look.item.label).items())),
        other_files=sum(map(count_other_files, roots)),
        splits=dict(Counter(look.item.split for look in looks if look.item.split)),
        shorter_side=_range([min(look.size) for look in looks]),
        longer_side=_range([max(look.size) for look in looks]),
        modes=dict(Counter(mode for look in looks for mode in look.modes).most_common()),
        unreadable=tuple(unreadable),
        unpaired=unpaired,
        size_mismatches=tuple(look.mismatch for look in looks if look.mismatch),
        exact_duplicates=exact,
        near_duplicates=near,
        grey=tuple(look.item.name for look in looks if look.chroma < GREY_BELOW),
        items=tuple(look.item for look in looks),
    )


def draw_sheet(report: CheckReport, path: Path, *, grey: Grey = "lab") -> int:
    """Write a contact sheet of sources beside targets: what a network would be asked for.

    Where there are no pairs, pictures of A stand beside pictures of B.

    Args:
        report: What `check_folder` found.
        path: Picture file to write.
        grey: How the sources of a colour set are made.

    Returns:
        Number of samples drawn: all, or 48 evenly spaced ones; of two domains as many as the smaller one has.

    Raises:
        DataError: There is nothing to draw.
        OutputError: The file cannot be written.
        MissingExtraError: The font of the labels is not installed.
    """
    parts = [[item for item in report.items if item.domain == d] for d in report.domains] or [list(report.items)]
    count = min(_SHEET_PICTURES, *map(len, parts))
    if not count:
        raise DataError(f"{report.folder}: no readable picture for a contact sheet")
    chosen = list(zip(*(_spread(part, count) for part in parts), strict=True))
    with ThreadPoolExecutor(_THREADS) as pool:
        samples = list(pool.map(lambda items: _for_sheet(items, grey), chosen))
    columns = min(_SHEET_COLUMNS // len(parts), count)
    blank = (np.ones((1, 1, 3), np.float32),) * 2
    samples += [blank] * (-count % columns)
    starts = range(0, count, columns)
    rows = [[picture for sample in samples[start : start + columns] for picture in sample] for start in starts]
    labels = [
        "\n".join(_short(item.name) for items in chosen[start : start + columns] for item in items) for start in starts
    ]
    titles = list(report.domains) or ["source", "target"]
    write_image(path, panel(rows, titles * columns, labels, cell=_SHEET_CELL))
    return count


@dataclass(frozen=True, slots=True)
class _Look:
    item: Item
    size: tuple[int, int]
    modes: tuple[str, ...]
    mismatch: str | None
    chroma: float
    fingerprint: Fingerprint


def _look_at(item: Item) -> _Look | str:
    """What one item is like, or why it cannot be read."""
    try:
        target, _, mismatch = decode_item(item, _SIDE)
        headers = [target_header(item), *([read_header(item.source)] if item.source else [])]
        prints = item_fingerprint(item)
    except (ImageError, OSError) as error:
        return str(error)
    return _Look(
        item=item,
        size=(headers[0].width, headers[0].height),
        modes=tuple(f"{h.format}, {h.bands} channel{'s' * (h.bands > 1)}, {h.bits} bits" for h in headers),
        mismatch=mismatch,
        chroma=mean_chroma(target),
        fingerprint=prints,
    )


def _kind_of(path: Path) -> Kind:
    if has_two_domains(path):
        return "unpaired"
    if has_a_and_b(path):
        return "folders" if find_pairs(FoldersData(path=str(path)))[0] else "unpaired"
    return "labelled" if path.is_dir() and has_idx(path) else "colour"


def _find(kind: Kind, path: str, path_b: str, direction: Direction) -> tuple[tuple[Item, ...], tuple[str, ...]]:
    match kind:
        case "colour":
            return find_items(ColourData(path=path)), ()
        case "side_by_side":
            return find_items(SideBySideData(path=path, direction=direction)), ()
        case "folders":
            return find_pairs(FoldersData(path=path, path_b=path_b, direction=direction))
        case "labelled":
            return find_items(LabelledData(path=path)), ()
        case "unpaired":
            return find_items(UnpairedData(path=path, path_b=path_b)), ()


def _copies(looks: Sequence[_Look], max_bits: int) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """Groups of names with the same bytes, and of those that look the same."""
    by_bytes: dict[str, list[str]] = defaultdict(list)
    for look in looks:
        by_bytes[look.fingerprint.sha256].append(look.item.name)
    near = []
    for group in duplicate_groups([look.fingerprint for look in looks], max_bits):
        if len({looks[i].fingerprint.sha256 for i in group}) > 1:
            near.append(tuple(looks[i].item.name for i in group))
    return tuple(tuple(names) for names in by_bytes.values() if len(names) > 1), tuple(near)


def _range(sides: Sequence[int]) -> tuple[int, int, int] | None:
    return (min(sides), round(float(np.median(sides))), max(sides)) if sides else None


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]


def _for_sheet(items: Sequence[Item], grey: Grey) -> tuple[np.ndarray, np.ndarray]:
    """The two pictures of a sample, or of two items of two domains."""
    if len(items) == 2:
        first, second = (decode_item(item, _SIDE)[0] / np.float32(255) for item in items)
        return first, second
    pixels, source, _ = decode_item(items[0], _SIDE)
    target = pixels / np.float32(255)
    if source is not None:
        return source / np.float32(255), target
    return np.moveaxis(np.asarray(to_grey(np.moveaxis(target, -1, 0), grey)), 0, -1), target


def _short(name: str) -> str:
    return name if len(name) <= _SHEET_LETTERS else "..." + name[3 - _SHEET_LETTERS :]


def _group_text(names: Sequence[str]) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _listing(title: str, found: Iterable[str]) -> list[str]:
    found = list(found)
    if not found:
        return []
    more = [f"  ... and {len(found) - _NAMED} more"] if len(found) > _NAMED else []
    return [f"{title}: {len(found)}", *(f"  {line}" for line in found[:_NAMED]), *more]


def mean_chroma(pixels: Pixels) -> float:
    """Mean Lab chroma of a picture, `h w 3`; of every n-th pixel where it is large."""
    step = max(1, min(pixels.shape[:2]) // _CHROMA_SIDE)
    lab = rgb_to_lab(np.moveaxis(pixels[::step, ::step].astype(np.float32) / 255, -1, 0))
    return float(np.hypot(lab[1], lab[2]).mean())
