"""The tab for many pictures: files or a zip in, progress, a zip out; what is unpacked is bounded and goes away."""

from __future__ import annotations

import html
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import gradio as gr

from tintype.errors import DataError, LimitError
from tintype.image.file import picture_suffix
from tintype.inference.one import Result, translate_file
from tintype.inference.options import TranslateOptions, check_options, describe
from tintype.inference.plan import Job, plan_batch
from tintype.server.service import ServedModel, Service
from tintype.server.studio import StudioSettings
from tintype.server.studio_colour import PICTURE_TYPES
from tintype.server.studio_words import in_turn, models_by_label, problem, said, without_folders

_EMPTY = "Results have the names, formats and depths of their pictures."
_BLOCK = 2**20
_MOST_DEEP = 8
_DAMAGED = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError)
"""What zipfile raises on bytes that make no sense, encryption and unknown compression included."""


def batch_tab(service: Service, settings: StudioSettings) -> None:
    """The tab."""
    models = models_by_label(service)
    options = TranslateOptions(reading=service.reading, time_limit=service.settings.time_limit)
    with gr.Row(elem_classes="workbench"):
        with gr.Column(scale=7, min_width=320):
            upload = gr.File(
                label=f"Pictures, or a zip of them: at most {settings.batch_files}",
                file_count="multiple",
                file_types=[*PICTURE_TYPES, ".zip"],
                height=220,
                elem_id="batch-upload",
            )
            status = gr.HTML(
                said("Results have the names, formats and depths of their pictures."), elem_id="batch-status"
            )
            download = gr.DownloadButton(
                "Download all results as a zip", variant="primary", visible=False, elem_id="batch-download"
            )
            table = gr.HTML(elem_id="batch-table")
        with gr.Column(scale=3, min_width=300):
            model = gr.Dropdown(list(models), value=next(iter(models)), label="Model", elem_id="batch-model")
            strength = gr.Slider(0, 2, 1, step=0.05, label="Strength of colour", elem_id="batch-strength")
            keep = gr.Checkbox(False, label="Leave pictures that have colour as they are", elem_id="batch-keep")
            begin = gr.Button("Translate all", variant="primary", interactive=False, elem_id="batch-begin")
            stop = gr.Button("Stop", visible=False, variant="stop", elem_id="batch-stop")

    def translate(paths: list[str] | None, label: str, strength: float, keep: bool) -> Iterator[Any]:
        """The files one after the other, with what became of each; at the end a zip."""
        given = [Path(path) for path in paths or []]
        results: list[Result] = []
        running = gr.update(visible=False), gr.update(visible=True)
        with tempfile.TemporaryDirectory(prefix="tintype-batch-") as name:
            folder = Path(name)
            try:
                found = unpack(given, folder / "in", settings.batch_files, settings.batch_bytes)
                plan = plan_batch([folder / "in"], folder / "out")
                asked = _options(options, models[label], strength, keep)
                for number, job in enumerate(plan.jobs):
                    yield said(f"{number} of {found} done."), _table(results), gr.update(visible=False), *running
                    results.append(_one(service, models[label], asked, job))
                packed = pack([result for result in results if result.status == "done"], folder)
            except Exception as error:
                yield problem(error), _table(results), gr.update(visible=False), *_idle()
                return
            failed = sum(result.status == "failed" for result in results)
            text = f"{len(results) - failed} of {found} done" + (f", {failed} failed." if failed else ".")
            file = gr.update(visible=packed is not None, value=None if packed is None else str(packed))
            yield said(text), _table(results), file, *_idle()

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    work = begin.click(
        translate,
        [upload, model, strength, keep],
        [status, table, download, begin, stop],
        concurrency_limit=1,
        concurrency_id="batch",
        **quiet,
    )
    stop.click(lambda: (*_idle(), said("Stopped.")), None, [begin, stop, status], cancels=[work], **quiet)
    upload.change(lambda paths: gr.update(interactive=bool(paths)), upload, begin, **quiet)
    model.input(lambda label: _controls(models[label]), model, [strength, keep], **quiet)


def unpack(given: Sequence[Path], folder: Path, most: int, most_bytes: int) -> int:
    """Gather pictures, and those in zip files, in a folder; other files in a zip are left out.

    Args:
        given: What was uploaded.
        folder: For the pictures; it is made.
        most: Pictures at most.
        most_bytes: Of all of them, unpacked.

    Returns:
        How many there are.

    Raises:
        LimitError: They are too many, or too large.
        DataError: A zip is damaged, or there are no pictures.
    """
    folder.mkdir(parents=True)
    count, left = 0, most_bytes
    for number, path in enumerate(given):
        if path.suffix.lower() != ".zip":
            count, left = count + 1, left - path.stat().st_size
            _check(count, left, most, most_bytes)
            shutil.copyfile(path, _free(folder / path.name, number))
            continue
        try:
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    target = _inside(info)
                    if target is None:
                        continue
                    count += 1
                    _check(count, left, most, most_bytes)
                    place = _free(folder / target, number)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(info) as source, place.open("xb") as file:
                        while block := source.read(_BLOCK):  # what the archive says of its sizes is not trusted
                            left -= len(block)
                            _check(count, left, most, most_bytes)
                            file.write(block)
        except LimitError:
            raise
        except _DAMAGED as error:
            raise DataError(f"{path.name}: is damaged or no zip that can be read; pack it again") from error
    if count == 0:
        raise DataError("no pictures were given; drop some, or a zip that holds some")
    return count


def pack(results: Sequence[Result], folder: Path) -> Path | None:
    """A zip of results below `folder/out`, uncompressed since pictures are; each file is removed when it is in."""
    if not results:
        return None
    path = folder / "results.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for result in results:
            if result.output is not None:
                archive.write(result.output, result.output.relative_to(folder / "out").as_posix())
                result.output.unlink()
    return path


def _check(count: int, left: int, most: int, most_bytes: int) -> None:
    if count > most:
        raise LimitError(f"more than the {most} pictures that one batch may have; give fewer")
    if left < 0:
        raise LimitError(f"more than the {most_bytes // 2**20:,} MiB that one batch may have; give fewer")


def _inside(info: zipfile.ZipInfo) -> Path | None:
    """Where a file of a zip goes, below the folder; None: it is no picture, hidden, or would go elsewhere."""
    place = PurePosixPath(info.filename.replace("\\", "/"))
    parts = place.parts
    if info.is_dir() or not 0 < len(parts) <= _MOST_DEEP or place.is_absolute() or not picture_suffix(Path(place)):
        return None
    if any(part.startswith(".") or ":" in part or "\0" in part or len(part) > 200 for part in parts):
        return None
    return None if "__MACOSX" in parts else Path(*parts)


def _free(path: Path, number: int) -> Path:
    """The path, or the same in a folder of its own where something of that name is there already."""
    return path if not path.exists() else path.parent / f"{number + 1}" / path.name


def _options(options: TranslateOptions, model: ServedModel, strength: float, keep: bool) -> TranslateOptions:
    codec = model.translator.codec
    asked = TranslateOptions(
        reading=options.reading,
        strength=float(strength) if codec.predicts_chroma else 1.0,
        keep_colour=bool(keep) and codec.colourises,
        time_limit=options.time_limit,
    )
    check_options(asked, model.card)
    return TranslateOptions(
        reading=asked.reading,
        strength=asked.strength,
        keep_colour=asked.keep_colour,
        time_limit=asked.time_limit,
        provenance=describe(asked, model.card, model.path),
    )


def _one(service: Service, model: ServedModel, options: TranslateOptions, job: Job) -> Result:
    return in_turn(service, model, lambda turns: translate_file(job, model.translator, options, turns))


def _table(results: Sequence[Result]) -> str:
    """What became of each file, the newest first, as HTML."""
    if not results:
        return ""
    rows = "".join(
        f'<tr class="{result.status}"><th scope="row">{html.escape(result.input.name)}</th>'
        f"<td>{html.escape(_outcome(result))}</td></tr>"
        for result in reversed(results)
    )
    return f'<div class="wide"><table class="files"><caption>Files, the newest first</caption>{rows}</table></div>'


def _outcome(result: Result) -> str:
    if result.status == "failed":
        return without_folders(result.reason or "failed")
    facts = f"{result.width} x {result.height}, {result.seconds:.1f} s"
    return "; ".join((facts, *result.warnings))


def _idle() -> tuple[Any, Any]:
    """The buttons to begin and to stop, while nothing is done."""
    return gr.update(visible=True), gr.update(visible=False)


def _controls(model: ServedModel) -> tuple[Any, Any]:
    codec = model.translator.codec
    return gr.update(visible=codec.predicts_chroma), gr.update(visible=codec.colourises)
