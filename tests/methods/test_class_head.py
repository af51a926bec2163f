"""An encoder that learns to tell what is in a picture, beside its colours."""

from __future__ import annotations

import pytest
import torch

from tintype.methods import Batch, build_method
from tintype.methods.class_head import ClassHead, class_loss
from tintype.recipe import load_recipe

TOLD = ["method.lambda_adversarial=0", "data.subject=folder", "method.classes=3"]


def a_batch(subject: torch.Tensor | None) -> Batch:
    torch.manual_seed(1)
    return Batch(torch.rand(4, 1, 32, 32) * 2 - 1, torch.rand(4, 2, 16, 16) - 0.5, subject=subject)


def a_method(*overrides: str):
    torch.manual_seed(0)
    return build_method(load_recipe("tiny", [*TOLD, *overrides]))


def test_the_term_carries_its_weight_and_reaches_the_encoder_alone() -> None:
    method, batch = a_method("method.lambda_class=7"), a_batch(torch.tensor([0, 1, 2, 1]))
    out = method.forward(batch)
    terms = method.loss("generator", batch, out)
    assert list(terms) == ["g/l1", "g/class"]
    assert terms["g/class"].item() == pytest.approx(7 * class_loss(out.class_logits, batch.subject).item(), rel=1e-5)
    terms["g/class"].backward()
    generator = method.networks["generator"]
    assert all(parameter.grad is not None for parameter in generator.down.parameters())
    assert all(parameter.grad is None for parameter in generator.up.parameters())


def test_the_layer_is_trained_with_the_generator_and_not_shipped() -> None:
    method = a_method()
    assert method.phases[0].networks == ("generator", "class_head")
    assert method.exports == {"": "generator"}


def test_pictures_of_unknown_class_do_not_count() -> None:
    logits = torch.tensor([[3.0, 0, 0], [0, 0, 5], [1, 2, 3]])
    known = class_loss(logits[:2], torch.tensor([0, 2]))
    assert class_loss(logits, torch.tensor([0, 2, -1])).item() == pytest.approx(known.item())
    assert class_loss(logits, torch.tensor([-1, -1, -1])).item() == 0


def test_without_classes_in_the_batch_there_is_no_term() -> None:
    method, batch = a_method(), a_batch(None)
    assert list(method.loss("generator", batch, method.forward(batch))) == ["g/l1"]


def test_it_learns_to_tell_classes() -> None:
    torch.manual_seed(0)
    maps, told = [torch.rand(12, 4, 2, 2), torch.rand(12, 6, 1, 1)], torch.arange(12) % 3
    maps[1][:, :3] += 2 * torch.nn.functional.one_hot(told, 3)[:, :, None, None]
    head = ClassHead((4, 6), 3)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.1)
    for _ in range(60):
        optimiser.zero_grad()
        class_loss(head(*maps), told).backward()
        optimiser.step()
    assert (head.eval()(*maps).argmax(dim=1) == told).all()
