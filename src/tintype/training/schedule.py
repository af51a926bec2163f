"""How long a run is, how its learning rate falls, what of it has no effect: pure functions of the recipe and step."""

from __future__ import annotations

import math

from tintype.recipe.methods import CALTECH101
from tintype.recipe.schema import Recipe


def steps_per_epoch(recipe: Recipe, pictures: int) -> float:
    """Batches that make one epoch; a fraction where the pictures do not divide into batches."""
    return recipe.training.epoch_steps or pictures / recipe.training.batch_size


def total_steps(recipe: Recipe, pictures: int) -> int:
    """Length of the run in batches."""
    if recipe.training.steps is not None:
        return recipe.training.steps
    assert recipe.training.epochs is not None  # the schema demands one of the two
    return math.ceil(recipe.training.epochs * steps_per_epoch(recipe, pictures))


def rate_factor(recipe: Recipe, step: int, pictures: int) -> float:
    """What the learning rate is multiplied by at a step (from 0), whatever the length of the run."""
    decay = recipe.optimiser.decay
    if decay is None:
        return 1.0
    unit = steps_per_epoch(recipe, pictures) if decay.unit == "epochs" else 1.0
    done = (step - decay.start * unit) / ((decay.end - decay.start) * unit)
    return 1.0 - min(max(done, 0.0), 1.0) * (1.0 - decay.final)


def sample_steps(recipe: Recipe, pictures: int) -> frozenset[int]:
    """Steps that the recipe names for sample panels, beside the regular ones."""
    per_epoch = steps_per_epoch(recipe, pictures)
    epochs = (math.ceil(epoch * per_epoch) for epoch in recipe.training.sample_epochs)
    return frozenset(recipe.training.sample_steps) | frozenset(epochs)


def idle_settings(recipe: Recipe) -> list[str]:
    """Settings of the networks that have no effect in this recipe, in plain words."""
    notes, generator = [], recipe.generator
    method = recipe.method
    if method.kind == "classifier":
        return _idle_for_a_classifier(recipe)
    if method.kind == "gan":
        return ["training.recompute has no effect: it is for translations"] if recipe.training.recompute else []
    if method.kind == "regression":
        notes.append("method.kind=regression has no discriminator: the section's settings have no effect")
    elif method.lambda_adversarial == 0:
        notes.append("method.lambda_adversarial is 0: there is no discriminator, and its settings have no effect")
        if method.kind == "pix2pix" and method.begins_with_l1 and method.lambda_perceptual == 0:
            notes.append("method.l1_steps and l1_epochs have no effect: all of the run is L1 alone")
    if method.kind == "pix2pix" and method.lambda_perceptual == 0 and method.perceptual != CALTECH101:
        notes.append("method.perceptual has no effect: method.lambda_perceptual is 0")
    if method.kind in ("pix2pix", "regression"):
        if method.teacher and method.lambda_teacher == 0:
            notes.append("method.teacher has no effect: method.lambda_teacher is 0")
        elif not method.teacher and method.lambda_teacher != type(method).model_fields["lambda_teacher"].default:
            notes.append("method.lambda_teacher has no effect: method.teacher names none")
    if getattr(recipe.data, "subject", "none") != "none" and not getattr(method, "classes", 0):
        notes.append("data.subject has no effect: it is for method.classes, which is 0")
    if generator.kind == "unet" and generator.levels == 2 and generator.dropout > 0:
        notes.append("generator.dropout has no effect: a U-Net of 2 levels has no middle blocks")
    if recipe.optimiser.encoder_lr == 0 and not method.init_from and getattr(generator, "weights", "none") == "none":
        notes.append("optimiser.encoder_lr=0 freezes an encoder of random weights: give it some by method.init_from")
    if recipe.inference.batch_statistics and generator.norm != "batch":
        notes.append(f"inference.batch_statistics has no effect with generator.norm={generator.norm}")
    return notes


def _idle_for_a_classifier(recipe: Recipe) -> list[str]:
    notes, training = ["discriminator.* has no effect: a classifier has none"], recipe.training
    if training.sample_every or training.sample_steps or training.sample_epochs:
        notes.append("training.sample_* has no effect: a classifier makes no pictures")
    if training.recompute:
        notes.append("training.recompute has no effect with generator.kind=classifier")
    return notes


def schedule_notes(recipe: Recipe, pictures: int) -> list[str]:
    """Settings of length and decay that have no effect, or a surprising one, in plain words."""
    decay, total = recipe.optimiser.decay, total_steps(recipe, pictures)
    notes = []
    if recipe.method.kind == "pix2pix" and recipe.method.begins_with_l1:
        alone = max(recipe.method.l1_steps, math.ceil(recipe.method.l1_epochs * steps_per_epoch(recipe, pictures)))
        if alone >= total:
            notes.append(
                f"the stage of L1 alone lasts {alone} steps, to this run's end at {total}: no adversarial term"
            )
    if decay is None:
        return notes
    unit = steps_per_epoch(recipe, pictures) if decay.unit == "epochs" else 1.0
    start, end = math.ceil(decay.start * unit), math.ceil(decay.end * unit)
    if total <= start:
        notes.append(
            f"optimiser.decay starts at step {start}, after this run's end at {total}: the rate stays constant"
        )
    elif total > end:
        left = f"{decay.final:g} x lr"
        notes.append(f"optimiser.decay ends at step {end}: the rate is {left} from there to this run's end at {total}")
    return notes
