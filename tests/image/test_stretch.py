"""Stretches: that they can be undone and recorded, where their limits lie, and odd data."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
from astropy.visualization import AsinhStretch, ZScaleInterval
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tintype.errors import ImageError
from tintype.image.stretch import Stretch, StretchKind, fit

KINDS = get_args(StretchKind)
FLOATS = st.floats(-1e300, 1e300, width=64)


def sky(seed=0, background=100.0, noise=5.0):
    """A noisy background with a few stars."""
    random = np.random.default_rng(seed)
    values = random.normal(background, noise, (200, 200))
    values[random.integers(0, 200, 60), random.integers(0, 200, 60)] += random.exponential(5000, 60)
    return values


@given(st.sampled_from(KINDS), hnp.arrays(np.float64, st.integers(1, 40), elements=FLOATS))
def test_what_was_stretched_can_be_undone(kind, values):
    stretch = fit(kind, values)
    inside = np.clip(values, stretch.low, stretch.high)
    display = stretch.apply(inside)
    assert display.dtype == np.float32
    assert display.min() >= 0
    assert display.max() <= 1
    # float32 rounds the display value; the slope of the inverse is at most the full asinh times the range
    slope = np.arcsinh((stretch.high - stretch.low) / stretch.softening) if kind == "asinh" else 1
    error = np.abs(stretch.invert(display) - inside)
    assert (error <= 1.3e-7 * slope * (stretch.high - stretch.low) + 1e-15 * np.abs(inside)).all()


@given(st.sampled_from(KINDS), hnp.arrays(np.float64, st.integers(1, 40), elements=FLOATS))
def test_brighter_stays_brighter(kind, values):
    display = fit(kind, values).apply(np.sort(values))
    assert (np.diff(display) >= 0).all()


@given(st.sampled_from(KINDS), hnp.arrays(np.float64, 9, elements=FLOATS))
def test_the_record_is_the_stretch(kind, values):
    stretch = fit(kind, values)
    assert Stretch.from_text(stretch.to_text()) == stretch


@pytest.mark.parametrize("text", ["log low=0 high=1", "linear low=0", "asinh low=0 high=1", "linear low=0 high=x"])
def test_other_text_is_no_record(text):
    with pytest.raises(ValueError, match=r"not a stretch|could not convert"):
        Stretch.from_text(text)


def test_the_limits_of_the_linear_kinds():
    values = sky()
    linear, percentile, zscale = fit("linear", values), fit("percentile", values), fit("zscale", values)
    assert (linear.low, linear.high) == (values.min(), values.max())
    assert (percentile.low, percentile.high) == tuple(np.percentile(values, (0.5, 99.5)))
    assert (zscale.low, zscale.high) == tuple(ZScaleInterval().get_limits(values.ravel()))


def test_asinh_is_that_of_astropy_between_its_limits():
    stretch = fit("asinh", sky())
    t = np.linspace(0, 1, 50)
    reference = AsinhStretch(a=stretch.softening / (stretch.high - stretch.low))(t)
    np.testing.assert_allclose(stretch.apply(stretch.low + t * (stretch.high - stretch.low)), reference, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e30])
def test_asinh_shows_sky_dark_and_noise_faint_in_any_unit(scale):
    stretch = fit("asinh", sky() * scale)
    black, sky_level, noise = stretch.apply(np.array([100 - 15.1, 100, 105]) * scale)
    assert black == pytest.approx(0, abs=0.02)
    assert 0.05 < sky_level < 0.3
    assert 0.01 < noise - sky_level < 0.08


def test_asinh_of_a_picture_without_dark_sky_is_nearly_linear():
    values = np.linspace(0, 255, 10_000)
    np.testing.assert_allclose(fit("asinh", values).apply(values), values / 255, atol=0.08)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, 0.0), (7.0, 0.5), (-7.0, 0.5), (1e38, 0.5)], ids=["zero", "plain", "negative", "huge"]
)
def test_equal_pixels_are_a_plain_grey(kind, value, shown):
    stretch = fit(kind, np.full(9, value))
    assert stretch.invert(stretch.apply(np.array(value))) == pytest.approx(value)
    if kind != "asinh":
        assert stretch.apply(np.array(value)) == shown


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_bright_pixels_on_nothing(kind):
    values = np.zeros(10_000)
    values[:3] = 9
    display = fit(kind, values).apply(values)
    assert display[0] == 1
    assert display[-1] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_finite_does_not_move_the_limits(kind):
    values = sky()
    holes = np.concatenate([values.ravel(), [np.nan, np.inf, -np.inf]])
    assert fit(kind, holes) == fit(kind, values)
    assert fit(kind, values).apply(holes)[-3:].tolist() == [0, 1, 0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", [[np.nan, np.inf], [], [-1e308, 1e308], [1.7e308, 1.7e308]])
def test_nothing_to_stretch_is_one_line(kind, values):
    with pytest.raises(ImageError) as error:
        fit(kind, np.array(values))
    assert "\n" not in str(error.value)


def test_astropy_is_imported_only_where_it_is_needed():
    code = "import sys, tintype.image.file, tintype.image.stretch; sys.exit('astropy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
