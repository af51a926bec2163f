from __future__ import annotations

import pytest
import torch

from tintype.errors import NonFiniteLossError
from tintype.training.meter import Meter, gradient_norm


def test_means_are_over_the_steps_since_the_last_ones() -> None:
    meter = Meter()
    meter.add(1, {"g/l1": torch.tensor(1.0), "g/adversarial": torch.tensor(5.0)})
    meter.flush()
    meter.add(2, {"g/l1": torch.tensor(3.0)})
    assert meter.take_means() == {"g/l1": 2.0, "g/adversarial": 5.0}
    meter.add(3, {"g/l1": torch.tensor(7.0)})
    assert meter.take_means() == {"g/l1": 7.0}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_the_first_term_that_is_not_finite_is_named_with_its_step(bad: float) -> None:
    meter = Meter()
    meter.add(4, {"d/real": torch.tensor(1.0), "d/fake": torch.tensor(1.0)})
    meter.add(5, {"d/real": torch.tensor(1.0), "d/fake": torch.tensor(bad)})
    meter.add(6, {"d/real": torch.tensor(bad), "d/fake": torch.tensor(bad)})
    with pytest.raises(NonFiniteLossError, match="step 5: d/fake is"):
        meter.flush()


def test_unfinished_means_go_on_after_a_restart() -> None:
    meter, other = Meter(), Meter()
    meter.add(1, {"g/l1": torch.tensor(1.0)})
    other.restore(meter.state())
    for one in (meter, other):
        one.add(2, {"g/l1": torch.tensor(2.0)})
    assert meter.take_means() == other.take_means() == {"g/l1": 1.5}


def test_no_terms_are_no_entry() -> None:
    meter = Meter()
    meter.add(1, {})
    assert meter.take_means() == {}


def test_the_norm_of_gradients_is_that_of_all_of_them_in_one_vector() -> None:
    layer = torch.nn.Linear(3, 2)
    unused = torch.nn.Parameter(torch.ones(3))
    (layer(torch.tensor([1.0, -2.0, 3.0])) ** 2).sum().backward()
    vector = torch.cat([layer.weight.grad.flatten(), layer.bias.grad])
    optimiser = torch.optim.Adam([*layer.parameters(), unused])
    assert gradient_norm(optimiser).item() == pytest.approx(vector.square().sum().sqrt().item(), rel=1e-6)
