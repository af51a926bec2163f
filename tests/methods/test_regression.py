from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tintype.methods import Batch, build_method
from tintype.recipe import load_recipe


def test_regression_is_pix2pix_without_its_discriminator() -> None:
    losses = []
    batch = Batch(torch.rand(2, 1, 32, 32) * 2 - 1, torch.rand(2, 2, 16, 16) - 0.5)
    for overrides in (["method.kind=regression"], ["method.lambda_adversarial=0"]):
        torch.manual_seed(0)
        method = build_method(load_recipe("tiny", [*overrides, "method.lambda_l1=50"]))
        assert [phase.name for phase in method.phases] == list(method.networks) == ["generator"]
        torch.manual_seed(1)
        out = method.forward(batch)
        (loss,) = method.loss("generator", batch, out).values()
        made = out if isinstance(out, torch.Tensor) else out.target
        assert loss.item() == pytest.approx(50 * F.l1_loss(made, batch.target).item(), rel=1e-6)
        assert loss.item() == pytest.approx(50 * F.l1_loss(made, batch.target).item(), rel=1e-6)
        losses.append(loss.item())
    assert losses[0] == losses[1]


def test_regression_keeps_the_weight_and_the_start_of_the_method_that_it_replaces() -> None:
    recipe = load_recipe("tiny", ["method.lambda_l1=7", "method.init_from=a/run", "method.kind=regression"])
    assert recipe.method.lambda_l1 == 7 and recipe.method.init_from == "a/run"
    assert recipe.learns_from_pairs and recipe.directions == ("ab",) and recipe.best_by == "psnr"
