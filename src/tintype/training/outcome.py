"""The end of a run: pick the network, measure its strength, write the model files, score them and draw panels."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from tintype.atomic import make_folder
from tintype.console import Reporter
from tintype.data.dataset import Pair, PairedData
from tintype.errors import CheckpointError
from tintype.evaluation import (
    Scores,
    calibrate_strength,
    choose_panels,
    evaluate,
    fit_baselines,
    format_scores,
)
from tintype.image.file import write_image
from tintype.image.grid import panel
from tintype.inference.modelfile import write_safetensors
from tintype.inference.onnx import export_onnx, replace_card
from tintype.inference.torch_runtime import TorchRuntime
from tintype.inference.translator import Translator
from tintype.recipe.schema import Recipe
from tintype.training.checkpoint import load_checkpoint
from tintype.training.preview import make_card
from tintype.training.rundir import write_text
from tintype.training.trainer import Trainer

_BASELINE_PICTURES = 2000
"""Training pictures that the baselines' constants are fitted on at most, evenly spaced over the set."""

_CALIBRATION_PICTURES = 200
"""Validation pictures that the strength is measured on at most, likewise."""

_LONGEST_STEM = 60  # letters of a picture's name in the name of its panel: file systems allow 255 bytes


def conclude(trainer: Trainer, notes: list[str]) -> None:
    """Turn a finished training into models and scores in the run folder; done again, it gives the same again."""
    recipe, data, run, say = trainer.recipe, trainer.data, trainer.run, trainer.reporter
    size = recipe.evaluation.size or recipe.data.size
    baselines = fit_baselines(
        (pair.target for pair in _watched(say, "fitting baselines", data, "train", size, _BASELINE_PICTURES)),
        grey=recipe.codec.grey,
    )
    for suffix, name in trainer.method.exports.items():
        network, step = _chosen(trainer, name, notes)
        card = make_card(recipe, network, step, baselines)
        runtime = TorchRuntime(network, trainer.fabric.device)
        strength = calibrate_strength(
            Translator.from_runtime(runtime, card),
            _watched(say, "measuring the strength of colour", data, "validation", size, _CALIBRATION_PICTURES),
        )
        card = card.model_copy(update={"strength": strength, "split": {"digest": data.split.digest}})
        state = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
        write_safetensors(run.model(suffix, "safetensors"), state, card)
        export_onnx(network, card, run.model(suffix, "onnx"))

        part = "test" if data.split.test else "validation"
        if part == "validation":
            notes = [
                *notes,
                "no test pictures: scored on those that chose the checkpoint and the strength, which flatters",
            ]
        if not getattr(data.split, part):
            say.line("not scored: the set is too small to keep any picture from training; use tintype evaluate --data")
            continue
        scores = _score(trainer, suffix, part, size)
        card = card.model_copy(update={"scores": _summary(scores)})
        write_safetensors(run.model(suffix, "safetensors"), state, card)
        replace_card(run.model(suffix, "onnx"), card)
        write_text(run.scores, json.dumps({**scores.to_dict(), "notes": [*scores.notes, *notes]}, indent=1) + "\n")
        say.line(format_scores(scores))


def _chosen(trainer: Trainer, name: str, notes: list[str]) -> tuple[nn.Module, int]:
    """The network of the best validation, or of the last step where the recipe says so or nothing was validated."""
    network = trainer.shipped(name)
    if trainer.best.step == 0:
        return network, trainer.step
    try:
        content = load_checkpoint(trainer.run.best)
        network.load_state_dict(content["networks"][name])
    except (CheckpointError, RuntimeError, KeyError) as error:
        notes.append(f"the network of the last step was taken, not the best one: {error}")
        trainer.reporter.line(f"note: {notes[-1]}")
        return network, trainer.step
    return network, content["step"]


def _watched(say: Reporter, what: str, data: PairedData, part: str, size: int, limit: int | None) -> Iterator[Pair]:
    """Evaluation pictures, with progress."""
    total = min(len(getattr(data.split, part)), limit or sys.maxsize)
    say.begin(what, total)
    for done, pair in enumerate(data.pictures(part, size, limit), start=1):
        yield pair
        say.update(done, total)
    say.end()


def _score(trainer: Trainer, suffix: str, part: str, size: int) -> Scores:
    """Scores of the shipped model, with panels of its best, median and worst picture."""
    data, run = trainer.data, trainer.run
    translator = Translator(run.model(suffix, "onnx"))
    scores = evaluate(
        translator,
        _watched(trainer.reporter, f"scoring {part} pictures", data, part, size, None),
        protocol=protocol(data.recipe, part, size, data.split.digest),
    )
    choices = choose_panels(scores)
    wanted = {choice.name for choice in choices}
    chosen = {pair.name: pair for pair in data.pictures(part, size) if pair.name in wanted}
    make_folder(run.panels)
    for old in run.panels.glob("*.png"):
        old.unlink()
    panels = []
    for number, choice in enumerate(choices, start=1):
        pair = chosen[choice.name]
        file = run.panels / f"{number:02d}-{Path(choice.name).stem[:_LONGEST_STEM]}.png"
        row = [pair.source, translator.predict(pair.source).render(), pair.target]
        write_image(file, panel([row], ["source", "generated", "truth"], cell=256))
        panels.append({**dataclasses.asdict(choice), "file": file.relative_to(run.root).as_posix()})
    return dataclasses.replace(scores, panels=tuple(panels))


def protocol(recipe: Recipe, part: str, size: int, digest: str | None) -> dict[str, Any]:
    """How evaluation pictures were made, for the scores."""
    return {
        "size": size,
        "crop": "centre",
        "resize_kernel": "lanczos3",
        "split": part,
        "split_digest": digest,
        "grey": recipe.codec.grey,
    }


def _summary(scores: Scores) -> dict[str, Any]:
    """What of the scores goes into the model file: all but the single pictures."""
    data = scores.to_dict()
    return {key: data[key] for key in ("protocol", "pictures", "coloured", "grey", "rows", "grey_pictures", "verdict")}
