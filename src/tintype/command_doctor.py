"""What `tintype doctor` looks at and prints: the installation, tried out rather than asked.

What the base install promises is that pictures of its formats are read and written, and that its own models colour
them. Where that does not hold there is a problem; everything else is said without judging it.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import final

import numpy as np

from tintype import __version__
from tintype.data.cache import default_cache_folder
from tintype.errors import TintypeError
from tintype.image.array_picture import ArrayPicture
from tintype.image.file import read_image, write_picture
from tintype.inference.bundled import BUNDLED, bundled_model
from tintype.inference.memory import free_memory, in_words
from tintype.inference.plan import SUFFIXES
from tintype.inference.providers import PROVIDERS, available_providers, wanted_providers
from tintype.inference.translator import Translator

_LIBRARIES = ("numpy", "onnxruntime", "pyvips", "astropy", "safetensors", "onnx", "torch")
_EXTRAS = ("train", "formats", "features", "serve", "studio", "sweep-postgres")
_SIDE = 16

_GIF = "47494638396101000100800000ffffff00000021f90400000000002c00000000010001000002024401003b"
_BMP = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 58, 0, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + b"\x7f\x7f\x7f\0"
_SAMPLES = {
    "gif": bytes.fromhex(_GIF),
    "bmp": _BMP,
    "ppm": b"P6 1 1 255\n\x10\x80\xf0",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><rect width="4" height="4"/></svg>',
}
"""The smallest pictures of formats that are read and never written."""


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """What came of trying something.

    Attributes:
        works: Whether it does.
        reason: Why it does not, or what is to be said of it.
    """

    works: bool
    reason: str = ""


@final
@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that was found.

    Attributes:
        versions: Of Tintype, Python, the system and the libraries; None: not installed.
        available: Providers that ONNX Runtime was built with.
        provider: What it takes.
        written: Formats that pictures are written in and read from again.
        read: Formats that are read alone.
        models: The models that come with Tintype, and what runs them.
        cache: The folder for decoded pictures and weights.
        cores: Of the machine.
        usable_cores: Those that this process may use.
        free_memory: In bytes.
        extras: Packages that each extra lacks.
    """

    versions: dict[str, str | None]
    available: tuple[str, ...]
    provider: Finding
    written: dict[str, Finding]
    read: dict[str, Finding]
    models: dict[str, Finding]
    cache: Finding
    cores: int
    usable_cores: int
    free_memory: int
    extras: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def problems(self) -> tuple[str, ...]:
        """What the base install promises and does not hold."""
        promised = {
            "ONNX Runtime": self.provider,
            **{f"writing {name}": finding for name, finding in self.written.items()},
            **{f"reading {name}": finding for name, finding in self.read.items()},
            **{f"bundled:{name}": finding for name, finding in self.models.items()},
        }
        return tuple(f"{name}: {finding.reason}" for name, finding in promised.items() if not finding.works)


def doctor(as_json: bool) -> int:
    """Print what is found, and return the exit code: 1 if the base install does not hold what it promises."""
    found = diagnose()
    if as_json:
        print(json.dumps({**asdict(found), "problems": found.problems}, indent=1))  # noqa: T201
    else:
        print("\n".join(_lines(found)))  # noqa: T201
    return 1 if found.problems else 0


def diagnose() -> Diagnosis:
    """Try everything out."""
    available = available_providers()
    return Diagnosis(
        versions=_versions(),
        available=available,
        provider=_tried(_provider),
        written={name: _tried(partial(_round_trip, suffixes[0])) for name, suffixes in SUFFIXES.items()},
        read={name: _tried(partial(_read, sample)) for name, sample in _SAMPLES.items()},
        models={name: _tried(partial(_colour, name)) for name in BUNDLED},
        cache=_tried(_write_cache),
        cores=os.cpu_count() or 1,
        usable_cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        free_memory=free_memory(),
        extras={name: tuple(_lacking(name)) for name in _EXTRAS},
    )


def _tried(work: Callable[[], str]) -> Finding:
    """Whether something can be done; what it returns is to be said of it."""
    try:
        return Finding(True, work())
    except TintypeError as error:
        return Finding(False, str(error))
    except Exception as error:  # whatever a library that does not fit its system does
        return Finding(False, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")


def _versions() -> dict[str, str | None]:
    import pyvips

    libvips = ".".join(str(pyvips.version(part)) for part in range(3))
    return {
        "tintype": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "libvips": libvips,
        **{name: _version(name) for name in _LIBRARIES},
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _provider() -> str:
    return PROVIDERS[wanted_providers()[0]][1]


def _colour(name: str) -> str:
    translator = Translator(bundled_model(name))
    prediction = translator.predict(np.linspace(0, 1, _SIDE * _SIDE, dtype=np.float32).reshape(_SIDE, _SIDE, 1))
    prediction.render()
    return "; ".join([translator.runtime.name, *translator.network.notes])


def _round_trip(suffix: str) -> str:
    y, x = np.mgrid[0:_SIDE, 0:_SIDE] / np.float32(_SIDE)
    picture = np.stack([x, y, 1 - x], axis=-1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"picture{suffix}"
        source = ArrayPicture(picture)
        write_picture(path, source.strips(_SIDE), source, channels=3)
        back = read_image(path).pixels
    if back.shape != picture.shape or not np.abs(back - picture).mean() < 0.1:
        raise ValueError("what was read is not what was written")
    return ""


def _read(sample: bytes) -> str:
    read_image(sample)
    return ""


def _write_cache() -> str:
    folder = default_cache_folder()
    nearest = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    with tempfile.TemporaryFile(dir=nearest):
        return str(folder)


def _lacking(extra: str) -> Iterator[str]:
    """Packages of an extra that are not installed, those of extras that it names included."""
    for requirement in importlib.metadata.requires("tintype") or ():
        what, _, condition = requirement.partition(";")
        if not re.search(rf"extra == ['\"]{re.escape(extra)}['\"]", condition):
            continue
        name = re.match(r"[A-Za-z0-9._-]+", what.strip())
        assert name is not None
        if name[0] == "tintype":
            for other in re.findall(r"[\w-]+", what.partition("[")[2].partition("]")[0]):
                yield from _lacking(other)
        elif _version(name[0]) is None:
            yield name[0]


def _lines(found: Diagnosis) -> Iterator[str]:
    def row(name: str, value: object) -> str:
        return f"{name + ':':<25}{value}"

    def formats(findings: dict[str, Finding]) -> str:
        return ", ".join(name if one.works else f"NOT {name}" for name, one in findings.items())

    for name, version in found.versions.items():
        yield row(name, version or "not installed")
    yield row("ONNX Runtime has", ", ".join(PROVIDERS[name][1] for name in found.available))
    yield row("and takes", found.provider.reason)
    for name, finding in found.models.items():
        yield row(f"bundled:{name}", f"works on {finding.reason}" if finding.works else f"fails: {finding.reason}")
    yield row("reads and writes", formats(found.written))
    yield row("reads", formats(found.read))
    yield row("cache", found.cache.reason if found.cache.works else f"cannot be written to: {found.cache.reason}")
    yield row("processor", f"{platform.machine()}, {found.cores} cores, {found.usable_cores} of them for this process")
    yield row("free memory", in_words(found.free_memory))
    for name, lacking in found.extras.items():
        yield row(
            f"tintype[{name}]",
            f"lacks {', '.join(lacking)}: pip install 'tintype[{name}]'" if lacking else "installed",
        )
    yield ""
    if found.problems:
        yield "does not work:"
        yield from (f"  {problem}" for problem in found.problems)
    else:
        yield "all that the base install promises works"
