"""What `tintype translate` does and prints; `cli_translate.py` holds its options, `inference` the work."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from tintype.allocation import keep_freed_memory
from tintype.arguments import byte_count, chosen_direction, counted, one_of
from tintype.console import Reporter
from tintype.errors import UsageError
from tintype.image.codec import build_codec
from tintype.image.file import open_picture
from tintype.image.grid import font
from tintype.image.picture import Limits, OtherPages, Reading, Writing
from tintype.image.stretch import StretchKind
from tintype.inference.batch import core_count, passed_over, run_batch
from tintype.inference.hints import parse_hint, read_hints
from tintype.inference.modelfile import find_model, read_card, require_direction
from tintype.inference.one import Result, settled
from tintype.inference.options import TranslateOptions, check_options, describe
from tintype.inference.palette import palette_of
from tintype.inference.plan import Format, Plan, plan_batch
from tintype.inference.runtime import freezable, open_runtime
from tintype.inference.sizing import Sizing, Statistics
from tintype.inference.stream import translate_stream
from tintype.inference.translator import Translator
from tintype.inference.worker import Isolation, run_isolated

INTERRUPTED = 130  # exit code, as of shells
MANY = 32
"""Pictures from which on the workers of a colouriser are processes: they take a second to start, and then do not wait
for each other as threads of Python do between small arrays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command as it was typed; see the help of the options in `cli_translate.py`."""

    inputs: list[str]
    model: Path
    out: Path | None
    direction: str | None = None
    strength: float = 1.0
    keep_colour: bool = False
    picture_format: str | None = None
    overwrite: bool = False
    as_json: bool = False
    workers: int | None = None
    memory: str | None = None
    tile: int | None = None
    edges: bool | None = None
    statistics: str = "auto"
    hdu: str | None = None
    plane: int = 1
    stretch: str = "asinh"
    flux: bool = False
    page: int = 1
    other_pages: str = "leave"
    pyramid: bool = False
    uncertainty: bool = False
    seed: int | None = None
    hint_points: tuple[str, ...] = ()
    hints_file: Path | None = None
    reference: Path | None = None
    isolate: bool = False
    time_limit: float | None = None
    max_pixels: float | None = None


def translate(asked: Asked) -> int:
    """Translate, print a line for each file that needs one, and return the exit code: 1 if a file failed."""
    picture_format = _format(asked)
    options = _options(asked, picture_format)
    keep_freed_memory()
    if "-" in asked.inputs:
        return _stream(asked, options, picture_format)
    if asked.out is None:
        raise UsageError("--out: give the folder for the results")
    plan = plan_batch(asked.inputs, asked.out, picture_format=picture_format, uncertainty=asked.uncertainty)
    if not plan.jobs:
        others = f" ({counted(plan.passed_over, 'other file')})" if plan.others else ""
        raise UsageError(f"{', '.join(asked.inputs)}: no pictures in there{others}")
    if options.hints and len(plan.jobs) > 1:
        raise UsageError(
            f"--hint: belongs to one picture, and {counted(len(plan.jobs), 'picture')} were given; translate them one "
            "by one"
        )
    to_do = sum(settled(job, asked.overwrite) is None for job in plan.jobs)
    results = _results(asked, options, plan, to_do)
    count: Counter[str] = Counter()
    interrupted = False
    with Reporter() as say:
        say.begin("translating", to_do)
        try:
            with _ended_by_signals():
                for result in results:
                    count[result.status] += 1
                    _report(result, say, asked.as_json)
                    say.update(count.total() - count["kept"], note=result.input.name)
                if asked.as_json:
                    for other in passed_over(plan.others):
                        _print_json(other)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            results.close()
        say.end()
        if interrupted:
            say.line(f"interrupted; {count['done']:,} done, run again to go on")
            return INTERRUPTED
        say.line(_summary(asked.out, count, plan.passed_over))
    return 1 if count["failed"] else 0


def _results(asked: Asked, options: TranslateOptions, plan: Plan, to_do: int) -> Generator[Result, None, None]:
    direction = chosen_direction(asked.direction)
    model = find_model(asked.model, direction)
    cores = core_count()
    workers = min(asked.workers or cores, max(1, to_do))
    card = read_card(model)
    require_direction(card, model, direction)
    check_options(options, card, asked.uncertainty)
    options = dataclasses.replace(options, provenance=describe(options, card, model, asked.uncertainty))
    # a network that sees every pixel works on one large picture at a time, with all cores
    whole = not build_codec(card.recipe, card.direction).predicts_chroma
    if options.sizing.statistics == "whole":
        freezable(open_runtime(model, 1)[0])
    if asked.isolate or (to_do >= MANY and workers > 1 and not whole and model.suffix == ".onnx"):
        memory = options.sizing.memory
        share = None if memory is None else memory // workers
        sizing = dataclasses.replace(options.sizing, memory=share)
        isolation = Isolation(
            model=model,
            direction=direction,
            options=dataclasses.replace(options, sizing=sizing),
            overwrite=asked.overwrite,
            memory=share if asked.isolate else None,
            threads=max(1, cores // workers),
        )
        return run_isolated(plan, isolation, workers=workers, in_order=not asked.as_json)
    translator = Translator(model, direction, threads=cores if whole else max(1, cores // workers))
    return run_batch(plan, translator, options, overwrite=asked.overwrite, workers=workers, in_order=not asked.as_json)


def _stream(asked: Asked, options: TranslateOptions, picture_format: Format | None) -> int:
    if asked.inputs != ["-"] or str(asked.out or "-") != "-":
        raise UsageError("-: is one picture from standard input to standard output; give no other input and no --out")
    for option, given in (
        ("--json", asked.as_json),
        ("--uncertainty", asked.uncertainty),
        ("--isolate", asked.isolate),
        ("--workers", asked.workers is not None),
    ):
        if given:
            raise UsageError(f"{option}: cannot be had with standard input; leave it out or give a file")
    if sys.stdout.isatty():
        raise UsageError("-: the picture would go to the terminal; add > FILE or | COMMAND")
    direction = chosen_direction(asked.direction)
    translator = Translator(asked.model, direction)
    model = find_model(asked.model, direction)
    check_options(options, translator.card)
    options = dataclasses.replace(options, provenance=describe(options, translator.card, model))
    try:
        notes = translate_stream(sys.stdin.buffer, sys.stdout.buffer, translator, options, picture_format)
    except BrokenPipeError:  # whoever read the result has gone, and needs no more of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    for note in notes:
        print(f"standard input: {note}", file=sys.stderr)  # noqa: T201
    return 0


def _format(asked: Asked) -> Format | None:
    """The format of the results, if one was asked for that what else was asked for does not contradict."""
    if asked.picture_format is None:
        return None
    chosen = one_of("--format", asked.picture_format, get_args(Format))
    for option, given, needed in (
        ("--flux", asked.flux, "fits"),
        ("--pyramid", asked.pyramid, "tif"),
        ("--other-pages keep", asked.other_pages == "keep", "tif"),
    ):
        if given and chosen != needed:
            raise UsageError(f"{option} --format {chosen}: only {needed} can hold that; leave one of them out")
    return chosen


def _options(asked: Asked, picture_format: Format | None) -> TranslateOptions:
    if asked.uncertainty:
        font()  # a map has labels, and without one no picture is to be begun
    limits = Limits()
    if asked.max_pixels is not None:
        if not (math.isfinite(asked.max_pixels) and asked.max_pixels >= 1):
            raise UsageError(f"--max-pixels {asked.max_pixels}: give a number of pixels, as in 1e9")
        limits = dataclasses.replace(limits, pixels=int(asked.max_pixels))
    if asked.time_limit is not None and not 0 < asked.time_limit < math.inf:
        raise UsageError(f"--time-limit {asked.time_limit}: give a number of seconds above 0")
    hints = (*(read_hints(asked.hints_file) if asked.hints_file else ()), *map(parse_hint, asked.hint_points))
    hdu = int(asked.hdu) if asked.hdu is not None and asked.hdu.isascii() and asked.hdu.isdigit() else asked.hdu
    return TranslateOptions(
        reading=Reading(
            page=asked.page - 1,
            limits=limits,
            hdu=hdu,
            plane=asked.plane - 1,
            stretch=one_of("--stretch", asked.stretch, get_args(StretchKind)),
        ),
        writing=Writing(
            pyramid=asked.pyramid,
            other_pages=one_of("--other-pages", asked.other_pages, get_args(OtherPages)),
            flux=asked.flux,
        ),
        sizing=Sizing(
            memory=None if asked.memory is None else byte_count("--memory", asked.memory),
            edges=asked.edges,
            statistics=one_of("--statistics", asked.statistics, get_args(Statistics)),
            tile=asked.tile,
        ),
        strength=asked.strength,
        keep_colour=asked.keep_colour,
        seed=asked.seed,
        hints=hints,
        reference=palette_of(open_picture(asked.reference, Reading(limits=limits))) if asked.reference else None,
        time_limit=asked.time_limit,
    )


def _report(result: Result, say: Reporter, as_json: bool) -> None:
    if as_json:
        _print_json(result)
    if result.status == "failed":
        say.line(f"failed: {result.reason}")
    for warning in result.warnings:
        say.line(f"{result.input}: {warning}")


def _print_json(result: Result) -> None:
    print(json.dumps(dataclasses.asdict(result), default=str), flush=True)  # noqa: T201


def _summary(out: Path, count: Counter[str], others: int) -> str:
    parts = [f"{counted(count['done'], 'picture')} translated into {out}"]
    if count["kept"]:
        parts.append(f"{count['kept']:,} kept as they were there already (--overwrite replaces them)")
    if others:
        parts.append(f"{counted(others, 'other file')} passed over")
    if count["failed"]:
        parts.append(f"{count['failed']:,} failed")
    return ", ".join(parts)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Make a request to end, as from a queue of jobs, what Ctrl-C is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
