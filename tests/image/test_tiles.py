"""Spans cover a line, lie where strides want them, and weigh each place once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tintype.image.tiles import lay_spans


@st.composite
def plans(draw):
    multiple = draw(st.integers(1, 16))
    side = draw(st.integers(2, 12)) * multiple
    overlap = draw(st.integers(0, side // multiple - 1)) * multiple
    fade = draw(st.integers(0, overlap))
    length = draw(st.integers(1, 60)) * multiple
    return length, side, overlap, fade, multiple


@given(plans())
def test_spans_cover_a_line_with_weights_that_add_up_to_one(plan):
    length, side, overlap, fade, multiple = plan
    spans = lay_spans(length, side, overlap=overlap, fade=fade, multiple=multiple)
    total = np.zeros(length)
    for span in spans:
        assert span.start % multiple == 0
        assert span.stop - span.start == min(side, length)
        assert span.weights().min() >= 0
        total[span.start : span.stop] += span.weights()
    np.testing.assert_allclose(total, 1, atol=1e-6)


@given(plans())
def test_no_span_counts_near_its_ends_but_at_the_ends_of_the_line(plan):
    length, side, overlap, fade, multiple = plan
    spans = lay_spans(length, side, overlap=overlap, fade=fade, multiple=multiple)
    unused = (overlap - fade) // 2  # at either end of a span
    for before, after in pairwise(spans):
        assert before.stop - after.start >= overlap
        assert not after.weights()[:unused].any()
        assert not before.weights()[side - unused :].any()


def test_a_line_that_fits_is_one_span():
    (span,) = lay_spans(48, 64, overlap=16, fade=8, multiple=8)
    assert (span.start, span.stop) == (0, 48)
    np.testing.assert_array_equal(span.weights(), 1)
