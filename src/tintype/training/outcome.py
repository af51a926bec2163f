"""The end of a run: pick the network, measure its strength, write the model files, score them and draw panels."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from tintype.console import Reporter
from tintype.data.dataset import PairedData
from tintype.evaluation import (
    Scores,
    TestPicture,
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
from tintype.training.preview import make_card, panel_name
from tintype.training.rundir import RunDir, write_text
from tintype.training.trainer import Trainer

_BASELINE_PICTURES = 2000
"""Training pictures that the baselines' constants are fitted on at most, evenly spaced over the set."""


def conclude(trainer: Trainer, notes: list[str]) -> None:
    """Turn a finished training into models and scores in the run folder; done again, it gives the same again."""
    recipe, data, run, say = trainer.recipe, trainer.data, trainer.run, trainer.reporter
    size = recipe.evaluation.size or recipe.data.size
    train_pictures = (pair.target for pair in data.pictures("train", size, limit=_BASELINE_PICTURES))
    baselines = fit_baselines(train_pictures, grey=recipe.codec.grey)
    for suffix, name in trainer.method.exports.items():
        network, step = _chosen(trainer, name)
        card = make_card(recipe, network, step, baselines)
        runtime = TorchRuntime(network, trainer.fabric.device)
        say.line(f"measuring the strength of colour on the validation pictures, from step {step}")
        strength = calibrate_strength(Translator.from_runtime(runtime, card), _test_pictures(data, "validation", size))
        card = card.model_copy(update={"strength": strength, "split": {"digest": data.split.digest}})
        state = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
        export_onnx(network, card, run.model(suffix, "onnx"))

        part = "test" if data.split.test else "validation"
        if part == "validation":
            notes = [
                *notes,
                "no test pictures: scored on the validation pictures, which also chose the checkpoint and strength",
            ]
        scores = _score(run, suffix, data, part, size, say)
        card = card.model_copy(update={"scores": _summary(scores)})
        replace_card(run.model(suffix, "onnx"), card)
        write_safetensors(run.model(suffix, "safetensors"), state, card)
        write_text(run.scores, json.dumps({**scores.to_dict(), "notes": [*scores.notes, *notes]}, indent=1) + "\n")
        say.line(format_scores(scores))


def _chosen(trainer: Trainer, name: str) -> tuple[nn.Module, int]:
    """The network of the best validation, or of the last step where the recipe says so or nothing was validated."""
    network = trainer.shipped(name)
    if trainer.best.step == 0:
        return network, trainer.step
    content = load_checkpoint(trainer.run.best)
    network.load_state_dict(content["networks"][name])
    return network, content["step"]


def _score(run: RunDir, suffix: str, data: PairedData, part: str, size: int, say: Reporter) -> Scores:
    translator = Translator(run.model(suffix, "onnx"))
    total = len(getattr(data.split, part))
    say.begin(f"scoring {part} pictures", total)
    scores = evaluate(
        translator,
        _test_pictures(data, part, size),
        protocol=protocol(data.recipe, part, size, data.split.digest),
        progress=lambda done: say.update(done, total),
    )
    say.end()
    return _with_panels(run.root, run.panels, translator, scores, list(_named(data, part, size, scores)))


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


def _test_pictures(data: PairedData, part: str, size: int) -> Iterator[TestPicture]:
    return (TestPicture(pair.name, pair.source, pair.target) for pair in data.pictures(part, size))


def _named(data: PairedData, part: str, size: int, scores: Scores) -> Iterator[TestPicture]:
    names = {choice.name for choice in choose_panels(scores)}
    return (picture for picture in _test_pictures(data, part, size) if picture.name in names)


def _with_panels(
    root: Path, folder: Path, translator: Translator, scores: Scores, pictures: list[TestPicture]
) -> Scores:
    """Draw source, generated and truth of the best, median and worst picture."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    by_name = {picture.name: picture for picture in pictures}
    panels = []
    for number, choice in enumerate(choose_panels(scores), start=1):
        picture = by_name[choice.name]
        file = folder / panel_name(number, choice.name)
        row = [picture.source, translator.predict(picture.source).render(), picture.target]
        write_image(file, panel([row], ["source", "generated", "truth"], cell=256))
        panels.append(
            {
                "kind": choice.kind,
                "name": choice.name,
                "file": file.relative_to(root).as_posix(),
                "psnr": choice.psnr,
                "grey_copy_psnr": choice.grey_copy_psnr,
            }
        )
    return dataclasses.replace(scores, panels=tuple(panels))


def _summary(scores: Scores) -> dict[str, Any]:
    """What of the scores goes into the model file: all but the single pictures."""
    data = scores.to_dict()
    return {key: data[key] for key in ("protocol", "pictures", "coloured", "grey", "rows", "grey_pictures", "verdict")}
