"""The end of the run of a generator from noise: write the model files, and have them scored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import nn

from tintype import losses
from tintype.image.codec import build_codec
from tintype.image.file import write_image
from tintype.image.grid import panel
from tintype.inference.modelfile import write_safetensors
from tintype.inference.onnx import export_onnx, replace_card
from tintype.inference.sampling import Sampler
from tintype.inference.torch_runtime import evaluating
from tintype.metrics.motion import MotionRow, motion_row, stopped
from tintype.metrics.sample_tables import motion_table, motion_verdict, sample_tables, sample_verdict
from tintype.metrics.samples import (
    Described,
    DiscriminatorFigures,
    discriminator_figures,
    nearest_distances,
    sample_row,
)
from tintype.training.cards import make_card
from tintype.training.journal import read_events
from tintype.training.rundir import write_text
from tintype.training.sampled_preview import (
    draw_samples,
    knows_classes,
    open_judge,
    single_pictures,
    told_classes,
)
from tintype.training.schedule import steps_per_epoch
from tintype.training.trainer import Trainer

_JUDGED = 10_000
"""Real pictures, and as many generated ones, that the final figures are measured on at most."""

_JUDGED_CLIPS = 2_000
"""The same of clips, which are larger."""

_COMPARED = 2_000
"""Of these, how many are compared with all training pictures."""

_REMEMBERED = 60_000 * 28 * 28
"""Values of training pictures that are compared with at most; of larger sets as many pictures as that makes."""

_NEAREST_SHOWN = 10

_LAST_EPOCHS = 5
"""Over which the accuracy of the discriminator in training is averaged."""


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
    if len(getattr(data.split, part)) < 4:
        say.line("not scored: the set is too small to keep any picture from training")
        return
    if part == "validation":
        notes = [*notes, "no test pictures: scored on those that were watched during training"]
    say.begin("judging samples", None)
    scores = _Judging(trainer, sampler, part).scores(notes)
    say.end()
    summary = {key: scores[key] for key in ("protocol", "pictures", "discriminator", "samples", "verdict")}
    card = card.model_copy(update={"scores": summary})
    write_safetensors(weights, state, card)
    replace_card(graph, card)
    write_text(run.scores(""), json.dumps(scores, indent=1) + "\n")
    for table in scores["tables"]:
        say.line(_as_text(table))
    say.line(scores["verdict"])


class _Judging:
    """The figures at the end of a run: real pictures of a part of the split, and as many samples of the ONNX model."""

    def __init__(self, trainer: Trainer, sampler: Sampler, part: str) -> None:
        recipe, data = trainer.recipe, trainer.data
        self.trainer, self.recipe, self.data, self.sampler, self.part = trainer, recipe, data, sampler, part
        self.size, self.judge = recipe.data.size, open_judge(recipe)
        # Of clips, single pictures are judged as those of other models are, and their motion beside that.
        self.whole_test, self.test_labels = data.stack(part, _JUDGED if recipe.frames == 1 else _JUDGED_CLIPS)
        self.test = single_pictures(recipe, self.whole_test)
        self.count = len(self.test)
        self.asked = sampler.labels(self.count)
        self.whole_made = sampler(self.count)
        self.made = single_pictures(recipe, self.whole_made)
        most = max(self.count, _REMEMBERED // self.whole_test[0].size)
        training, self.training_labels = data.stack("train", most)
        self.training = single_pictures(recipe, training)

    def scores(self, notes: Sequence[str]) -> dict[str, Any]:
        """The content of `scores.json`."""
        compared = slice(0, min(self.count, _COMPARED))
        made_far, nearest = nearest_distances(self.made[compared], self.training)
        test_far, _ = nearest_distances(self.test[compared], self.training)
        self._draw_nearest(nearest)
        every = np.linspace(0, len(self.training) - 1, min(self.count, len(self.training))).astype(int)
        test = self._described(self.test, self.test_labels, test_far)
        asked = self.asked if self.sampler.classes else None
        rows = [
            sample_row("model", self._described(self.made, asked, made_far), test),
            # How near test pictures are to training pictures is what the model's distances are to be held against.
            sample_row("real", self._described(self.training[every], self.training_labels[every], test_far), test),
        ]
        judged, in_training = self._discriminator(), _accuracy_in_training(self.trainer)
        knows = knows_classes(self.recipe)
        motion = self._motion()
        tables = sample_tables(judged, in_training, rows, self.data.classes if knows else ())
        return {
            "protocol": {
                "size": self.size,
                "split": self.part,
                "split_digest": self.data.split.digest,
                "features": self.judge.protocol,
                "samples": "of seed 0",
            },
            "pictures": self.count,
            "discriminator": asdict(judged),
            "discriminator_in_training": in_training,
            "samples": [asdict(row) for row in rows],
            **({"motion": [asdict(row) for row in motion]} if motion else {}),
            "tables": [*tables, motion_table(motion)] if motion else tables,
            "verdict": sample_verdict(rows) + (f" {motion_verdict(motion)}" if motion else ""),
            "notes": list(notes),
        }

    def _motion(self) -> list[MotionRow]:
        """How clips move: the model's, real ones, and real frames that stand still; none of pictures."""
        if self.recipe.frames == 1:
            return []
        side, real = self.recipe.data.window, self.whole_test
        named = {"model": self.whole_made, "real": real, "still": stopped(real)}
        return [motion_row(name, clips, side) for name, clips in named.items()]

    def _described(self, pictures: np.ndarray, labels: np.ndarray | None, distances: np.ndarray) -> Described:
        features, logits = self.judge.describe(pictures)
        knows = knows_classes(self.recipe)
        return Described(features, logits if knows else None, labels if knows else None, distances)

    def _draw_nearest(self, nearest: np.ndarray) -> None:
        """Some samples above the training pictures that are nearest to them."""
        count = min(_NEAREST_SHOWN, len(nearest))
        rows = [list(self.made[:count]), list(self.training[nearest[:count]])]
        labels = ["samples", "nearest training pictures"]
        write_image(self.trainer.run.samples / "nearest-training-pictures.png", panel(rows, [""] * count, labels, 84))

    def _discriminator(self) -> DiscriminatorFigures:
        """What the last discriminator says of real and generated pictures, in model space as it was trained on them."""
        trainer, recipe, method = self.trainer, self.recipe, self.recipe.method
        assert method.kind == "gan"
        network = trainer.method.networks["discriminator"]
        network = getattr(network, "module", network)
        codec, device = build_codec(recipe), trainer.fabric.device
        real = codec.encode_target(np.ascontiguousarray(self.whole_test.transpose(0, 3, 1, 2)))
        called, lost = [], []
        border = losses.border(method.adversarial)
        for pictures, labels, loss in (
            (real, self.test_labels, losses.real_loss),
            (self.sampler.outputs(self.count), self.asked, losses.fake_loss),
        ):
            logits = []
            with evaluating(network), torch.inference_mode():
                for start in range(0, len(pictures), 256):
                    here = slice(start, start + 256)
                    x = torch.from_numpy(np.ascontiguousarray(pictures[here], dtype=np.float32)).to(device)
                    told = (torch.from_numpy(labels[here]).to(device),) if method.labels == "projection" else ()
                    judged = network(x, *told).float()
                    logits.append(judged[:, 0] if judged.ndim == 2 else judged.mean(dim=(1, 2, 3)))  # of patches
            whole = torch.cat(logits)
            called.append((whole > border).cpu().numpy())
            lost.append(float(loss(whole, method.adversarial)))
        return discriminator_figures(called[0], called[1], lost[0], lost[1])


def _accuracy_in_training(trainer: Trainer) -> dict[str, float]:
    """The discriminator's accuracy on what it was trained on, `real` and `fake`: mean over the last epochs."""
    start = trainer.total - _LAST_EPOCHS * steps_per_epoch(trainer.recipe, trainer.data.count)
    logged = [event for event in read_events(trainer.run.events) if event["event"] == "log" and event["step"] > start]
    found = {}
    for kind in ("real", "fake"):
        values = [one["health"][f"d/accuracy_{kind}"] for one in logged if f"d/accuracy_{kind}" in one["health"]]
        if values:
            found[kind] = float(np.mean(values))
    return found


def _as_text(table: dict[str, Any]) -> str:
    """A table for the console."""
    rows = [table["head"], *table["rows"]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([table["title"], *lines])
