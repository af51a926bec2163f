"""Terms that are measured on the finished picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tintype.image.codec import LabSpace
from tintype.methods import Batch, build_method
from tintype.methods.display import DISPLAY_FLOOR, LEAST_COLOUR, DisplayTerms, colourfulness, display
from tintype.metrics import colour
from tintype.recipe import load_recipe

CODEC = LabSpace(grey="lab", stride=2)


def some_chroma(pictures: int = 3, side: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    source = torch.rand(pictures, 1, side, side, generator=random) - 0.5
    return source, torch.randn(pictures, 2, side, side, generator=random) * 0.05


def test_what_is_looked_at_is_the_picture_that_the_codec_makes_of_colours_that_srgb_has() -> None:
    source, chroma = some_chroma()
    lightness = (source.numpy() + 1) * 50
    torch.testing.assert_close(
        display(CODEC, source, chroma), torch.from_numpy(CODEC.join(lightness, chroma.numpy())[0]), rtol=0, atol=1e-5
    )


def test_colourfulness_is_that_of_the_scores() -> None:
    pictures = display(CODEC, *some_chroma())
    expected = [colour.colourfulness(np.moveaxis(one, 0, -1)) for one in pictures.numpy()]
    np.testing.assert_allclose(colourfulness(pictures) * 255, expected, rtol=1e-3)


def terms_of(*overrides: str) -> tuple[dict[str, torch.Tensor], Batch, torch.Tensor]:
    torch.manual_seed(0)
    plain = ["method.lambda_adversarial=0", "method.lambda_l1=0"]
    method = build_method(load_recipe("tiny", [*plain, *overrides]))
    batch = Batch(torch.rand(2, 1, 32, 32) * 2 - 1, (torch.rand(2, 2, 16, 16) - 0.5) * 0.6)
    out = method.forward(batch)
    return method.loss("generator", batch, out), batch, out.target


def test_the_terms_carry_their_weights_and_their_names() -> None:
    terms, batch, made = terms_of("method.lambda_display=2", "method.colourfulness=0.5")
    assert list(terms) == ["g/display", "g/colourfulness"]
    source = torch.nn.functional.avg_pool2d(batch.source, 2)
    ours, truth = display(CODEC, source, made), display(CODEC, source, batch.target)
    errors = [np.log(((a - b) ** 2).mean().item() + DISPLAY_FLOOR) for a, b in zip(ours, truth, strict=True)]
    assert terms["g/display"].item() == pytest.approx(2 * np.mean(errors), rel=1e-5)
    assert colourfulness(truth).mean() > LEAST_COLOUR
    share = (colourfulness(ours).mean() / colourfulness(truth).mean()).item()
    assert terms["g/colourfulness"].item() == pytest.approx(5 * (share - 0.5) ** 2, rel=1e-4)


def test_a_grey_truth_asks_for_grey_and_outweighs_nothing() -> None:
    spec = load_recipe("tiny", ["method.lambda_adversarial=0", "method.colourfulness=0.5"]).method
    source, made = some_chroma()
    batch = Batch(torch.nn.functional.interpolate(source, scale_factor=2.0), torch.zeros_like(made))
    terms, seen = DisplayTerms(CODEC, spec), colourfulness(display(CODEC, source, made)).mean().item()
    assert terms.loss(batch, made)["g/colourfulness"].item() == pytest.approx(5 * (seen / LEAST_COLOUR) ** 2, rel=1e-2)
    assert terms.loss(batch, batch.target)["g/colourfulness"].item() < 1e-4


def test_pictures_of_which_hints_tell_colours_do_not_count_for_the_share() -> None:
    recipe = load_recipe("tiny", ["method.lambda_adversarial=0", "method.colourfulness=0.5", "data.hints.mean=8"])
    torch.manual_seed(0)
    method = build_method(recipe)
    source, target = torch.rand(3, 1, 32, 32) * 2 - 1, (torch.rand(3, 2, 16, 16) - 0.5) * 0.2
    made = method.forward(Batch(source, target, hints=torch.zeros(3, 3, 32, 32)))

    def term(shown: slice, told: tuple[int, ...]) -> float:
        hints = torch.zeros(3, 3, 32, 32)
        hints[list(told), :, 4, 5] = 1
        batch = Batch(source[shown], target[shown], hints=hints[shown])
        return method.loss("generator", batch, type(made)(made.target[shown]))["g/colourfulness"].item()

    assert term(slice(3), (1, 2)) == pytest.approx(term(slice(1), ()), rel=1e-5)
    assert term(slice(3), (1, 2)) != pytest.approx(term(slice(3), ()), rel=1e-3)
    assert term(slice(3), (0, 1, 2)) == 0


def test_a_term_that_weighs_nothing_is_left_out() -> None:
    assert list(terms_of("method.lambda_display=1")[0]) == ["g/display"]
    assert list(terms_of("method.lambda_l1=1", "method.colourfulness=0.4")[0]) == ["g/l1", "g/colourfulness"]


def test_a_grey_result_learns_too_where_roots_and_logarithms_have_no_slope() -> None:
    source, truth = some_chroma()
    for start in (torch.zeros_like(truth), truth.clone()):
        made = start.requires_grad_()
        shown = display(CODEC, source, made)
        error = (shown - display(CODEC, source, truth)).square().mean() + DISPLAY_FLOOR
        (error.log() + colourfulness(shown).sum()).backward()
        assert made.grad is not None
        assert made.grad.isfinite().all()


def test_the_share_of_colour_that_is_asked_for_is_reached() -> None:
    spec = load_recipe("tiny", ["method.lambda_adversarial=0", "method.colourfulness=0.6"]).method
    source, truth = some_chroma(side=16)
    truth = truth * 3
    batch, terms = Batch(torch.nn.functional.interpolate(source, scale_factor=2.0), truth), DisplayTerms(CODEC, spec)
    made = (truth * 0.2).requires_grad_()
    optimiser = torch.optim.Adam([made], lr=5e-3)
    for _ in range(60):
        optimiser.zero_grad()
        terms.loss(batch, made)["g/colourfulness"].backward()
        optimiser.step()
    ours, theirs = (colourfulness(display(CODEC, source, chroma)).mean() for chroma in (made, truth))
    assert theirs > LEAST_COLOUR
    assert (ours / theirs).item() == pytest.approx(0.6, abs=0.05)
