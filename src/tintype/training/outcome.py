"""The end of a run: pick the networks, measure their strength, write the model files, and have them scored."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import nn

from tintype.console import Reporter
from tintype.data.dataset import Pair, PictureSet
from tintype.data.source import ENDS
from tintype.errors import CheckpointError
from tintype.evaluation import Scores, calibrate_strength, fit_baselines, format_scores
from tintype.inference.modelfile import ModelCard, write_safetensors
from tintype.inference.onnx import export_onnx, replace_card
from tintype.inference.torch_runtime import TorchRuntime
from tintype.inference.translator import Translator
from tintype.many import calibrate, has_spread
from tintype.metrics.measures import further_measures
from tintype.metrics.realism import DEFAULT_FEATURES, open_realism
from tintype.recipe.schema import BACK, Direction
from tintype.training.cards import make_card
from tintype.training.checkpoint import load_checkpoint
from tintype.training.classified import conclude_classifier
from tintype.training.rundir import write_text
from tintype.training.sampled import conclude_sampled
from tintype.training.scoring import Beside, draw_panels, score
from tintype.training.teacher import ROW, teacher_beside
from tintype.training.trainer import Trainer

_BASELINE_PICTURES = 2000
"""Training pictures that the baselines' constants are fitted on at most, evenly spaced over the set."""

_CALIBRATION_PICTURES = 200
"""Validation pictures that the strength is measured on at most, likewise."""

_MARGINAL_PICTURES = 500
"""Training pictures whose chroma, all together, gives the interval that those of a model are compared with."""


def conclude(trainer: Trainer, notes: list[str]) -> None:
    """Turn a finished training into models and scores in the run folder; done again, it gives the same again."""
    recipe, data, run, say = trainer.recipe, trainer.data, trainer.run, trainer.reporter
    networks, step = _chosen(trainer, notes)
    if recipe.method.kind == "classifier":
        conclude_classifier(trainer, networks[""], step, notes)
        return
    if recipe.method.kind == "gan":
        conclude_sampled(trainer, networks[""], step, notes)
        return
    made: list[tuple[Direction, str, ModelCard, dict[str, np.ndarray]]] = []
    for direction, (suffix, network) in zip(recipe.directions, networks.items(), strict=True):
        card = _card(trainer, network, step, direction)
        state = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
        write_safetensors(run.model(suffix, "safetensors"), state, card)
        export_onnx(network, card, run.model(suffix, "onnx"))
        made.append((direction, suffix, card, state))

    part = "test" if data.split.test else "validation"
    if part == "validation":
        chosen = "that chose the checkpoint and the strength, which flatters"
        watched = "that were watched during training" if recipe.best_by == "last" else chosen
        notes = [*notes, f"no test pictures: scored on those {watched}"]
    if not getattr(data.split, part):
        say.line("not scored: the set is too small to keep any picture from training; use tintype evaluate --data")
        return
    size = recipe.evaluation.size or recipe.data.size
    teacher = teacher_beside(recipe, set(data.hashes(part)))
    beside = Beside(
        data,
        runs={} if teacher is None else {ROW: teacher.translator},
        realism=open_realism(DEFAULT_FEATURES),
        measures=further_measures(size, scale=recipe.enlargement),
    )
    for direction, suffix, card, state in made:
        model = Translator(run.model(suffix, "onnx"))
        back = Translator(run.model(f"_{BACK[direction]}", "onnx")) if suffix else None
        say.begin(f"scoring {part} pictures", None)
        scores = score(model, back, data, part, size, beside=beside, progress=say.update)
        say.end()
        if teacher is not None:
            scores = scores.with_notes(teacher.notes)
        scores = dataclasses.replace(scores, panels=draw_panels(scores, model, back, data, part, size, run))
        card = card.model_copy(update={"scores": _summary(scores)})
        write_safetensors(run.model(suffix, "safetensors"), state, card)
        replace_card(run.model(suffix, "onnx"), card)
        content = {**scores.to_dict(), "notes": [*scores.notes, *notes]}
        if teacher is not None:
            content["teacher"] = teacher.record
        write_text(run.scores(suffix), json.dumps(content, indent=1) + "\n")
        if suffix:
            say.line(f"direction {direction}:")
        say.line(format_scores(scores))


def _card(trainer: Trainer, network: nn.Module, step: int, direction: Direction) -> ModelCard:
    """The card with what is measured on training and validation pictures."""
    recipe, data, say = trainer.recipe, trainer.data, trainer.reporter
    size = recipe.evaluation.size or recipe.data.size
    baselines = fit_baselines(_targets(say, data, direction, size), grey=recipe.codec.grey)
    card = make_card(recipe, network, step, direction, baselines)
    translator = Translator.from_runtime(TorchRuntime(network, trainer.fabric.device), card)
    strength = calibrate_strength(translator, _watched(say, data, "measuring the strength of colour", size))
    spread = None
    if has_spread(translator) and data.has_pairs:
        targets = (pair.target for pair in data.pictures("train", size, _MARGINAL_PICTURES))
        spread = calibrate(translator, _watched(say, data, "calibrating the spread of colours", size), targets)
    return card.model_copy(update={"strength": strength, "spread": spread, "split": {"digest": data.split.digest}})


def _watched(say: Reporter, data: PictureSet, task: str, size: int) -> Iterator[Pair]:
    """Pairs to calibrate on, with progress."""
    total = min(len(data.split.validation), _CALIBRATION_PICTURES)
    say.begin(task, total)
    for done, pair in enumerate(data.pictures("validation", size, _CALIBRATION_PICTURES), start=1):
        yield pair
        say.update(done, total)
    say.end()


def _targets(say: Reporter, data: PictureSet, direction: Direction, size: int) -> Iterator[np.ndarray]:
    """Training pictures `h w 3` of the domain that a direction translates to, with progress."""
    _, domain = ENDS[direction]
    total = min(data.domain_count(domain, "train"), _BASELINE_PICTURES)
    say.begin("fitting baselines", total)
    for done, one in enumerate(data.domain(domain, "train", size, _BASELINE_PICTURES), start=1):
        yield np.broadcast_to(one.picture, (*one.picture.shape[:2], 3))
        say.update(done, total)
    say.end()


def _chosen(trainer: Trainer, notes: list[str]) -> tuple[dict[str, nn.Module], int]:
    """The networks of the best validation, or of the last step where the recipe says so or nothing was validated."""
    networks = trainer.shipped()
    if trainer.best.step == 0:
        return networks, trainer.step
    try:
        content = load_checkpoint(trainer.run.best)
        for suffix, network in networks.items():
            network.load_state_dict(content["networks"][suffix])
    except (CheckpointError, RuntimeError, KeyError) as error:
        notes.append(f"the network of the last step was taken, not the best one: {error}")
        trainer.reporter.line(f"note: {notes[-1]}")
        return networks, trainer.step
    return networks, content["step"]


def _summary(scores: Scores) -> dict[str, Any]:
    """What of the scores goes into the model file: all but the single pictures."""
    data = scores.to_dict()
    kept = (
        "protocol",
        "pictures",
        "coloured",
        "grey",
        "rows",
        "grey_pictures",
        "consistency",
        "realism",
        "spread",
        "verdict",
    )
    return {key: data[key] for key in kept}
