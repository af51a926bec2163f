"""The end of the run of a generator from noise: write the model files, and have them scored."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from torch import nn

from tintype.image.file import write_image
from tintype.image.grid import panel
from tintype.inference.modelfile import write_safetensors
from tintype.inference.onnx import export_onnx, replace_card
from tintype.inference.sampling import Sampler
from tintype.metrics.sample_tables import format_sample_scores
from tintype.training.cards import make_card
from tintype.training.rundir import RunDir, write_text
from tintype.training.sample_scoring import FEWEST, SampleJudging, accuracy_in_training, judge_discriminator
from tintype.training.sampled_preview import draw_samples, told_classes
from tintype.training.trainer import Trainer

_NEAREST_SHOWN = 10


def conclude_sampled(trainer: Trainer, network: nn.Module, step: int, notes: Sequence[str]) -> None:
    """Turn a finished training into `model.*`, `scores.json` and grids; done again, it gives the same again."""
    recipe, data, run, say = trainer.recipe, trainer.data, trainer.run, trainer.reporter
    card = make_card(recipe, network, step).model_copy(
        update={"split": {"digest": data.split.digest}, "classes": told_classes(recipe, data.classes)}
    )
    weights, graph = run.model("", "safetensors"), run.model("", "onnx")
    state = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
    write_safetensors(weights, state, card)
    export_onnx(network, card, graph)
    sampler = Sampler(graph)
    draw_samples(sampler, run, step)

    part = "test" if data.split.test else "validation"
    if len(getattr(data.split, part)) < FEWEST:
        say.line("not scored: the set is too small to keep any picture from training")
        return
    if part == "validation":
        notes = [*notes, "no test pictures: scored on those that were watched during training"]
    say.begin("judging samples", None)
    judging = SampleJudging(data, part, data)
    rows, motion, nearest = judging.rows({"model": sampler})
    if nearest is not None:
        _draw_nearest(*nearest, run)
    discriminator = trainer.method.networks["discriminator"]
    judged = judge_discriminator(getattr(discriminator, "module", discriminator), recipe, sampler, judging)
    in_training = accuracy_in_training(run, recipe, data.count, trainer.total)
    scores = judging.scores(rows, motion, (judged, in_training), list(notes))
    say.end()
    content = scores.to_dict()
    summary = {key: content[key] for key in ("protocol", "pictures", "discriminator", "samples", "verdict")}
    card = card.model_copy(update={"scores": summary})
    write_safetensors(weights, state, card)
    replace_card(graph, card)
    write_text(run.scores(""), json.dumps(content, indent=1) + "\n")
    say.line(format_sample_scores(scores))


def _draw_nearest(samples: np.ndarray, nearest: np.ndarray, run: RunDir) -> None:
    """Some samples above the training pictures that are nearest to them."""
    rows = [list(samples[:_NEAREST_SHOWN]), list(nearest[:_NEAREST_SHOWN])]
    labels = ["samples", "nearest training pictures"]
    write_image(run.samples / "nearest-training-pictures.png", panel(rows, [""] * len(rows[0]), labels, 84))
