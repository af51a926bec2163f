"""Pictures in FITS files: physical values, stretched to display space, row by row from the top of the sky down.

FITS counts rows from the bottom; here row 0 is the top one, as viewers show it. A pixel is blank where its value is
not finite or is that of BLANK: it is shown black, and the network is shown its surroundings in its place.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, final

import numpy as np

from tintype.errors import ImageError
from tintype.image.color import linear_to_srgb, rgb_to_xyz, srgb_to_linear
from tintype.image.fits_container import (
    PictureHdu,
    Plane,
    choose_picture,
    list_pictures,
    open_plain,
    open_planes,
    reading_fits,
)
from tintype.image.picture import Limits, PictureInfo, Reading, Strip, strip_rows
from tintype.image.resize import resize
from tintype.image.stretch import Stretch, fit

if TYPE_CHECKING:
    from astropy.io import fits

MARK = "TINTYPE"
"""Keyword of results: what their planes hold, "DISPLAY" or "FLUX"."""
STRETCH_KEYS = {"kind": "TTSTRTCH", "low": "TTLOW", "high": "TTHIGH", "softening": "TTSOFT"}

Content = Literal["values", "display", "flux"]

_SAMPLE = 2**20  # pixels that the stretch is fitted to
_REDUCED_BY_AREA = 8  # times smaller: averaged first, to `_AREAS` times the size, in constant memory
_AREAS = 4
_ROWS = 256  # averaged at a time, by a matrix


@final
class FitsPicture:
    """A picture in a FITS file, open; see `OpenPicture`. Threads may share it."""

    def __init__(
        self,
        info: PictureInfo,
        planes: tuple[Plane, ...],
        content: Content,
        stretch: Stretch,
        headers: tuple[fits.Header, fits.Header],
        chosen: tuple[int, int | None],
        fill: np.ndarray,
    ) -> None:
        self._info, self._planes, self._fill = info, planes, fill
        self.content: Content = content
        """What its planes are: physical "values" of any FITS file, or one of the two results of Tintype."""
        self.stretch = stretch
        """From physical values to display values; the identity for "display"."""
        self.header, self.primary_header = headers
        """Of astropy: of the HDU, and of the first HDU of the file."""
        self.hdu, self.plane = chosen
        """Number of the HDU, and of the plane in a cube, None where it is none."""

    @property
    def info(self) -> PictureInfo:
        """What is known without decoding."""
        return self._info

    @property
    def settings(self) -> tuple[tuple[str, str], ...]:
        """How the picture was read, for the record: HDU, plane of a cube, stretch."""
        plane = () if self.plane is None else (("plane", str(self.plane)),)
        return (("hdu", str(self.hdu)), *plane, ("stretch", self.stretch.to_text()))

    def values(self, top: int, rows: int) -> np.ndarray:
        """Return physical values, float64 `rows w`, NaN where blank; of a result of Tintype its first plane."""
        return self._planes[0].rows(top, rows)

    def strips(self, rows: int) -> Iterator[Strip]:
        """Decode from top to bottom in strips of `rows` rows; blank pixels are 0."""
        for top in range(0, self._info.height, rows):
            shown = self._display(top, min(rows, self._info.height - top))
            yield Strip(top, np.where(np.isnan(shown), np.float32(0), shown))

    def reduced(self, height: int, width: int) -> np.ndarray:
        """The whole picture in another size, antialiased: float32 `height width c` in [0, 1].

        Blank pixels take the average of what surrounds them in the reduced picture, or the median of the whole picture
        where all is blank, so that the network does not take their edges for things. Memory depends on the size of the
        result alone where that is more than 8 times smaller.
        """
        sides = ((self._info.height, height), (self._info.width, width))
        areas = tuple(_AREAS * to if side > _REDUCED_BY_AREA * to else side for side, to in sides)
        whole = self._averaged(areas[0], areas[1])
        return np.clip(resize(whole, height, width), 0, 1)

    def _averaged(self, height: int, width: int) -> np.ndarray:
        """Return the averages of what is not blank over equal areas, float32 `height width c`."""
        channels = self._info.channels
        down = np.linspace(0, self._info.height, height + 1)
        across = np.linspace(0, self._info.width, width + 1)
        sums = np.zeros((height, width, channels + 1))
        step = min(_ROWS, strip_rows(self._info.width))
        for top in range(0, self._info.height, step):
            rows = min(step, self._info.height - top)
            shown = self._display(top, rows)
            blank = np.isnan(shown[..., :1])
            weighed = np.concatenate([np.where(blank, np.float32(0), shown), ~blank], axis=-1, dtype=np.float32)
            first = int(np.searchsorted(down, top, side="right")) - 1
            last = int(np.searchsorted(down, top + rows, side="left"))
            parts = np.tensordot(_shares(down[first : last + 1] - top, rows), weighed, 1)
            sums[first:last] += _area_sums(parts, across)
        weights = sums[..., channels:]
        seen = weights > 0
        return np.where(seen, sums[..., :channels] / np.where(seen, weights, 1), self._fill).astype(np.float32)

    def _display(self, top: int, rows: int) -> np.ndarray:
        """Return display values, float32 `rows w c`, NaN where blank."""
        return to_display(np.stack([plane.rows(top, rows) for plane in self._planes], -1), self.content, self.stretch)


def to_display(values: np.ndarray, content: Content, stretch: Stretch) -> np.ndarray:
    """Turn the values of planes, float64 `h w c`, to display float32 `h w c`, NaN where one of the planes is blank."""
    blank = np.isnan(values).any(axis=-1, keepdims=True)
    if content == "values" or values.shape[-1] == 1:
        shown = stretch.apply(values)
    elif content == "display":
        shown = np.clip(values, 0, 1).astype(np.float32)
    else:
        luminance = (values @ luminance_weights())[..., None]
        grey = srgb_to_linear(stretch.apply(luminance).astype(np.float64))
        neutral = luminance == 0
        ratio = np.where(neutral, 1, values / np.where(neutral, 1, luminance))
        shown = np.clip(linear_to_srgb(grey * ratio), 0, 1).astype(np.float32)
    return np.where(blank, np.float32(np.nan), shown)


def luminance_weights() -> np.ndarray:
    """Weights of linear R, G and B in luminance, of sum 1, as `color` has them."""
    return np.asarray([rgb_to_xyz(np.eye(3)[channel].reshape(3, 1, 1))[1, 0, 0] for channel in range(3)])


def _shares(edges: np.ndarray, rows: int) -> np.ndarray:
    """Return how much of each row lies between each two edges (rising, in rows): float32 `len(edges) - 1, rows`."""
    row = np.arange(rows)
    over = np.minimum(edges[1:, None], row + 1) - np.maximum(edges[:-1, None], row)
    return np.maximum(over, 0).astype(np.float32)


def _area_sums(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Integrate `h w c` along its rows between edges (rising, in samples), fractions of samples counted as such."""
    sums = np.concatenate([np.zeros((len(x), 1, x.shape[2])), np.cumsum(x, axis=1, dtype=np.float64)], axis=1)
    whole = np.minimum(edges.astype(int), x.shape[1])
    part = (edges - whole)[:, None]
    return np.diff(sums[:, whole] + part * x[:, np.minimum(whole, x.shape[1] - 1)], axis=1)


def open_fits(source: Path | str | bytes, reading: Reading = Reading()) -> FitsPicture:
    """Open a FITS file, or the bytes of one: plain, gzip or bzip2, whatever it is called.

    A result of Tintype with three planes opens as a colour picture.

    Raises:
        ImageError: The file is missing, damaged, cut short, beyond `reading.limits`, or holds no picture where it was
            looked for.
    """
    path = None if isinstance(source, bytes) else Path(source)
    label = "picture given as bytes" if path is None else str(path).encode(errors="backslashreplace").decode()
    file = open_plain(source, label, reading.limits)
    opened = [file]
    try:
        with reading_fits(label):
            picture = _open(file, opened, path, label, reading)
    except BaseException:
        for each in opened:
            each.close()
        raise
    for each in opened[:-1]:  # the last one holds the samples
        each.close()
    weakref.finalize(picture, opened[-1].close)
    return picture


def _open(file: BinaryIO, opened: list[BinaryIO], path: Path | None, label: str, reading: Reading) -> FitsPicture:
    pictures, primary_header = list_pictures(file, label, reading.limits)
    chosen = choose_picture(pictures, reading.hdu, label)
    content = _content(chosen)
    if not 0 <= reading.plane < chosen.planes:
        raise ImageError(f"{label}: has no plane {reading.plane}; HDU {chosen} has 0 to {chosen.planes - 1}")
    numbers = range(chosen.planes) if content != "values" else range(reading.plane, reading.plane + 1)
    samples, header, planes = open_planes(chosen, numbers, file, label, reading.limits)
    if samples is not file:
        opened.append(samples)
    sample = _sample(planes)
    blank = float(np.isnan(sample).any(axis=-1).mean())
    stretch = _stretch(content, header) if content != "values" else _fitted(reading, sample, label)
    fill = np.nan_to_num(np.nanmedian(to_display(sample, content, stretch), axis=(0, 1))) if blank < 1 else np.zeros(1)
    several = content == "values" and chosen.planes > 1
    notes = (
        (f"HDU {chosen}, one of {len(pictures)} pictures",) if len(pictures) > 1 else (),
        (f"plane {reading.plane} of 0 to {chosen.planes - 1}",) if several else (),
        (f"{_percent(blank)} of the pixels are blank",) if blank else (),
    )
    info = PictureInfo(
        width=planes[0].width,
        height=planes[0].height,
        channels=3 if len(planes) == 3 else 1,
        bits=32,
        floating=True,
        format="fits",
        path=path,
        page=pictures.index(chosen),
        pages=len(pictures),
        notes=sum(notes, ()),
    )
    return FitsPicture(
        info=info,
        planes=planes,
        content=content,
        stretch=stretch,
        headers=(header.copy(), primary_header.copy()),
        chosen=(chosen.number, reading.plane if several else None),
        fill=fill,
    )


def _content(picture: PictureHdu) -> Content:
    """Tell a result of Tintype by its mark; anything else, and what was cut out of one, is plain values."""
    header = picture.hdu.header
    mark = header.get(MARK)
    if picture.planes in (1, 3) and mark == "DISPLAY":
        return "display"
    if picture.planes in (1, 3) and mark == "FLUX" and all(key in header for key in STRETCH_KEYS.values()):
        return "flux"
    return "values"


def _stretch(content: Content, header: fits.Header) -> Stretch:
    if content == "display":
        return Stretch("linear", 0.0, 1.0)
    kind, *numbers = (header[key] for key in STRETCH_KEYS.values())
    return Stretch.from_text(Stretch(kind, *map(float, numbers)).to_text())  # checks the kind


def _fitted(reading: Reading, sample: np.ndarray, label: str) -> Stretch:
    try:
        return fit(reading.stretch, sample)
    except ImageError as error:
        raise ImageError(f"{label}: {error}") from error


def _sample(planes: tuple[Plane, ...]) -> np.ndarray:
    """Return values on a regular grid, float64 `h w c`, all of them where they are few: the same at every reading."""
    height, width = planes[0].height, planes[0].width
    step = int(np.ceil(np.sqrt(height * width * len(planes) / _SAMPLE)))
    rows = strip_rows(width) if step == 1 else 1
    tops = range(0, height, rows * step)
    return np.concatenate(
        [np.stack([p.rows(top, min(rows, height - top))[:, ::step] for p in planes], -1) for top in tops]
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share >= 0.0001 else "less than 0.01 %"


def read_history(path: Path | str) -> list[str]:
    """Return the HISTORY lines of the first HDU of a FITS file.

    Raises:
        ImageError: The file is missing, damaged or no FITS file.
    """
    label = str(path).encode(errors="backslashreplace").decode()
    with open_plain(path, label, Limits()) as file, reading_fits(label):
        return [str(line) for line in list_pictures(file, label, Limits())[1].get("HISTORY", [])]
