"""The end of a classifier's run: write the model files, and have them scored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
from torch import nn

from tintype.inference.classifier import Classifier
from tintype.inference.modelfile import write_safetensors
from tintype.inference.onnx import export_onnx, replace_card
from tintype.inference.runtime import OnnxRuntime
from tintype.metrics.classification import ClassifierScores, classifier_scores
from tintype.training.cards import make_card
from tintype.training.rundir import write_text
from tintype.training.trainer import Trainer


def conclude_classifier(trainer: Trainer, network: nn.Module, step: int, notes: Sequence[str]) -> None:
    """Turn a finished training into `model.*` and `scores.json`; done again, it gives the same again."""
    recipe, data, run, say = trainer.recipe, trainer.data, trainer.run, trainer.reporter
    card = make_card(recipe, network, step)
    card = card.model_copy(update={"split": {"digest": data.split.digest}, "classes": data.classes})
    weights, graph = run.model("", "safetensors"), run.model("", "onnx")
    state = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
    write_safetensors(weights, state, card)
    export_onnx(network, card, graph)

    part = "test" if data.split.test else "validation"
    if not getattr(data.split, part):
        say.line("not scored: the set is too small to keep any picture from training")
        return
    if part == "validation":
        notes = [*notes, "no test pictures: scored on those that chose the checkpoint, which flatters"]
    scores = _score(trainer, Classifier(OnnxRuntime(graph), card), part, notes)
    summary = {key: value for key, value in scores.to_dict().items() if key not in ("classes", "notes")}
    card = card.model_copy(update={"scores": summary})
    write_safetensors(weights, state, card)
    replace_card(graph, card)
    write_text(run.scores(""), json.dumps(scores.to_dict(), indent=1) + "\n")
    say.line(scores.verdict)


def _score(trainer: Trainer, classifier: Classifier, part: str, notes: Sequence[str]) -> ClassifierScores:
    data, say, size = trainer.data, trainer.reporter, trainer.recipe.data.size
    numbers: list[int] = []
    total = len(getattr(data.split, part))

    def pictures() -> Iterator[np.ndarray]:
        for one in data.labelled(part, size):
            numbers.append(one.number)
            yield one.picture
            say.update(len(numbers), total)

    say.begin(f"scoring {part} pictures", total)
    _, logits = classifier(pictures())
    say.end()
    protocol = {
        "size": size,
        "crop": "centre",
        "resize_kernel": "lanczos3",
        "split": part,
        "split_digest": data.split.digest,
    }
    return classifier_scores(
        logits, np.array(numbers), data.class_counts("train"), data.classes, protocol=protocol, notes=notes
    )
